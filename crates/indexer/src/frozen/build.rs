//! Making a table from the one before and what has changed since.

use std::collections::VecDeque;
use std::fmt;
use std::io;

use simd_r_drive_entry_handle::Layout;
use simd_r_drive_entry_handle::constants::BLOCK_SIZE;

use super::find::fingerprint;
use super::group::{Member, NewRecord, Record, record_lines};
use super::header::{FIRST_BUCKET, FrozenTotals, Header};
use super::line::{LINE_LEN, Line, MAX_OVERFLOW, WORDS};
use super::position::{Geometry, Mixer, Prefix};
use super::{FrozenIndex, LineDamaged, MAX_DISPLACEMENT, block_bits, check_seed};
use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{Identity, SlotSource};
use crate::version::Version;

/// Hashes for each bucket of eight words, on average. At this load a look-up of what is there touches 1.10 buckets
/// and one of what is not 1.23; a hash takes 10.7 bytes.
const HASHES_PER_BUCKET: u64 = 6;

/// How many bytes are written at a time.
const WRITE_LEN: usize = 256 << 10;

/// How large a table must be, decided before it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSize {
    buckets: u64,
    record_lines: u64,
}

impl TableSize {
    /// For at most so many hashes, and so many lines of records.
    pub(crate) fn new(hashes: u64, record_lines: u64) -> Self {
        Self { buckets: hashes.div_ceil(HASHES_PER_BUCKET).max(1), record_lines }
    }

    /// Length of the table in bytes.
    pub fn table_bytes(&self) -> u64 {
        self.header(0, 0, FrozenTotals::default()).lines() * LINE_LEN
    }

    fn header(&self, tag_bits: u32, hashes: u64, totals: FrozenTotals) -> Header {
        let Self { buckets, record_lines } = *self;
        Header { buckets, tag_bits: tag_bits as u8, record_lines, hashes, totals }
    }
}

/// Why a table could not be built. Whatever was written of it is no table, and does no harm.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError<E> {
    /// The table before is damaged: it must be rebuilt from the log first.
    Damaged,
    /// There was more to put in than had been said.
    Overfull,
    /// The log could not be read.
    Source(E),
    /// The table could not be written.
    Write(io::Error),
}

impl<E: fmt::Display> fmt::Display for BuildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("the index in the file is damaged"),
            Self::Overfull => f.write_str("the index does not fit the space that was set aside"),
            Self::Source(error) => write!(f, "reading the log for the index: {error}"),
            Self::Write(error) => write!(f, "writing the index: {error}"),
        }
    }
}

impl<E> From<LineDamaged> for BuildError<E> {
    fn from(_: LineDamaged) -> Self {
        Self::Damaged
    }
}

/// What a table is made from.
#[derive(Debug)]
pub struct Build<'a> {
    /// Secrets of the file.
    pub layout: &'a Layout,
    /// Where the slot of the new table starts, in bytes.
    pub start: u64,
    /// The space that was set aside.
    pub size: TableSize,
    /// What the log holds up to `start`.
    pub totals: FrozenTotals,
    /// The table before.
    pub older: Option<&'a FrozenIndex>,
    /// What was written since, newest first. For each hash that one holds, it holds all lines.
    pub newer: &'a [&'a KeyIndexer],
}

/// Receives a table: an offset in it, and bytes.
type Write<'a> = dyn FnMut(u64, &[u8]) -> io::Result<()> + 'a;

