//! The index of a store: what is live in memory, over what is frozen in the log.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive_entry_handle::Layout;

use crate::current::Current;
use crate::filter::Filter;
use crate::frozen::{
    Build, BuildError, Candidate, Failure, FrozenIndex, FrozenTotals, Held, Mixer, Part, TableSize,
    record_lines_of,
};
use crate::indexer::KeyIndexer;
use crate::insert::Insertion;
use crate::location::Location;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{Identity, RebuildSource};
use crate::version::Version;

/// Look-ups of a batch that are under way at the same time.
const BATCH: usize = 128;

/// Most tables that stand on one another: each costs every look-up of what is older a line.
const TABLES_MAX: usize = 8;

/// The newer tables and layers are merged with the oldest table when they hold this share of its hashes, one in so
/// many. So a hash is written to about as many tables, on average, in its life.
const WHOLE_SHARE: u64 = 8;

/// An index in layers: the newest in memory, the oldest, [`FrozenIndex`]es, in the log.
///
/// A hash that a layer holds, it holds with all of its lines: the first layer that has a hash answers for it.
/// So a look-up asks the layers from the newest to the oldest and stops at the first one that knows the hash. In
/// front of each layer in memory stands a filter, so that a key that is frozen is found without a lock.
///
/// A value of this type is a list of layers. Freezing makes another list, in which the layer that took the writes is
/// one of those that take no more; completing a table makes a third one. The lists share their layers, and
/// whoever holds an older list goes on reading it, as of the tail at which it was replaced.
#[derive(Clone)]
pub struct LayeredIndex {
    /// Takes the writes.
    live: Arc<Layer>,
    /// Takes no more writes and is on its way into a table; newest first. More than one only after a table could not
    /// be written.
    freezing: Vec<Arc<Layer>>,
    /// Newest first, each standing on the next.
    frozen: Vec<Arc<FrozenIndex>>,
    mixer: Mixer,
}

/// What the next table will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePlan {
    size: TableSize,
    is_whole: bool,
    all_hashes: u64,
}

impl TablePlan {
    /// Length of the table in bytes.
    pub fn table_bytes(&self) -> u64 {
        self.size.table_bytes()
    }

    /// Whether it will hold everything, rather than stand on those that there are.
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

/// A layer in memory.
struct Layer {
    index: KeyIndexer,
    /// `None` for the lowest layer of all, which is always asked.
    filter: Option<Filter>,
    /// At most so many hashes have been inserted.
    inserted: AtomicU64,
    /// So many of them are in no layer below, or fewer.
    new_hashes: AtomicU64,
}

/// How large the layers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayeredStats {
    /// Hashes in memory.
    pub live_hashes: u64,
    /// Hashes in the tables in the log, at most.
    pub frozen_hashes: u64,
    /// Tables in the log.
    pub tables: u64,
    /// Memory of the layers in memory, in bytes, but for groups of colliding keys.
    pub heap_bytes: u64,
    /// Length of the tables in the log, in bytes.
    pub table_bytes: u64,
    /// Whether a table was found damaged and has been rebuilt in memory.
    pub is_rebuilt: bool,
}

impl Layer {
    fn new(filter: Option<Filter>, index: KeyIndexer) -> Self {
        let hashes = index.stats().hashes as u64;
        Self { index, filter, inserted: AtomicU64::new(hashes), new_hashes: AtomicU64::new(0) }
    }

    #[inline]
    fn locate(&self, hash: u64, mixed: u64) -> Option<Location> {
        match &self.filter {
            Some(filter) if !filter.may_hold(mixed) => None,
            _ => self.index.locate(hash),
        }
    }

    fn count(counter: &AtomicU64, additional: u64) {
        // One thread writes.
        counter.store(counter.load(Ordering::Relaxed) + additional, Ordering::Relaxed);
    }

    fn new_hashes(&self) -> u64 {
        match &self.filter {
            Some(_) => self.new_hashes.load(Ordering::Relaxed),
            None => self.index.stats().hashes as u64,
        }
    }
}

