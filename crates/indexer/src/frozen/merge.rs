//! Merges the sources of a table into one sequence in the order of its buckets.

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;

use super::FrozenIndex;
use super::build_error::BuildError;
use super::group::Record;
use super::position::{Geometry, Prefix, Spans};
use super::reader::TableReader;
use crate::mix::Mixer;
use crate::slot_source::{Slot as _, SlotSource};

/// An entry on its way to a new table. Sixteen bytes, because many are sorted and copied.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The known bits of the mixed hash, followed by zeros.
    pub(super) bits: u64,
    /// The number of the source, whether the whole hash is known, and the kind and location of the
    /// entry.
    place: u64,
}

/// What an entry refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A slot that ends with this block.
    Block(u64),
    /// A group: its number among the groups of the layers in memory, or the number of the first
    /// line of its record.
    Group(u64),
}

const AT_BITS: u32 = 46;
const GROUP: u64 = 1 << AT_BITS;
const WHOLE: u64 = GROUP << 1;
const SOURCE_SHIFT: u32 = AT_BITS + 2;

impl Entry {
    /// An entry whose whole hash is known.
    #[inline]
    pub(super) fn whole(mixed: u64, source: usize, what: What) -> Self {
        let Self { bits, place } = Self::known(mixed, source, what);
        Self { bits, place: place | WHOLE }
    }

    #[inline]
    fn known(bits: u64, source: usize, what: What) -> Self {
        let (kind, at) = match what {
            What::Block(at) => (0, at),
            What::Group(at) => (GROUP, at),
        };
        Self { bits, place: (source as u64) << SOURCE_SHIFT | kind | at }
    }

    /// The number of its source: the layers in memory and the tables, newest first.
    #[inline]
    pub(super) fn source(self) -> usize {
        (self.place >> SOURCE_SHIFT) as usize
    }

    #[inline]
    pub(super) fn what(self) -> What {
        let at = self.place & (GROUP - 1);
        if self.place & GROUP == 0 { What::Block(at) } else { What::Group(at) }
    }

    /// Sorts by mixed hash, newest first.
    pub(super) fn order(&self) -> (u64, u64) {
        // Compares only entries of the same kind of source; the source is in the highest bits of
        // `place`.
        (self.bits, self.place)
    }
}

/// What the sources have in common.
pub(super) struct Context<'a, S: ?Sized> {
    pub(super) source: &'a S,
    pub(super) mixer: &'a Mixer,
    pub(super) geometry: Geometry,
    /// How many bits of each mixed hash must be known.
    pub(super) known_bits: u32,
    /// The number of layers in memory. Tables are numbered after them.
    pub(super) layers: usize,
    /// Newest first.
    pub(super) tables: &'a [&'a FrozenIndex],
}

impl<S: SlotSource + ?Sized> Context<'_, S> {
    /// The table that an entry comes from.
    pub(super) fn table_of(&self, entry: Entry) -> Option<&FrozenIndex> {
        self.tables.get(entry.source().checked_sub(self.layers)?).copied()
    }

    /// What is known of the mixed hash of an entry.
    fn prefix_of(&self, entry: Entry) -> Prefix {
        match self.table_of(entry) {
            Some(table) if entry.place & WHOLE == 0 => {
                Prefix { bits: entry.bits, len: table.geometry.known_bits() }
            }
            _ => Prefix::whole(entry.bits),
        }
    }

    /// The same entry with its whole mixed hash, read from the log if necessary.
    fn completed(&self, entry: Entry) -> Result<Entry, BuildError<S::Error>> {
        if entry.place & WHOLE != 0 {
            return Ok(entry);
        }
        let table = self.table_of(entry).ok_or(BuildError::Damaged)?;
        let mixed = self.mixer.mix(hash_of_entry(table, entry.what(), self.source)?);
        Ok(Entry::whole(mixed, entry.source(), entry.what()))
    }
}