impl Build<'_> {
    /// Builds the table: hands all of it but the first line to `write`, and returns the first line, with which the
    /// table becomes one. It is to be written when the rest is on the medium.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    ///
    /// # Costs
    ///
    /// One pass over the older table, and a sort of what is newer, which takes 24 bytes of memory a hash. The log is
    /// asked for a key where the older table does not tell enough of its hash, or where a newer entry has,
    /// most likely, the same hash.
    pub fn run<S: SlotSource + ?Sized>(
        &self,
        source: &S,
        write: &mut Write<'_>,
    ) -> Result<[u8; 64], BuildError<S::Error>> {
        let geometry = self.geometry();
        let mixer = Mixer::new(self.layout);
        let check_seed = check_seed(self.layout, self.start);
        let header = self.size.header(geometry.tag_bits(), 0, self.totals);
        let mut merge = Merge {
            newer: self.sorted(&mixer),
            next: 0,
            low: 0,
            indexes: self.newer,
            placer: Placer::new(geometry, header, check_seed, write),
            source,
            mixer,
        };
        if let Some(older) = self.older {
            let mut reader = TableReader::new(older);
            while let Some(entries) = reader.next_bucket()? {
                merge.take_older(older, &entries)?;
            }
        }
        merge.take_newer_below(u64::MAX)?;
        let hashes = merge.placer.finish().map_err(PlaceError::into_build)?;
        Ok(Header { hashes, ..header }.encode(check_seed))
    }

    fn geometry(&self) -> Geometry {
        let lines = self.size.table_bytes() / LINE_LEN;
        let geometry = Geometry::new(self.size.buckets, block_bits(self.start, lines));
        match self.older {
            Some(older) => geometry.made_from(older.geometry),
            None => geometry,
        }
    }

    /// What is newer, by mixed hash.
    fn sorted(&self, mixer: &Mixer) -> Vec<Newer> {
        let mut newer = Vec::new();
        for (number, index) in self.newer.iter().enumerate() {
            let (before, _) = self.newer.split_at(number);
            let mut part = Vec::with_capacity(index.stats().hashes);
            index.for_each_hash(|hash, slot| {
                part.push(Newer { mixed: mixer.mix(hash), hash, slot });
            });
            part.retain(|entry| before.iter().all(|index| index.locate(entry.hash).is_none()));
            newer.append(&mut part);
        }
        newer.sort_unstable_by_key(|entry| entry.mixed);
        newer
    }
}

/// A hash that was written since the older table was made.
#[derive(Clone, Copy)]
struct Newer {
    mixed: u64,
    hash: u64,
    slot: PackedSlot,
}

/// A word of the older table.
struct Older {
    bucket: u64,
    word: u64,
    is_group: bool,
}

/// Reads a table bucket by bucket, wherever their entries stand.
struct TableReader<'a> {
    table: &'a FrozenIndex,
    next_line: u64,
    /// Buckets some of whose entries stand in later lines, the first one first, and how many.
    pending: VecDeque<(u64, usize, Vec<Older>)>,
}

impl<'a> TableReader<'a> {
    fn new(table: &'a FrozenIndex) -> Self {
        Self { table, next_line: 0, pending: VecDeque::new() }
    }

    /// The entries of the next bucket that has any; `None` at the end.
    fn next_bucket(&mut self) -> Result<Option<Vec<Older>>, LineDamaged> {
        loop {
            if self.pending.front().is_some_and(|(_, missing, _)| *missing == 0) {
                return Ok(self.pending.pop_front().map(|(_, _, entries)| entries));
            }
            if self.next_line == self.table.header.bucket_lines() {
                return if self.pending.is_empty() { Ok(None) } else { Err(LineDamaged) };
            }
            self.read_line()?;
        }
    }

    fn read_line(&mut self) -> Result<(), LineDamaged> {
        let bucket = self.next_line;
        let line = self.table.bucket(bucket)?;
        self.next_line += 1;
        let entry =
            |at: usize, bucket| Older { bucket, word: line.word(at), is_group: line.is_group(at) };
        let mut at = 0;
        while at < line.displaced() {
            let (bucket, missing, entries) =
                self.pending.iter_mut().find(|(_, missing, _)| *missing > 0).ok_or(LineDamaged)?;
            entries.push(entry(at, *bucket));
            *missing -= 1;
            at += 1;
        }
        let own: Vec<Older> = (at..line.count()).map(|at| entry(at, bucket)).collect();
        if !own.is_empty() || line.overflow() > 0 {
            self.pending.push_back((bucket, line.overflow(), own));
        }
        Ok(())
    }
}

/// Merges two sequences in the order of the new table's buckets.
struct Merge<'a, S: SlotSource + ?Sized> {
    newer: Vec<Newer>,
    /// The next one to be placed.
    next: usize,
    /// About where the older entries are among the newer ones.
    low: usize,
    indexes: &'a [&'a KeyIndexer],
    placer: Placer<'a>,
    source: &'a S,
    mixer: Mixer,
}