impl LayeredIndex {
    /// One layer, for a file with this layout.
    pub fn new(layout: &Layout, index: KeyIndexer) -> Self {
        Self {
            live: Arc::new(Layer::new(None, index)),
            freezing: Vec::new(),
            frozen: Vec::new(),
            mixer: Mixer::new(layout),
        }
    }

    /// What the tables hold, which come newest first, each standing on the next, and room for more.
    pub fn over(layout: &Layout, tables: Vec<FrozenIndex>) -> Self {
        let hashes = tables.first().map_or(0, FrozenIndex::all_hashes);
        let filter = (!tables.is_empty()).then(|| filter_over(hashes));
        Self {
            live: Arc::new(Layer::new(filter, KeyIndexer::new())),
            freezing: Vec::new(),
            frozen: tables.into_iter().map(Arc::new).collect(),
            mixer: Mixer::new(layout),
        }
    }

    /// A list with a new layer for writes: what this one holds takes none from now on.
    ///
    /// # Locking
    ///
    /// None; only the thread that writes may call it, and it must publish the new list before it writes again.
    #[must_use]
    pub fn freeze(&self) -> Self {
        let filter = filter_over(self.frozen_hashes() + self.unfrozen());
        let mut freezing = vec![Arc::clone(&self.live)];
        freezing.extend(self.freezing.iter().cloned());
        Self {
            live: Arc::new(Layer::new(Some(filter), KeyIndexer::new())),
            freezing,
            frozen: self.frozen.clone(),
            mixer: self.mixer,
        }
    }

    /// Makes room for so many more hashes in memory.
    pub fn reserve(&self, additional: usize) {
        self.live.index.reserve(additional);
    }

    /// Hashes in the tables in the log, at most.
    pub fn frozen_hashes(&self) -> u64 {
        self.frozen.first().map_or(0, |newest| newest.all_hashes())
    }

    /// What a table of all layers will be, should they take no more writes: one that stands on those that there are, or
    /// one of everything, if that is wanted, or if enough is newer than the oldest table.
    ///
    /// # Costs
    ///
    /// One short lock per shard.
    pub fn plan_table(&self, wants_whole: bool) -> TablePlan {
        let layers = || std::iter::once(&self.live).chain(&self.freezing);
        let (newer_tables, oldest) = match self.frozen.split_last() {
            Some((oldest, newer)) => (newer, oldest.hashes()),
            None => (&[][..], 0),
        };
        let in_memory: u64 = layers().map(|layer| layer.index.stats().hashes as u64).sum();
        let newer = in_memory + newer_tables.iter().map(|table| table.hashes()).sum::<u64>();
        let all_hashes =
            self.frozen_hashes() + layers().map(|layer| layer.new_hashes()).sum::<u64>();
        let is_whole = wants_whole
            || self.frozen.is_empty()
            || self.frozen.len() >= TABLES_MAX
            || newer >= oldest / WHOLE_SHARE
            || self.frozen.iter().any(|table| table.is_rebuilt());
        let mut records: u64 = layers().map(|layer| record_lines_of(&layer.index)).sum();
        if is_whole {
            records += self.frozen.iter().map(|table| table.record_lines()).sum::<u64>();
        }
        let hashes = if is_whole { all_hashes } else { in_memory };
        TablePlan { size: TableSize::new(hashes, records), is_whole, all_hashes }
    }

