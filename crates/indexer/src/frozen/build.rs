//! Making a table from the one before and what has changed since.

use std::fmt;
use std::io;

use simd_r_drive_entry_handle::Layout;
use simd_r_drive_entry_handle::constants::BLOCK_SIZE;

use super::find::fingerprint;
use super::group::{Member, NewRecord, Record, record_lines};
use super::header::{FrozenTotals, HEADER_LEN, Header};
use super::line::{LINE_LEN, WORDS};
use super::place::{PlaceError, Placer, Write};
use super::position::{Geometry, Mixer, Prefix};
use super::reader::{Older, TableReader};
use super::{FrozenIndex, LineDamaged, block_bits, check_seed};
use crate::indexer::KeyIndexer;
use crate::slot_source::{Identity, SlotSource};
use crate::version::Version;

/// Hashes for each bucket of eight words, on average. At this load a look-up of what is there touches 1.10 buckets
/// and one of what is not 1.23; a hash takes 10.7 bytes.
const HASHES_PER_BUCKET: u64 = 6;

/// So many entries of a newer table are looked at together.
const READ_AHEAD: usize = 128;

/// How large a table must be, decided before it is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableSize {
    buckets: u64,
    record_lines: u64,
}

impl TableSize {
    /// For at most so many hashes, and so many lines of records.
    pub(crate) fn new(hashes: u64, record_lines: u64) -> Self {
        Self { buckets: hashes.div_ceil(HASHES_PER_BUCKET).max(1), record_lines }
    }

    /// Length of the table in bytes.
    pub(crate) fn table_bytes(self) -> u64 {
        Header {
            buckets: self.buckets,
            record_lines: self.record_lines,
            tag_bits: 0,
            hashes: 0,
            all_hashes: 0,
            base_end: 0,
            totals: FrozenTotals::default(),
        }
        .lines()
            * LINE_LEN
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
pub(crate) struct Build<'a> {
    /// Secrets of the file.
    pub(crate) layout: &'a Layout,
    /// Where the slot of the new table starts, in bytes.
    pub(crate) start: u64,
    /// The space that was set aside.
    pub(crate) size: TableSize,
    /// What the log holds up to `start`.
    pub(crate) totals: FrozenTotals,
    /// The table that the new one will stand on.
    pub(crate) base: Option<&'a FrozenIndex>,
    /// At most so many hashes are in `base` and what it stands on, and in none of `newer`.
    pub(crate) all_hashes: u64,
    /// A large table, whose hashes are taken over unless something newer holds them.
    pub(crate) older: Option<&'a FrozenIndex>,
    /// What was written since, newest first. For each hash that one holds, it holds all lines.
    pub(crate) newer: &'a [Part<'a>],
}

