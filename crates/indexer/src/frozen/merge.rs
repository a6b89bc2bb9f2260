//! Many sources of a table, as one sequence in the order of its buckets.

use super::FrozenIndex;
use super::build::{BuildError, Newer, hash_of_entry};
use super::position::{Geometry, Mixer, Prefix, Spans};
use super::reader::TableReader;
use crate::slot_source::SlotSource;

/// An entry on its way to a new table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its bucket in the new table.
    pub(super) bucket: u64,
    /// What is known of its mixed hash: at least what the new table must tell.
    pub(super) prefix: Prefix,
    pub(super) place: Place,
}

/// Where an entry comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A layer in memory.
    Memory(Newer),
    /// Number of a table among the sources, a block or the number of a record's line, and which of the two.
    Table { table: usize, block: u64, is_group: bool },
}

/// What the sources have in common.
pub(super) struct Context<'a, S: ?Sized> {
    pub(super) source: &'a S,
    pub(super) mixer: &'a Mixer,
    pub(super) geometry: Geometry,
    /// So many bits of each mixed hash must be known.
    pub(super) known_bits: u32,
    /// Newest first.
    pub(super) tables: &'a [&'a FrozenIndex],
}

impl<S: SlotSource + ?Sized> Context<'_, S> {
    /// The whole mixed hash of an entry, from the log if need be.
    pub(super) fn whole(&self, entry: &Entry) -> Result<u64, BuildError<S::Error>> {
        if entry.prefix.len == u64::BITS {
            return Ok(entry.prefix.bits);
        }
        let Place::Table { table, block, is_group } = entry.place else {
            return Err(BuildError::Damaged);
        };
        let table = self.tables.get(table).ok_or(BuildError::Damaged)?;
        Ok(self.mixer.mix(hash_of_entry(table, block, is_group, self.source)?))
    }

    /// An entry of which too little may be known yet.
    fn entry(&self, prefix: Option<Prefix>, place: Place) -> Result<Entry, BuildError<S::Error>> {
        let known = prefix.filter(|prefix| prefix.len >= self.known_bits);
        if let Some(prefix) = known
            && let Some(bucket) = self.geometry.place(prefix)
        {
            return Ok(Entry { bucket, prefix, place });
        }
        let unknown = Entry { bucket: 0, prefix: Prefix { bits: 0, len: 0 }, place };
        let mixed = self.whole(&unknown)?;
        Ok(Entry { bucket: self.geometry.bucket(mixed), prefix: Prefix::whole(mixed), place })
    }
}

/// The sources of a table, newest first, each in the order of the new table's buckets.
pub(super) struct Sources<'a> {
    /// The layers in memory, by mixed hash, each hash once.
    memory: &'a [Newer],
    /// Where the next bucket of the memory is.
    memory_bucket: u64,
    tables: Vec<TableStream<'a>>,
}

/// No bucket: behind the last one.
const END: u64 = u64::MAX;

impl<'a> Sources<'a> {
    pub(super) fn new<S: SlotSource + ?Sized>(
        memory: &'a [Newer],
        context: &Context<'a, S>,
    ) -> Result<Self, BuildError<S::Error>> {
        let tables = context.tables.iter().enumerate();
        let tables = tables.map(|(number, table)| TableStream::new(number, table, context));
        let mut sources =
            Self { memory, memory_bucket: END, tables: tables.collect::<Result<_, _>>()? };
        sources.look_at_memory(context.geometry);
        Ok(sources)
    }

    /// Puts the entries of the next bucket that has any into `entries`, newest first; false at the end.
    pub(super) fn next_bucket<S: SlotSource + ?Sized>(
        &mut self,
        context: &Context<'a, S>,
        entries: &mut Vec<Entry>,
    ) -> Result<bool, BuildError<S::Error>> {
        entries.clear();
        let tables = self.tables.iter().map(|stream| stream.next);
        let bucket = tables.fold(self.memory_bucket, u64::min);
        if bucket == END {
            return Ok(false);
        }
        while self.memory_bucket == bucket
            && let Some((newer, rest)) = self.memory.split_first()
        {
            let prefix = Prefix::whole(newer.mixed);
            entries.push(Entry { bucket, prefix, place: Place::Memory(*newer) });
            self.memory = rest;
            self.look_at_memory(context.geometry);
        }
        for stream in &mut self.tables {
            while stream.next == bucket {
                stream.take_run(context, entries)?;
            }
        }
        Ok(true)
    }

