//! Builds a table from older tables and from what changed since.

use simd_r_drive_entry_handle::Layout;
use simd_r_drive_entry_handle::constants::BLOCK_SIZE;

use super::build_error::BuildError;
use super::find::fingerprint;
use super::group::{Member, NewRecord, Record, record_lines};
use super::header::{self, HEADER_LEN, Header};
use super::line::{LINE_LEN, Line};
use super::merge::{Context, Entry, Sources, What};
use super::place::{PlaceError, Placer, Write};
use super::position::Geometry;
use super::{FrozenIndex, block_bits, check_seed, fingerprint_seed};
use crate::filter::{FILTER_BITS, Filter};
use crate::indexer::KeyIndexer;
use crate::mix::Mixer;
use crate::slot_source::{ChainKey, Slot as _, SlotSource};
use crate::version::Version;

/// Average number of hashes per bucket of eight words. At this load a look-up of a present hash
/// touches 1.10 buckets, one of an absent hash 1.23, and a hash takes 10.7 bytes.
const HASHES_PER_BUCKET: u64 = 6;

/// A table with less than one in this many of the new table's hashes does not limit the tag length:
/// its keys are read instead.
const SMALL_SHARE: u64 = 64;

/// The size of a table, decided before it is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableSize {
    buckets: u64,
    record_lines: u64,
}

impl TableSize {
    /// The size for at most `hashes` hashes and `record_lines` lines of records.
    pub(crate) fn new(hashes: u64, record_lines: u64) -> Self {
        Self { buckets: hashes.div_ceil(HASHES_PER_BUCKET).max(1), record_lines }
    }

    /// The number of hashes the table is sized for.
    fn hashes(self) -> u64 {
        self.buckets.saturating_mul(HASHES_PER_BUCKET)
    }

    /// Length of the table in bytes.
    pub(crate) fn table_bytes(self) -> u64 {
        header::lines(self.buckets, self.record_lines).saturating_mul(LINE_LEN)
    }
}

/// The inputs of a table.
pub(crate) struct Build<'a> {
    /// Secrets of the file.
    pub(crate) layout: &'a Layout,
    /// Where the slot of the new table starts, in bytes.
    pub(crate) start: u64,
    /// The new table, together with the tables below it, answers for the log up to here.
    pub(crate) tail: u64,
    /// Whether there are no tables below the new one.
    pub(crate) is_complete: bool,
    /// The space set aside for it.
    pub(crate) size: TableSize,
    /// The layers in memory, newer than all tables, newest first. Every source holds all chains of
    /// each of its hashes.
    pub(crate) layers: &'a [&'a KeyIndexer],
    /// Newest first.
    pub(crate) tables: &'a [&'a FrozenIndex],
    /// Whether to build a filter for the table.
    pub(crate) has_filter: bool,
}

/// A table that is written except for its header.
#[derive(Debug)]
pub struct BuiltTable {
    header: Header,
    check_seed: u64,
    pub(crate) filter: Option<Filter>,
}

impl BuiltTable {
    /// Hashes in the table.
    pub(crate) fn hashes(&self) -> u64 {
        self.header.hashes
    }

    /// The header. Writing it makes the table valid.
    pub fn header(&self) -> [u8; HEADER_LEN] {
        self.header.encode(self.check_seed)
    }
}