/// Something that a table is made from.
#[derive(Clone, Copy)]
pub(crate) enum Part<'a> {
    Layer(&'a KeyIndexer),
    Table(&'a FrozenIndex),
}

impl Build<'_> {
    /// Builds the table: hands all of it but the header to `write`, and returns the header, with which the table
    /// becomes one.
    ///
    /// # Costs
    ///
    /// One pass over the older table, and a sort of what is newer, which takes 16 bytes of memory a hash. The log is
    /// asked for the keys of newer tables, and of the older one where it does not tell enough of a hash, or where
    /// something newer has, most likely, the same hash.
    pub(crate) fn run<S: SlotSource + ?Sized>(
        &self,
        source: &S,
        write: &mut Write<'_>,
    ) -> Result<[u8; HEADER_LEN], BuildError<S::Error>> {
        let geometry = self.geometry();
        let mixer = Mixer::new(self.layout);
        let check_seed = check_seed(self.layout, self.start);
        let header = Header {
            buckets: self.size.buckets,
            record_lines: self.size.record_lines,
            tag_bits: geometry.tag_bits() as u8,
            hashes: 0,
            all_hashes: 0,
            base_end: self.base.map_or(0, FrozenIndex::end),
            totals: self.totals,
        };
        let Sorted { newer, groups } = self.sorted(&mixer, source)?;
        let mut merge = Merge {
            newer,
            groups,
            next: 0,
            low: 0,
            parts: self.newer,
            placer: Placer::new(geometry, header, check_seed, write),
            kept: Vec::new(),
            source,
            mixer,
        };
        if let Some(older) = self.older {
            let mut reader = TableReader::new(older);
            while let Some(bucket) = reader.next_bucket()? {
                merge.take_older(older, bucket, &reader.entries)?;
            }
        }
        merge.take_newer_below(u64::MAX)?;
        let hashes = merge.placer.finish().map_err(PlaceError::into_build)?;
        let all_hashes = if self.base.is_some() { self.all_hashes } else { hashes };
        Ok(Header { hashes, all_hashes, ..header }.encode(check_seed))
    }

    fn geometry(&self) -> Geometry {
        let lines = self.size.table_bytes() / LINE_LEN;
        let geometry = Geometry::new(self.size.buckets, block_bits(self.start, lines));
        match self.older {
            Some(older) => geometry.made_from(older.geometry),
            None => geometry,
        }
    }

    fn sorted<S: SlotSource + ?Sized>(
        &self,
        mixer: &Mixer,
        source: &S,
    ) -> Result<Sorted, BuildError<S::Error>> {
        let (mut newer, mut groups) = (Vec::new(), Vec::new());
        for (part, content) in self.newer.iter().enumerate() {
            match content {
                Part::Layer(index) => {
                    newer.reserve(index.stats().hashes);
                    index.for_each_hash(|hash, slot| {
                        let what = if slot.is_group() {
                            groups.push(hash);
                            What::Group(groups.len() as u64 - 1)
                        } else {
                            What::Block(slot.end() / BLOCK_SIZE)
                        };
                        newer.push(Newer::new(mixer.mix(hash), part, what));
                    });
                }
                Part::Table(table) => {
                    let mut reader = TableReader::new(table);
                    let mut entries: Vec<Older> = Vec::with_capacity(READ_AHEAD + WORDS);
                    loop {
                        let is_last = reader.next_bucket()?.is_none();
                        entries.extend(&reader.entries);
                        if entries.len() < READ_AHEAD && !is_last {
                            continue;
                        }
                        // Their slots are all over the log: fetched together, they are waited for once.
                        let blocks = entries.iter().filter(|entry| !entry.is_group);
                        for entry in blocks {
                            source.prefetch(table.geometry.block(entry.word) * BLOCK_SIZE);
                        }
                        for entry in entries.drain(..) {
                            let block = table.geometry.block(entry.word);
                            let hash = hash_of_entry(table, &entry, source)?;
                            let what = if entry.is_group {
                                What::Record(block)
                            } else {
                                What::Block(block)
                            };
                            newer.push(Newer::new(mixer.mix(hash), part, what));
                        }
                        if is_last {
                            break;
                        }
                    }
                }
            }
        }
        // The part stands in the highest bits of a place: of several the newest comes first, and stays.
        newer.sort_unstable_by_key(|entry| (entry.mixed, entry.place));
        newer.dedup_by_key(|entry| entry.mixed);
        Ok(Sorted { newer, groups })
    }
}

/// The hash of an entry of a table, from the log, or from its record.
fn hash_of_entry<S: SlotSource + ?Sized>(
    table: &FrozenIndex,
    entry: &Older,
    source: &S,
) -> Result<u64, BuildError<S::Error>> {
    let block = table.geometry.block(entry.word);
    if entry.is_group {
        return Ok(Record::load(table, block)?.hash);
    }
    let slot = source.slot(block * BLOCK_SIZE).map_err(BuildError::Source)?;
    Ok(source.hash_of(&slot))
}

/// A hash that was written since the older table was made. Sixteen bytes, since many are sorted.
#[derive(Clone, Copy)]
struct Newer {
    mixed: u64,
    /// The number of the part, what it holds, and where.
    place: u64,
}

/// What a part holds of a hash.
#[derive(Clone, Copy)]
enum What {
    /// A slot that ends with this block.
    Block(u64),
    /// A group of a layer, by its number in [`Sorted::groups`].
    Group(u64),
    /// A record of a table, by the number of its line.
    Record(u64),
}

const PLACE_BITS: u32 = 46;

impl Newer {
    fn new(mixed: u64, part: usize, what: What) -> Self {
        let (kind, at) = match what {
            What::Block(at) => (0, at),
            What::Group(at) => (1, at),
            What::Record(at) => (2, at),
        };
        Self { mixed, place: (part as u64) << (PLACE_BITS + 2) | kind << PLACE_BITS | at }
    }

    fn part(self) -> usize {
        (self.place >> (PLACE_BITS + 2)) as usize
    }