/// The hash of a table's entry, from the log or from its record.
fn hash_of_entry<S: SlotSource + ?Sized>(
    table: &FrozenIndex,
    what: What,
    source: &S,
) -> Result<u64, BuildError<S::Error>> {
    match what {
        What::Group(line) => Ok(Record::load(table, line)?.hash),
        What::Block(block) => {
            let slot = source.slot(block * BLOCK_SIZE).map_err(BuildError::Source)?;
            Ok(slot.hash())
        }
    }
}

/// The sources of a table, newest first, each in the order of the new table's buckets.
pub(super) struct Sources<'a> {
    streams: Vec<Stream<'a>>,
    /// The key of each stream's next entry. Outdated for the stream that the last run came from.
    keys: Vec<u64>,
    last: Option<usize>,
    /// The number of low bits of an entry that may be unknown and are left out of its key.
    shift: u32,
    /// Entries of several sources that have the same key.
    contested: Vec<Entry>,
}

/// The key of an exhausted stream. No entry has it, since keys are shorter than 64 bits.
const END: u64 = u64::MAX;

impl<'a> Sources<'a> {
    /// `memory` is the contents of the layers in memory, sorted by mixed hash, each hash once.
    pub(super) fn new<S: SlotSource + ?Sized>(
        memory: Vec<Entry>,
        context: &Context<'a, S>,
    ) -> Result<Self, BuildError<S::Error>> {
        let tables = context.tables.iter().enumerate();
        let tables = tables.map(|(number, table)| Stream::of_table(context.layers + number, table));
        let known = context.tables.iter().map(|table| table.geometry.known_bits()).min();
        let shift = u64::BITS - known.unwrap_or(u64::BITS).min(u64::BITS - 1);
        let streams = std::iter::once(Stream::of_memory(memory)).chain(tables).collect();
        let mut sources =
            Self { streams, keys: Vec::new(), last: None, shift, contested: Vec::new() };
        for stream in &mut sources.streams {
            sources.keys.push(stream.key(shift, context)?);
        }
        Ok(sources)
    }

    /// The next entries, in the order of their buckets, without superseded ones. `None` at the end.
    pub(super) fn next_run<S: SlotSource + ?Sized>(
        &mut self,
        context: &Context<'a, S>,
    ) -> Result<Option<&[Entry]>, BuildError<S::Error>> {
        if let Some(last) = self.last.take()
            && let (Some(stream), Some(key)) = (self.streams.get_mut(last), self.keys.get_mut(last))
        {
            *key = stream.key(self.shift, context)?;
        }
        // The lowest key, its stream, and the lowest key of all other streams.
        let (mut lowest, mut number, mut limit) = (END, 0, END);
        for (at, key) in self.keys.iter().enumerate() {
            // Branch-free, because no branch predictor could guess the outcome.
            limit = limit.min(lowest.max(*key));
            number = if *key < lowest { at } else { number };
            lowest = lowest.min(*key);
        }
        if lowest == END {
            return Ok(None);
        }
        if limit == lowest {
            self.contest(lowest, context)?;
            return Ok(Some(&self.contested));
        }
        self.last = Some(number);
        Ok(self.streams.get_mut(number).map(|stream| stream.take_until(limit, self.shift)))
    }

    /// Takes the entries with a key from all streams, and drops those that are superseded.
    #[cold]
    fn contest<S: SlotSource + ?Sized>(
        &mut self,
        contested: u64,
        context: &Context<'a, S>,
    ) -> Result<(), BuildError<S::Error>> {
        self.contested.clear();
        for (stream, key) in self.streams.iter_mut().zip(&mut self.keys) {
            while *key == contested {
                self.contested.extend(stream.take());
                *key = stream.key(self.shift, context)?;
            }
        }
        drop_superseded(&mut self.contested, context)?;
        self.contested.sort_unstable_by_key(|entry| entry.bits);
        Ok(())
    }
}

/// The number of entries of a table that are read ahead.
const READ_AHEAD: usize = 64;

/// The entries of a source.
///
/// A table's entries come in the order of its own buckets. This is also the order of the new
/// table's buckets, because the mixed hashes of a bucket are an interval.
struct Stream<'a> {
    number: usize,
    /// What is left of a table.
    rest: Option<(TableReader<'a>, Spans)>,
    /// The entries read last, from the table or from memory.
    entries: Vec<Entry>,
    /// How many of them have been taken.
    taken: usize,
}