    fn look_at_memory(&mut self, geometry: Geometry) {
        let bucket = self.memory.first().map(|newer| geometry.bucket(newer.mixed));
        self.memory_bucket = bucket.unwrap_or(END);
    }
}

/// The entries of an older table.
///
/// In the order of its own buckets, so in that of the new one's: the mixed hashes of a bucket are an interval.
struct TableStream<'a> {
    number: usize,
    reader: TableReader<'a>,
    spans: Spans,
    /// Those of the bucket that was read last.
    entries: Vec<Entry>,
    /// So many of them have been taken.
    taken: usize,
    /// The bucket of the next entry.
    next: u64,
}

impl<'a> TableStream<'a> {
    fn new<S: SlotSource + ?Sized>(
        number: usize,
        table: &'a FrozenIndex,
        context: &Context<'_, S>,
    ) -> Result<Self, BuildError<S::Error>> {
        let spans = table.geometry.spans();
        let reader = TableReader::new(table);
        let mut stream = Self { number, reader, spans, entries: Vec::new(), taken: 0, next: END };
        stream.read(context)?;
        Ok(stream)
    }

    /// Copies the next entry, and those that were read and go to the same bucket.
    fn take_run<S: SlotSource + ?Sized>(
        &mut self,
        context: &Context<'_, S>,
        entries: &mut Vec<Entry>,
    ) -> Result<(), BuildError<S::Error>> {
        let rest = self.entries.get(self.taken..).unwrap_or_default();
        let run = rest.partition_point(|entry| entry.bucket == self.next);
        entries.extend_from_slice(rest.get(..run).unwrap_or_default());
        self.taken += run;
        match self.entries.get(self.taken) {
            Some(entry) => self.next = entry.bucket,
            None => self.read(context)?,
        }
        Ok(())
    }

    /// Reads the next bucket.
    fn read<S: SlotSource + ?Sized>(
        &mut self,
        context: &Context<'_, S>,
    ) -> Result<(), BuildError<S::Error>> {
        self.entries.clear();
        self.taken = 0;
        let Some(bucket) = self.reader.next_bucket()? else {
            self.next = END;
            return Ok(());
        };
        let span = self.spans.of(bucket);
        let geometry = self.reader.table().geometry;
        for older in &self.reader.entries {
            let block = geometry.block(older.word);
            let is_group = older.is_group;
            let place = Place::Table { table: self.number, block, is_group };
            self.entries.push(context.entry(span.prefix(older.word), place)?);
        }
        if !self.entries.is_sorted_by_key(|entry| entry.bucket) {
            self.entries.sort_unstable_by_key(|entry| entry.bucket);
        }
        self.next = self.entries.first().map_or(END, |entry| entry.bucket);
        Ok(())
    }
}

/// Drops what something newer takes the place of, of the entries of one bucket, newest first.
pub(super) fn drop_superseded<S: SlotSource + ?Sized>(
    entries: &mut Vec<Entry>,
    context: &Context<'_, S>,
) -> Result<(), BuildError<S::Error>> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
    if is_same_source(first.place, last.place) {
        return Ok(());
    }
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
        if !is_same_source(other.place, entry.place) && other.prefix.may_equal(entry.prefix) {
            for one in [&mut *other, &mut *entry] {
                one.prefix = Prefix::whole(context.whole(one)?);
            }
            if other.prefix == entry.prefix {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether two entries come from the same source, in which each hash stands once.
fn is_same_source(a: Place, b: Place) -> bool {
    match (a, b) {
        (Place::Memory(_), Place::Memory(_)) => true,
        (Place::Table { table: a, .. }, Place::Table { table: b, .. }) => a == b,
        _ => false,
    }
}