    /// Builds the planned table of all layers that take no more writes, for a slot that starts at `start`. Hands all of
    /// it but its header to `write`, and returns the header, with which the table becomes one.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]. A damaged table is rebuilt from the log first.
    ///
    /// # Costs
    ///
    /// One pass over the oldest table, if everything is merged; and a sort of what is newer, which takes 32 bytes of
    /// memory a hash.
    pub fn build_table<S: RebuildSource + ?Sized>(
        &self,
        layout: &Layout,
        start: u64,
        plan: TablePlan,
        totals: FrozenTotals,
        source: &S,
        write: &mut dyn FnMut(u64, &[u8]) -> std::io::Result<()>,
    ) -> Result<[u8; 128], BuildError<S::Error>> {
        let TablePlan { size, is_whole, all_hashes } = plan;
        let base = self.frozen.first().map(|table| &**table).filter(|_| !is_whole);
        let layers: Vec<_> = self.freezing.iter().map(|layer| Part::Layer(&layer.index)).collect();
        let build = |older, newer: &[Part<'_>], write: &mut dyn FnMut(u64, &[u8]) -> _| {
            Build { layout, start, size, totals, base, all_hashes, older, newer }.run(source, write)
        };
        let Some((oldest, newer_tables)) = self.frozen.split_last().filter(|_| is_whole) else {
            return build(None, &layers, write);
        };
        if self.frozen.iter().all(|table| !table.is_rebuilt()) {
            let mut newer = layers.clone();
            newer.extend(newer_tables.iter().map(|table| Part::Table(table)));
            match build(Some(oldest), &newer, write) {
                Err(BuildError::Damaged) => {}
                result => return result,
            }
        }
        // Rebuilt, the newest table answers for everything below it.
        let newest = self.frozen.first().unwrap_or(oldest);
        let mut newer = layers;
        newer.push(Part::Layer(newest.rebuild(source).map_err(BuildError::Source)?));
        build(None, &newer, write)
    }

    /// The list in which `table`, built as planned from the layers that took no more writes, stands in their place.
    #[must_use]
    pub fn with_table(&self, table: FrozenIndex, plan: TablePlan) -> Self {
        let mut frozen = vec![Arc::new(table)];
        if !plan.is_whole {
            frozen.extend(self.frozen.iter().cloned());
        }
        Self { live: Arc::clone(&self.live), freezing: Vec::new(), frozen, mixer: self.mixer }
    }

    /// The tables in the log, newest first.
    pub fn frozen(&self) -> &[Arc<FrozenIndex>] {
        &self.frozen
    }

    /// At most so many hashes have been written since the last table, or the attempt to write one.
    #[inline]
    pub fn unfrozen(&self) -> u64 {
        self.live.inserted.load(Ordering::Relaxed)
    }

    /// Whether there is anything that is not in the table.
    pub fn has_unfrozen(&self) -> bool {
        !self.freezing.is_empty() || self.unfrozen() > 0
    }

    /// How large the layers are.
    ///
    /// # Costs
    ///
    /// One short lock per shard.
    pub fn stats(&self) -> LayeredStats {
        let frozen = &self.frozen;
        let mut stats = LayeredStats {
            frozen_hashes: self.frozen_hashes(),
            tables: frozen.len() as u64,
            table_bytes: frozen.iter().map(|table| table.table_bytes()).sum(),
            is_rebuilt: frozen.iter().any(|table| table.is_rebuilt()),
            ..LayeredStats::default()
        };
        let rebuilt = frozen.iter().filter_map(|table| table.rebuilt());
        let layers = std::iter::once(&self.live).chain(&self.freezing);
        for index in layers.clone().map(|layer| &layer.index).chain(rebuilt) {
            let part = index.stats();
            stats.live_hashes += part.hashes as u64;
            stats.heap_bytes += part.table_bytes as u64;
        }
        let filters = layers.filter_map(|layer| layer.filter.as_ref());
        stats.heap_bytes += filters.map(|filter| filter.heap_bytes() as u64).sum::<u64>();
        stats
    }

    /// The newest layer in memory that holds a hash.
    #[inline]
    fn locate(&self, hash: u64, mixed: u64) -> Option<(&KeyIndexer, Location)> {
        if let Some(location) = self.live.locate(hash, mixed) {
            return Some((&self.live.index, location));
        }
        self.freezing.iter().find_map(|layer| Some((&layer.index, layer.locate(hash, mixed)?)))
    }

