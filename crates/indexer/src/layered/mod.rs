//! The index of a store: what is live in memory, over what is frozen in the log.

mod find;
mod insert;
mod plan;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive_entry_handle::Layout;

use self::find::Sought;
use crate::filter::Filter;
use crate::frozen::{FrozenIndex, Mixer};
use crate::indexer::KeyIndexer;
use crate::location::Location;

pub use self::plan::{Merging, TablePlan};

/// Look-ups of a batch that are under way at the same time.
const BATCH: usize = 128;

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
    active: Arc<Layer>,
    /// Takes no more writes and is on its way into a table; newest first. More than one only after a table could not
    /// be written.
    sealed: Vec<Arc<Layer>>,
    /// Newest first, each standing on the next.
    frozen: Vec<Tier>,
    /// Knows what the layers in memory hold, but for the lowest layer of all, and the first `covered` tables: what was
    /// written since the oldest table was begun, if this process did that. Nothing else needs to be asked for a hash
    /// that is older or new, as most are. `None` knows nothing and lets all pass.
    recent: Option<Arc<Filter>>,
    covered: usize,
    /// Takes the place of `recent` when the table is complete that is being made of all that are older than what it
    /// knows.
    coming: Option<Arc<Filter>>,
    /// Upper bound on the distinct hashes in the tables.
    all_hashes: u64,
    mixer: Mixer,
}

/// A table, and a filter in front of it, if it was made by this process.
#[derive(Clone, Debug)]
struct Tier {
    table: Arc<FrozenIndex>,
    filter: Option<Arc<Filter>>,
}

impl Deref for Tier {
    type Target = FrozenIndex;

    #[inline]
    fn deref(&self) -> &FrozenIndex {
        &self.table
    }
}

impl Tier {
    #[inline]
    fn may_hold(&self, mixed: u64) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.may_hold(mixed))
    }
}

/// A layer in memory.
struct Layer {
    index: KeyIndexer,
    /// `None` for the lowest layer of all, which is always asked.
    filter: Option<Arc<Filter>>,
    /// Upper bound on the hashes that have been inserted.
    inserted: AtomicU64,
    /// Upper bound on those of them that no layer below holds.
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
    /// Memory of the layers in memory, but for groups of colliding keys, and of all filters, in bytes.
    pub heap_bytes: u64,
    /// Length of the tables in the log, in bytes.
    pub table_bytes: u64,
    /// Whether a table was found damaged and has been rebuilt in memory.
    pub is_rebuilt: bool,
}

impl Layer {
    fn new(filter: Option<Arc<Filter>>, index: KeyIndexer) -> Self {
        let hashes = index.stats().hashes as u64;
        Self { index, filter, inserted: AtomicU64::new(hashes), new_hashes: AtomicU64::new(0) }
    }

    #[inline]
    fn locate(&self, hash: u64, one: Sought) -> Option<Location> {
        match &self.filter {
            Some(filter) if !one.is_recent || !filter.may_hold(one.mixed) => None,
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
            active: Arc::new(Layer::new(None, index)),
            sealed: Vec::new(),
            frozen: Vec::new(),
            recent: None,
            covered: 0,
            coming: None,
            all_hashes: 0,
            mixer: Mixer::new(layout),
        }
    }

    /// What the tables hold, which come newest first, each standing on the next, and an empty layer above them.
    /// `all_hashes` is an upper bound on the distinct hashes in the tables.
    pub fn over(layout: &Layout, tables: Vec<FrozenIndex>, all_hashes: u64) -> Self {
        let has_tables = !tables.is_empty();
        let filter = has_tables.then(|| filter_of_layer(all_hashes));
        // Not for as much as one day there may be: whoever opens a store may write little.
        let recent = has_tables.then(|| filter_of_recent(all_hashes / 4));
        Self {
            all_hashes,
            active: Arc::new(Layer::new(filter, KeyIndexer::new())),
            recent,
            covered: 0,
            coming: None,
            sealed: Vec::new(),
            frozen: tables
                .into_iter()
                .map(|table| Tier { table: Arc::new(table), filter: None })
                .collect(),
            mixer: Mixer::new(layout),
        }
    }

    /// The list for the time in which the planned table is made. If that takes what is in memory, this has a new layer
    /// for writes, and what the other one holds takes none from now on.
    ///
    /// # Locking
    ///
    /// None; only the thread that writes may call it, and it must publish the new list before it writes again.
    #[must_use]
    pub fn started(&self, plan: TablePlan) -> Self {
        let mut next = self.clone();
        if plan.takes_layers() {
            let filter = filter_of_layer(self.frozen_hashes() + self.unfrozen());
            let taken = std::mem::replace(
                &mut next.active,
                Arc::new(Layer::new(Some(filter), KeyIndexer::new())),
            );
            next.sealed.insert(0, taken);
        }
        if plan.is_whole() {
            next.coming = Some(filter_of_recent(plan.all_hashes()));
        }
        next
    }

    /// Makes room for `additional` more hashes in memory.
    pub fn reserve(&self, additional: usize) {
        self.active.index.reserve(additional);
    }

    /// Hashes in the tables in the log, at most.
    pub fn frozen_hashes(&self) -> u64 {
        self.all_hashes
    }

    /// The tables in the log, newest first.
    pub fn frozen(&self) -> impl ExactSizeIterator<Item = &Arc<FrozenIndex>> {
        self.frozen.iter().map(|tier| &tier.table)
    }

    /// Upper bound on the hashes that were written since the last table, or since the attempt to write one.
    #[inline]
    pub fn unfrozen(&self) -> u64 {
        self.active.inserted.load(Ordering::Relaxed)
    }

    /// Upper bound on the hashes in memory, including those on their way into a table, which may never be completed.
    pub fn pending(&self) -> u64 {
        let layers = std::iter::once(&self.active).chain(&self.sealed);
        layers.map(|layer| layer.inserted.load(Ordering::Relaxed)).sum()
    }

    /// Whether there is anything that is not in the table.
    pub fn has_unfrozen(&self) -> bool {
        !self.sealed.is_empty() || self.unfrozen() > 0
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
        let layers = std::iter::once(&self.active).chain(&self.sealed);
        for index in layers.clone().map(|layer| &layer.index).chain(rebuilt) {
            let part = index.stats();
            stats.live_hashes += part.hashes as u64;
            stats.heap_bytes += part.table_bytes as u64;
        }
        let filters = layers.filter_map(|layer| layer.filter.as_ref());
        let filters = filters.chain(frozen.iter().filter_map(|tier| tier.filter.as_ref()));
        let filters = filters.chain(&self.recent).chain(&self.coming);
        stats.heap_bytes += filters.map(|filter| filter.heap_bytes() as u64).sum::<u64>();
        stats
    }
}

/// A filter for what will be written before the next table, at the rate at which tables are made.
fn filter_of_layer(hashes: u64) -> Arc<Filter> {
    Arc::new(Filter::new((hashes / 64).max(1 << 17)))
}

/// A filter for what will be written until a table of `hashes` hashes is merged with newer ones.
fn filter_of_recent(hashes: u64) -> Arc<Filter> {
    Arc::new(Filter::new(hashes.max(1 << 18)))
}

impl fmt::Debug for LayeredIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredIndex")
            .field("live", &self.active.index)
            .field("sealed", &self.sealed.len())
            .field("frozen", &self.frozen)
            .finish()
    }
}