impl<'a> Stream<'a> {
    fn of_memory(entries: Vec<Entry>) -> Self {
        Self { number: 0, rest: None, entries, taken: 0 }
    }

    fn of_table(number: usize, table: &'a FrozenIndex) -> Self {
        let rest = Some((TableReader::new(table), table.geometry.spans()));
        Self { number, rest, entries: Vec::with_capacity(2 * READ_AHEAD), taken: 0 }
    }

    /// The key of the next entry, or [`END`].
    #[inline]
    fn key<S: SlotSource + ?Sized>(
        &mut self,
        shift: u32,
        context: &Context<'_, S>,
    ) -> Result<u64, BuildError<S::Error>> {
        if self.taken == self.entries.len() {
            self.read(context)?;
        }
        Ok(self.entries.get(self.taken).map_or(END, |entry| entry.bits >> shift))
    }

    fn take(&mut self) -> Option<Entry> {
        let entry = self.entries.get(self.taken).copied();
        self.taken += 1;
        entry
    }

    /// Takes the entries read so far that come before a key.
    #[inline]
    fn take_until(&mut self, limit: u64, shift: u32) -> &[Entry] {
        let rest = self.entries.get(self.taken..).unwrap_or_default();
        let run = rest.iter().take_while(|entry| entry.bits >> shift < limit).count();
        self.taken += run;
        rest.get(..run).unwrap_or_default()
    }

    /// Reads ahead in the table.
    #[inline(never)]
    fn read<S: SlotSource + ?Sized>(
        &mut self,
        context: &Context<'_, S>,
    ) -> Result<(), BuildError<S::Error>> {
        let Some((reader, spans)) = &mut self.rest else { return Ok(()) };
        self.entries.clear();
        self.taken = 0;
        let geometry = reader.table().geometry;
        let is_enough = geometry.known_bits() >= context.known_bits;
        while self.entries.len() < READ_AHEAD {
            let Some(bucket) = reader.next_bucket()? else {
                self.rest = None;
                break;
            };
            let span = spans.of(bucket);
            let first = self.entries.len();
            for older in &reader.entries {
                let block = geometry.block(older.word);
                let what = if older.is_group { What::Group(block) } else { What::Block(block) };
                let known = span
                    .prefix(older.word)
                    .filter(|prefix| is_enough && context.geometry.place(*prefix).is_some());
                self.entries.push(match known {
                    Some(prefix) => Entry::known(prefix.bits, self.number, what),
                    None => context.completed(Entry::known(0, self.number, what))?,
                });
            }
            let read = self.entries.get_mut(first..).unwrap_or_default();
            if !read.is_sorted_by_key(|entry| entry.bits) {
                read.sort_unstable_by_key(|entry| entry.bits);
            }
        }
        Ok(())
    }
}

/// Drops superseded entries from a list sorted newest first.
fn drop_superseded<S: SlotSource + ?Sized>(
    entries: &mut Vec<Entry>,
    context: &Context<'_, S>,
) -> Result<(), BuildError<S::Error>> {
    let mut at = 1;
    while at < entries.len() {
        if is_superseded(entries, at, context)? {
            entries.remove(at);
        } else {
            at += 1;
        }
    }
    Ok(())
}

fn is_superseded<S: SlotSource + ?Sized>(
    entries: &mut [Entry],
    at: usize,
    context: &Context<'_, S>,
) -> Result<bool, BuildError<S::Error>> {
    let (newer, rest) = entries.split_at_mut(at);
    let Some(entry) = rest.first_mut() else { return Ok(false) };
    for other in newer {
        // A source holds each hash only once.
        if other.source() != entry.source()
            && context.prefix_of(*other).may_equal(context.prefix_of(*entry))
        {
            *other = context.completed(*other)?;
            *entry = context.completed(*entry)?;
            if other.bits == entry.bits {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