impl<S: SlotSource + ?Sized> Merge<'_, S> {
    /// Places the entries of one bucket of the older table that have not been superseded.
    fn take_older(
        &mut self,
        table: &FrozenIndex,
        entries: &[Older],
    ) -> Result<(), BuildError<S::Error>> {
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            let prefix = match table.geometry.prefix(entry.bucket, entry.word) {
                Some(prefix) if !entry.is_group => prefix,
                _ => self.whole(table, entry)?,
            };
            let Some(prefix) = self.survives(table, entry, prefix)? else { continue };
            let (bucket, prefix) = match self.placer.geometry.place(prefix) {
                Some(bucket) => (bucket, prefix),
                None => {
                    let whole = self.whole(table, entry)?;
                    (self.placer.geometry.bucket(whole.bits), whole)
                }
            };
            kept.push((bucket, prefix, entry));
        }
        // Neighbours of the older table that were known by their first bits alone may stand in another order.
        kept.sort_by_key(|(bucket, prefix, _)| (*bucket, prefix.bits));
        for (bucket, prefix, entry) in kept {
            self.take_newer_below(bucket)?;
            let block = table.geometry.block(entry.word);
            if entry.is_group {
                let record = Record::load(table, block)?;
                let lines = (0..record.lines()).map(|number| record.line(number));
                let lines = lines.collect::<Result<Vec<_>, _>>()?;
                self.placer.record(bucket, prefix.bits, lines).map_err(PlaceError::into_build)?;
            } else {
                self.placer.slot(bucket, prefix.bits, block).map_err(PlaceError::into_build)?;
            }
        }
        Ok(())
    }

    /// The whole mixed hash of an entry, from the log, or from its record.
    fn whole(&self, table: &FrozenIndex, entry: &Older) -> Result<Prefix, BuildError<S::Error>> {
        let block = table.geometry.block(entry.word);
        let hash = if entry.is_group {
            Record::load(table, block)?.hash
        } else {
            let slot = self.source.slot(block * BLOCK_SIZE).map_err(BuildError::Source)?;
            self.source.hash_of(&slot)
        };
        Ok(Prefix::whole(self.mixer.mix(hash)))
    }

    /// What is known of an entry's hash, unless something newer has the same hash.
    fn survives(
        &mut self,
        table: &FrozenIndex,
        entry: &Older,
        prefix: Prefix,
    ) -> Result<Option<Prefix>, BuildError<S::Error>> {
        let newer = &self.newer;
        while self.low < newer.len() && newer[self.low].mixed < prefix.bits {
            self.low += 1;
        }
        while self.low > 0 && newer[self.low - 1].mixed >= prefix.bits {
            self.low -= 1;
        }
        let similar = newer[self.low..].iter().take_while(|entry| entry.mixed <= prefix.last());
        if similar.clone().next().is_none() {
            return Ok(Some(prefix));
        }
        let whole = self.whole(table, entry)?;
        Ok(similar.clone().all(|newer| newer.mixed != whole.bits).then_some(whole))
    }

    /// Places the newer entries whose bucket comes before `bucket`.
    fn take_newer_below(&mut self, bucket: u64) -> Result<(), BuildError<S::Error>> {
        while let Some(&Newer { mixed, hash, slot }) = self.newer.get(self.next) {
            let own = self.placer.geometry.bucket(mixed);
            if own >= bucket {
                break;
            }
            self.next += 1;
            if slot.is_group() {
                let lines = self.record_of(hash)?.encode();
                self.placer.record(own, mixed, lines).map_err(PlaceError::into_build)?;
            } else {
                let block = slot.end() / BLOCK_SIZE;
                self.placer.slot(own, mixed, block).map_err(PlaceError::into_build)?;
            }
        }
        Ok(())
    }

    fn record_of(&self, hash: u64) -> Result<NewRecord, BuildError<S::Error>> {
        let mut record = NewRecord { hash, keyed: Vec::new(), bare: None };
        let index = self.indexes.iter().find(|index| index.locate(hash).is_some());
        for slot in index.map(|index| index.lines(hash)).unwrap_or_default() {
            let Version { end, is_tombstone } = slot.into();
            if slot.is_bare() {
                record.bare = Some(slot.into());
                continue;
            }
            let found = self.source.slot(end).map_err(BuildError::Source)?;
            let Identity::Keyed(key) = found.identity else { return Err(BuildError::Damaged) };
            let fingerprint = fingerprint(key, self.mixer.fingerprint_seed);
            record.keyed.push(Member { fingerprint, end, is_tombstone });
        }
        Ok(record)
    }
}

enum PlaceError {
    Overfull,
    /// Entries of the older table stand in no order that a table can have.
    Disorder,
    Write(io::Error),
}

impl PlaceError {
    fn into_build<E>(self) -> BuildError<E> {
        match self {
            Self::Overfull => BuildError::Overfull,
            Self::Disorder => BuildError::Damaged,
            Self::Write(error) => BuildError::Write(error),
        }
    }
}