    fn what(self) -> What {
        let at = self.place & !(u64::MAX << PLACE_BITS);
        match (self.place >> PLACE_BITS) & 3 {
            0 => What::Block(at),
            1 => What::Group(at),
            _ => What::Record(at),
        }
    }
}

/// What is newer, by mixed hash, each hash once.
struct Sorted {
    newer: Vec<Newer>,
    /// Hashes that have a group in a layer.
    groups: Vec<u64>,
}

/// Merges two sequences in the order of the new table's buckets.
struct Merge<'a, S: SlotSource + ?Sized> {
    newer: Vec<Newer>,
    groups: Vec<u64>,
    /// The next one to be placed.
    next: usize,
    /// About where the older entries are among the newer ones.
    low: usize,
    parts: &'a [Part<'a>],
    placer: Placer<'a>,
    /// What was kept of one bucket; empty between two of them.
    kept: Vec<(u64, Prefix, Older)>,
    source: &'a S,
    mixer: Mixer,
}

impl<S: SlotSource + ?Sized> Merge<'_, S> {
    /// Places the entries of one bucket of the older table that have not been superseded.
    fn take_older(
        &mut self,
        table: &FrozenIndex,
        bucket: u64,
        entries: &[Older],
    ) -> Result<(), BuildError<S::Error>> {
        let span = table.geometry.span(bucket);
        let mut kept = std::mem::take(&mut self.kept);
        for entry in entries {
            let prefix = match span.prefix(entry.word) {
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
            kept.push((bucket, prefix, *entry));
        }
        // Neighbours of the older table that were known by their first bits alone may stand in another order.
        kept.sort_by_key(|(bucket, prefix, _)| (*bucket, prefix.bits));
        for (bucket, prefix, entry) in kept.drain(..) {
            self.take_newer_below(bucket)?;
            let block = table.geometry.block(entry.word);
            if entry.is_group {
                let lines = Record::load(table, block)?.all_lines()?;
                self.placer.record(bucket, prefix.bits, lines).map_err(PlaceError::into_build)?;
            } else {
                self.placer.slot(bucket, prefix.bits, block).map_err(PlaceError::into_build)?;
            }
        }
        self.kept = kept;
        Ok(())
    }

    /// The whole mixed hash of an entry.
    fn whole(&self, table: &FrozenIndex, entry: &Older) -> Result<Prefix, BuildError<S::Error>> {
        Ok(Prefix::whole(self.mixer.mix(hash_of_entry(table, entry, self.source)?)))
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
        let last = prefix.last();
        if newer.get(self.low).is_none_or(|newer| newer.mixed > last) {
            return Ok(Some(prefix));
        }
        let similar = newer[self.low..].iter().take_while(|newer| newer.mixed <= last);
        let whole = self.whole(table, entry)?;
        Ok(similar.clone().all(|newer| newer.mixed != whole.bits).then_some(whole))
    }

    /// Places the newer entries whose bucket comes before `bucket`.
    fn take_newer_below(&mut self, bucket: u64) -> Result<(), BuildError<S::Error>> {
        while let Some(newer) = self.newer.get(self.next) {
            let mixed = newer.mixed;
            let own = self.placer.geometry.bucket(mixed);
            if own >= bucket {
                break;
            }
            self.next += 1;
            let placed = match (newer.what(), self.parts.get(newer.part())) {
                (What::Block(block), _) => self.placer.slot(own, mixed, block),
                (What::Group(number), Some(Part::Layer(index))) => {
                    let hash = self.groups[number as usize];
                    let lines = self.record_of(index, hash)?.encode();
                    self.placer.record(own, mixed, lines)
                }
                (What::Record(line), Some(Part::Table(table))) => {
                    self.placer.record(own, mixed, Record::load(table, line)?.all_lines()?)
                }
                _ => return Err(BuildError::Damaged),
            };
            placed.map_err(PlaceError::into_build)?;
        }
        Ok(())
    }

    fn record_of(&self, index: &KeyIndexer, hash: u64) -> Result<NewRecord, BuildError<S::Error>> {
        let mut record = NewRecord { hash, keyed: Vec::new(), bare: None };
        for slot in index.lines(hash) {
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

/// How many lines of records the groups of an index take.
pub(crate) fn record_lines_of(index: &KeyIndexer) -> u64 {
    index.group_sizes().into_iter().map(record_lines).sum()
}