    /// Asks the tables, newest first, for the first one that knows; where one is damaged, the index that is rebuilt in
    /// its place, which answers for all below.
    #[inline]
    fn ask_frozen<R: Default, S: RebuildSource + ?Sized>(
        &self,
        source: &S,
        ask: impl Fn(&FrozenIndex) -> Result<Option<R>, Failure<S::Error>>,
        ask_rebuilt: impl FnOnce(&KeyIndexer) -> Result<R, S::Error>,
    ) -> Result<R, S::Error> {
        for table in &self.frozen {
            if let Some(index) = table.rebuilt() {
                return ask_rebuilt(index);
            }
            match ask(table) {
                Ok(None) => {}
                Ok(Some(found)) => return Ok(found),
                Err(Failure::Source(error)) => return Err(error),
                Err(Failure::Line) => return ask_rebuilt(table.rebuild(source)?),
            }
        }
        Ok(R::default())
    }

    /// See [`KeyIndexer::find`].
    ///
    /// # Errors
    ///
    /// What the source returns.
    #[inline]
    pub fn find<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        let mixed = self.mixer.mix(hash);
        if let Some((index, location)) = self.locate(hash, mixed) {
            return index.resolve(location, hash, key, tail, source);
        }
        self.ask_frozen(
            source,
            |table| table.find(hash, mixed, key, source),
            |index| index.find(hash, key, tail, source),
        )
    }

    /// See [`KeyIndexer::find_by_hash`].
    ///
    /// # Errors
    ///
    /// What the source returns.
    #[inline]
    pub fn find_by_hash<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        let mixed = self.mixer.mix(hash);
        if let Some((index, location)) = self.locate(hash, mixed) {
            return index.resolve_by_hash(location, hash, tail, source);
        }
        self.ask_frozen(
            source,
            |table| {
                Ok(match table.held(hash, mixed, source)? {
                    None => None,
                    Some(Held::Single { version, .. }) => Some(version.live_end()),
                    Some(Held::Group(record)) => Some(record.newest_live()),
                })
            },
            |index| index.find_by_hash(hash, tail, source),
        )
    }

    /// [`LayeredIndex::find`] for many hashes, or [`LayeredIndex::find_by_hash`] if there are no keys. Afterwards
    /// `ends[i]` is where the slot of `hashes[i]` ends. What the vector held before is gone.
    ///
    /// # Errors
    ///
    /// What the source returns.
    ///
    /// # Costs
    ///
    /// Less than the sum of its parts: the buckets of some look-ups are fetched from memory while others are
    /// worked on, and so are the slots.
    ///
    /// # Panics
    ///
    /// If there are keys, and not as many as hashes.
    pub fn find_batch<S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &S,
        ends: &mut Vec<Option<u64>>,
    ) -> Result<(), S::Error> {
        ends.clear();
        ends.reserve(hashes.len());
        let is_live_only = self.freezing.is_empty() && self.frozen.is_empty();
        if is_live_only {
            return self.find_batch_live(hashes, keys, tail, source, ends);
        }
        for (number, chunk) in hashes.chunks(BATCH).enumerate() {
            let keys = keys.map(|keys| &keys[number * BATCH..][..chunk.len()]);
            self.find_chunk(chunk, keys, tail, source, ends)?;
        }
        Ok(())
    }

    fn find_batch_live<S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &S,
        ends: &mut Vec<Option<u64>>,
    ) -> Result<(), S::Error> {
        let index = &self.live.index;
        let mut locations = Vec::with_capacity(hashes.len());
        index.locate_batch(hashes, &mut locations);
        for end in locations.iter().flatten().filter_map(|location| location.prefetch_end()) {
            source.prefetch(end);
        }
        for (number, (hash, location)) in hashes.iter().zip(&locations).enumerate() {
            ends.push(match (location, keys) {
                (None, _) => None,
                (Some(location), None) => index.resolve_by_hash(*location, *hash, tail, source)?,
                (Some(location), Some(keys)) => {
                    index.resolve(*location, *hash, keys[number], tail, source)?
                }
            });
        }
        Ok(())
    }

    fn find_chunk<S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &S,
        ends: &mut Vec<Option<u64>>,
    ) -> Result<(), S::Error> {
        let mut mixed = [0; BATCH];
        for (mixed, hash) in mixed.iter_mut().zip(hashes) {
            *mixed = self.mixer.mix(*hash);
            self.prefetch_mixed(*mixed);
        }
        let mut first = [First::Unknown; BATCH];
        for (number, (hash, mixed)) in hashes.iter().zip(&mixed).enumerate() {
            if let Some((_, location)) = self.locate(*hash, *mixed) {
                location.prefetch_end().into_iter().for_each(|end| source.prefetch(end));
                continue;
            }
            first[number] = self.first_candidate(*mixed);
            if let First::Frozen(Candidate::Slot(end)) = first[number] {
                source.prefetch(end);
            }
        }
        for (number, hash) in hashes.iter().enumerate() {
            let key = keys.map(|keys| keys[number]);
            let end = match (first[number], key) {
                (First::Absent, _) => None,
                (First::Frozen(Candidate::Slot(end)), Some(key)) => {
                    let slot = source.slot(end)?;
                    if slot.identity == Identity::Keyed(key) {
                        (!slot.is_tombstone).then_some(end)
                    } else {
                        self.find(*hash, key, tail, source)?
                    }
                }
                (_, Some(key)) => self.find(*hash, key, tail, source)?,
                (_, None) => self.find_by_hash(*hash, tail, source)?,
            };
            ends.push(end);
        }
        Ok(())
    }

    /// The newest word of the tables with the tag of a mixed hash.
    #[inline]
    fn first_candidate(&self, mixed: u64) -> First {
        for table in &self.frozen {
            match table.first(mixed) {
                _ if table.is_rebuilt() => return First::Unknown,
                Ok(None) => {}
                Ok(Some(candidate)) => return First::Frozen(candidate),
                Err(_) => return First::Unknown,
            }
        }
        First::Absent
    }

    #[inline]
    fn prefetch_mixed(&self, mixed: u64) {
        self.frozen.iter().for_each(|table| table.prefetch(mixed));
    }

    /// See [`KeyIndexer::is_current`].
    ///
    /// # Errors
    ///
    /// What the source returns.
    #[inline]
    pub fn is_current<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        end: u64,
        identity: Identity<'_>,
        tail: u64,
        source: &S,
    ) -> Result<bool, S::Error> {
        let mixed = self.mixer.mix(hash);
        if let Some((index, _)) = self.locate(hash, mixed) {
            return index.is_current(hash, end, identity, tail, source);
        }
        self.ask_frozen(
            source,
            |table| table.holds(hash, mixed, end, identity, source),
            |index| index.is_current(hash, end, identity, tail, source),
        )
    }

    /// Asks the processor for what a look-up of `hash` will look at first, in the tables.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.prefetch_mixed(self.mixer.mix(hash));
    }

    /// See [`KeyIndexer::current`].
    ///
    /// # Errors
    ///
    /// What the source returns.
    pub fn current<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        identity: Identity<'_>,
        source: &S,
    ) -> Result<Current, S::Error> {
        let mixed = self.mixer.mix(hash);
        if let Some((index, _)) = self.locate(hash, mixed) {
            return index.current(hash, identity, source);
        }
        self.ask_frozen(
            source,
            |table| table.current(hash, mixed, identity, source),
            |index| index.current(hash, identity, source),
        )
    }

    /// See [`KeyIndexer::live_lines`].
    ///
    /// # Errors
    ///
    /// What the source returns.
    pub fn live_lines<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        source: &S,
    ) -> Result<Vec<u64>, S::Error> {
        let mixed = self.mixer.mix(hash);
        if let Some((index, _)) = self.locate(hash, mixed) {
            return Ok(index.live_lines(hash));
        }
        self.ask_frozen(
            source,
            |table| {
                Ok(match table.held(hash, mixed, source)? {
                    None => None,
                    Some(Held::Single { version, .. }) => {
                        Some(version.live_end().into_iter().collect())
                    }
                    Some(Held::Group(record)) => Some(record.live_ends()?),
                })
            },
            |index| Ok(index.live_lines(hash)),
        )
    }

    /// See [`KeyIndexer::insert_batch`].
    ///
    /// # Errors
    ///
    /// What the source returns. Nothing of the commit is in the index then.
    pub fn insert_batch<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        Layer::count(&self.live.inserted, items.len() as u64);
        if let Some(filter) = &self.live.filter {
            for chunk in items.chunks(BATCH) {
                if chunk.len() > 1 {
                    chunk.iter().for_each(|item| self.prefetch(item.hash));
                }
                for item in chunk {
                    self.make_whole(item, filter, source)?;
                }
            }
        }
        self.live.index.insert_batch(items, source)
    }

    /// Sees to it that the live layer will hold all lines of a hash, not only the one that is about to be inserted.
    fn make_whole<S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        filter: &Filter,
        source: &S,
    ) -> Result<(), S::Error> {
        let mixed = self.mixer.mix(item.hash);
        if self.live.locate(item.hash, mixed).is_some() {
            return Ok(());
        }
        let lines = match self.locate(item.hash, mixed) {
            Some((_, location)) if item.replaces != 0 && location.end() == item.replaces => {
                // The only line of the hash, and the one that goes on.
                Vec::new()
            }
            Some((index, _)) => lines_of(index, item.hash, source)?,
            None => {
                let lines = self.frozen_lines(item, mixed, source)?;
                if lines.is_none() {
                    Layer::count(&self.live.new_hashes, 1);
                }
                lines.unwrap_or_default()
            }
        };
        // Before the lines: who finds them must not be kept away from what comes after them.
        filter.insert(mixed);
        self.live.index.adopt(item.hash, &lines);
        Ok(())
    }

    /// The lines of a hash that the table holds, but for the one that `item` goes on with if that is the only one;
    /// `None` if it holds none.
    fn frozen_lines<'s, S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        mixed: u64,
        source: &'s S,
    ) -> Result<Option<Vec<(Identity<'s>, PackedSlot)>>, S::Error> {
        let hash = item.hash;
        self.ask_frozen(
            source,
            |table| {
                if item.replaces != 0 && table.is_single(mixed, item.replaces)? {
                    return Ok(Some(Some(Vec::new())));
                }
                let slot = |version: Version, is_bare| {
                    PackedSlot::new(hash, version.end, version.is_tombstone, is_bare)
                };
                Ok(match table.held(hash, mixed, source)? {
                    None => None,
                    Some(Held::Single { version, identity }) => {
                        Some(Some(vec![(identity, slot(version, identity == Identity::Bare))]))
                    }
                    Some(Held::Group(record)) => {
                        let mut lines = Vec::with_capacity(record.keyed_count());
                        for member in record.keyed()? {
                            let found = source.slot(member.end).map_err(Failure::Source)?;
                            let Version { end, is_tombstone } =
                                Version { end: member.end, is_tombstone: member.is_tombstone };
                            lines
                                .push((found.identity, slot(Version { end, is_tombstone }, false)));
                        }
                        lines.extend(record.bare.map(|bare| (Identity::Bare, slot(bare, true))));
                        Some(Some(lines))
                    }
                })
            },
            |index| match index.locate(hash) {
                None => Ok(None),
                Some(_) => lines_of(index, hash, source).map(Some),
            },
        )
    }
}

/// What the first look of a batch found.
#[derive(Clone, Copy)]
enum First {
    /// In memory, or in a damaged line.
    Unknown,
    /// In no table.
    Absent,
    /// The newest candidate: that of no other version of the hash is newer.
    Frozen(Candidate),
}

/// All lines of a hash.
fn lines_of<'s, S: RebuildSource + ?Sized>(
    index: &KeyIndexer,
    hash: u64,
    source: &'s S,
) -> Result<Vec<(Identity<'s>, PackedSlot)>, S::Error> {
    let slots = index.lines(hash).into_iter();
    slots
        .map(|slot| {
            let identity =
                if slot.is_bare() { Identity::Bare } else { source.slot(slot.end())?.identity };
            Ok((identity, slot))
        })
        .collect()
}

/// A filter for what will be written before the next table, at the rate at which tables are made.
fn filter_over(hashes: u64) -> Filter {
    Filter::new((hashes / 8).max(1 << 15))
}

impl fmt::Debug for LayeredIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredIndex")
            .field("live", &self.live.index)
            .field("freezing", &self.freezing.len())
            .field("frozen", &self.frozen)
            .finish()
    }
}