/// Puts entries, which come in the order of their buckets, into lines.
struct Placer<'a> {
    geometry: Geometry,
    header: Header,
    check_seed: u64,
    /// The next line of buckets, and what waits for a place, in order.
    line: u64,
    waiting: VecDeque<(u64, u64, bool)>,
    hashes: u64,
    buckets: Lines,
    records: Lines,
    write: &'a mut Write<'a>,
}

impl<'a> Placer<'a> {
    fn new(geometry: Geometry, header: Header, check_seed: u64, write: &'a mut Write<'a>) -> Self {
        Self {
            geometry,
            check_seed,
            line: 0,
            waiting: VecDeque::new(),
            hashes: 0,
            buckets: Lines { next: FIRST_BUCKET, buffer: Vec::with_capacity(WRITE_LEN) },
            records: Lines { next: header.first_record(), buffer: Vec::new() },
            header,
            write,
        }
    }

    fn slot(&mut self, bucket: u64, mixed: u64, block: u64) -> Result<(), PlaceError> {
        self.entry(bucket, self.geometry.word(mixed, block), false)
    }

    fn record(&mut self, bucket: u64, mixed: u64, lines: Vec<Line>) -> Result<(), PlaceError> {
        let number = self.records.next;
        if self.header.lines() - number < lines.len() as u64 {
            return Err(PlaceError::Overfull);
        }
        for line in lines {
            self.records.push(line, self.check_seed, self.write).map_err(PlaceError::Write)?;
        }
        self.entry(bucket, self.geometry.word(mixed, number), true)
    }

    fn entry(&mut self, bucket: u64, word: u64, is_group: bool) -> Result<(), PlaceError> {
        if bucket < self.line {
            return Err(PlaceError::Disorder);
        }
        while self.line < bucket {
            self.fill_line()?;
        }
        self.hashes += 1;
        self.waiting.push_back((bucket, word, is_group));
        Ok(())
    }

    fn fill_line(&mut self) -> Result<(), PlaceError> {
        if self.line == self.header.bucket_lines() {
            return Err(PlaceError::Overfull);
        }
        let taken: Vec<_> = self.waiting.drain(..self.waiting.len().min(WORDS)).collect();
        if taken.first().is_some_and(|(bucket, ..)| self.line - bucket > MAX_DISPLACEMENT) {
            return Err(PlaceError::Overfull);
        }
        let displaced = taken.iter().take_while(|(bucket, ..)| *bucket < self.line).count();
        let overflow =
            self.waiting.iter().rev().take_while(|(bucket, ..)| *bucket == self.line).count();
        if overflow > MAX_OVERFLOW {
            return Err(PlaceError::Overfull);
        }
        let words: Vec<_> = taken.iter().map(|(_, word, is_group)| (*word, *is_group)).collect();
        let line = Line::bucket(&words, displaced, overflow);
        self.buckets.push(line, self.check_seed, self.write).map_err(PlaceError::Write)?;
        self.line += 1;
        Ok(())
    }

    /// Writes what is left; returns how many hashes there are.
    fn finish(mut self) -> Result<u64, PlaceError> {
        while self.line < self.header.bucket_lines() {
            self.fill_line()?;
        }
        if !self.waiting.is_empty() {
            return Err(PlaceError::Overfull);
        }
        // Records that were counted and not needed.
        while self.records.next < self.header.lines() {
            let line = Line::record(&[]);
            self.records.push(line, self.check_seed, self.write).map_err(PlaceError::Write)?;
        }
        self.buckets.flush(self.write).map_err(PlaceError::Write)?;
        self.records.flush(self.write).map_err(PlaceError::Write)?;
        Ok(self.hashes)
    }
}

/// Consecutive lines on their way to the file.
struct Lines {
    /// Number of the next line.
    next: u64,
    buffer: Vec<u8>,
}

impl Lines {
    fn push(&mut self, line: Line, seed: u64, write: &mut Write<'_>) -> io::Result<()> {
        self.buffer.extend_from_slice(&line.seal(self.next, seed));
        self.next += 1;
        if self.buffer.len() >= WRITE_LEN { self.flush(write) } else { Ok(()) }
    }

    fn flush(&mut self, write: &mut Write<'_>) -> io::Result<()> {
        let start = self.next * LINE_LEN - self.buffer.len() as u64;
        write(start, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// How many lines of records the groups of an index take.
pub(crate) fn record_lines_of(index: &KeyIndexer) -> u64 {
    index.group_sizes().into_iter().map(record_lines).sum()
}