impl Build<'_> {
    /// Builds the table: passes everything but the header to `write`.
    ///
    /// # Costs
    ///
    /// One pass over the tables, and a sort of the layers, which takes 16 bytes of memory per hash.
    /// Keys are read from the log only where a table does not determine enough bits of a hash, or
    /// where two sources probably hold the same hash.
    pub(crate) fn run<S: SlotSource + ?Sized>(
        &self,
        source: &S,
        write: &mut Write<'_>,
    ) -> Result<BuiltTable, BuildError<S::Error>> {
        let geometry = self.geometry();
        let mixer = Mixer::of_file(self.layout);
        let check_seed = check_seed(self.layout, self.start);
        let mut header = Header {
            buckets: self.size.buckets,
            record_lines: self.size.record_lines,
            tag_bits: geometry.tag_bits() as u8,
            hashes: 0,
            tail: self.tail,
            is_complete: self.is_complete,
        };
        let Sorted { entries, groups } = self.sorted(&mixer);
        let mut filter = self.has_filter.then(|| Filter::new(self.size.hashes()));
        let needed_by_filter = filter.as_ref().map_or(0, |_| FILTER_BITS);
        let known_bits = geometry.known_bits().max(needed_by_filter);
        let (layers, tables) = (self.layers.len(), self.tables);
        let context = Context { source, mixer: &mixer, geometry, known_bits, layers, tables };
        let mut sources = Sources::new(entries, &context)?;
        let mut placer = Placer::new(geometry, header.clone(), check_seed, write);
        while let Some(run) = sources.next_run(&context)? {
            if let Some(filter) = &mut filter {
                run.iter().for_each(|entry| filter.insert_alone(entry.bits));
            }
            for entry in run {
                self.place(*entry, &groups, &context, &mut placer)?;
            }
        }
        header.hashes = placer.finish().map_err(PlaceError::into_build)?;
        Ok(BuiltTable { header, check_seed, filter })
    }

    fn geometry(&self) -> Geometry {
        let lines = self.size.table_bytes() / LINE_LEN;
        let geometry = Geometry::new(self.size.buckets, block_bits(self.start, lines));
        let small = self.size.hashes() / SMALL_SHARE;
        let tables = self.tables.iter().filter(|table| table.hashes() > small);
        tables.fold(geometry, |geometry, table| geometry.made_from(table.geometry))
    }

    /// The contents of the layers.
    fn sorted(&self, mixer: &Mixer) -> Sorted {
        let (mut entries, mut groups) = (Vec::new(), Vec::new());
        for (layer, index) in self.layers.iter().enumerate() {
            entries.reserve(index.stats().hashes);
            index.for_each_hash(|hash, slot| {
                let what = if slot.is_group() {
                    groups.push(hash);
                    What::Group(groups.len() as u64 - 1)
                } else {
                    What::Block(slot.end() / BLOCK_SIZE)
                };
                entries.push(Entry::whole(mixer.mix(hash), layer, what));
            });
        }
        entries.sort_unstable_by_key(Entry::order);
        // Keeps the newest of equal hashes, which comes first.
        entries.dedup_by_key(|entry| entry.bits);
        Sorted { entries, groups }
    }

    #[inline]
    fn place<S: SlotSource + ?Sized>(
        &self,
        entry: Entry,
        groups: &[u64],
        context: &Context<'_, S>,
        placer: &mut Placer<'_>,
    ) -> Result<(), BuildError<S::Error>> {
        let bucket = context.geometry.bucket(entry.bits);
        let placed = match entry.what() {
            What::Block(block) => placer.slot(bucket, entry.bits, block),
            What::Group(number) => {
                let lines = self.record_lines(entry, number, groups, context)?;
                placer.record(bucket, entry.bits, lines)
            }
        };
        placed.map_err(PlaceError::into_build)
    }

    /// The lines of the record of a group, given its number.
    #[cold]
    fn record_lines<S: SlotSource + ?Sized>(
        &self,
        entry: Entry,
        number: u64,
        groups: &[u64],
        context: &Context<'_, S>,
    ) -> Result<Vec<Line>, BuildError<S::Error>> {
        if let Some(table) = context.table_of(entry) {
            return Ok(Record::load(table, number)?.all_lines()?);
        }
        let index = self.layers.get(entry.source()).ok_or(BuildError::Damaged)?;
        let hash = groups.get(number as usize).ok_or(BuildError::Damaged)?;
        let seed = fingerprint_seed(self.layout);
        Ok(record_of(index, *hash, seed, context)?.encode())
    }
}

/// The contents of the layers, sorted by mixed hash, each hash once.
struct Sorted {
    entries: Vec<Entry>,
    /// Hashes that have a group.
    groups: Vec<u64>,
}

fn record_of<S: SlotSource + ?Sized>(
    index: &KeyIndexer,
    hash: u64,
    seed: u64,
    context: &Context<'_, S>,
) -> Result<NewRecord, BuildError<S::Error>> {
    let mut record = NewRecord { hash, keyed: Vec::new(), bare: None };
    for slot in index.chains(hash) {
        let Version { end, is_tombstone } = slot.into();
        if slot.is_bare() {
            record.bare = Some(slot.into());
            continue;
        }
        let found = context.source.slot(end).map_err(BuildError::Source)?;
        let ChainKey::Keyed(key) = found.chain_key() else { return Err(BuildError::Damaged) };
        let fingerprint = fingerprint(key, seed);
        record.keyed.push(Member { fingerprint, end, is_tombstone });
    }
    Ok(record)
}

/// The number of record lines that the groups of an index take.
pub(crate) fn record_lines_of(index: &KeyIndexer) -> u64 {
    index.group_sizes().into_iter().map(record_lines).sum()
}
