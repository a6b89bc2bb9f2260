//! The index of a store: layers in memory over tables in the log.

mod find;
mod insert;
mod plan;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive_entry_handle::Layout;

use crate::filter::Filter;
use crate::frozen::FrozenIndex;
use crate::indexer::KeyIndexer;
use crate::location::Location;
use crate::mix::Mixer;

pub use self::plan::{Merging, TablePlan};

/// Look-ups of a batch that are in progress at the same time.
const BATCH: usize = 128;

/// An index in layers: the newest in memory, the oldest, [`FrozenIndex`]es, in the log.
///
/// A layer holds all chains of each of its hashes, so the first layer that has a hash answers for
/// it. A look-up goes through the layers from the newest to the oldest and stops at the first one
/// that knows the hash. Each layer in memory has a filter, so that a key in a table is found
/// without a lock.
///
/// A value of this type is a list of layers. Starting a table makes a new list, in which the active
/// layer has become a sealed one; completing the table makes a third one. The lists share their
/// layers. A thread that holds an older list can go on reading it, as of the tail at which it was
/// replaced.
#[derive(Clone)]
pub struct LayeredIndex {
    /// Takes the writes.
    active: Arc<Layer>,
    /// Sealed layers on their way into a table, newest first. There is more than one only if a
    /// table could not be written.
    sealed: Vec<Arc<Layer>>,
    /// Newest first, each building on the next.
    frozen: Vec<Tier>,
    /// Upper bound on the distinct hashes in the tables.
    all_hashes: u64,
    mixer: Mixer,
}

/// A table, with a filter if this process made the table.
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
    /// `None` for the lowest layer of all, which is always searched.
    filter: Option<Arc<Filter>>,
    /// Upper bound on the hashes that have been inserted.
    inserted: AtomicU64,
    /// Upper bound on those of them that no lower layer holds.
    new_hashes: AtomicU64,
}

/// Sizes of the layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayeredStats {
    /// Hashes in memory.
    pub hashes_in_memory: u64,
    /// Upper bound on the hashes in the tables in the log.
    pub frozen_hashes: u64,
    /// Tables in the log.
    pub tables: u64,
    /// Memory of the layers in memory and of all filters, in bytes, not counting groups of
    /// colliding keys.
    pub heap_bytes: u64,
    /// Length of the tables in the log, in bytes.
    pub table_bytes: u64,
    /// Whether a damaged table has been rebuilt in memory.
    pub is_rebuilt: bool,
}

impl Layer {
    fn new(filter: Option<Arc<Filter>>, index: KeyIndexer) -> Self {
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
        // There is only one writing thread, so no atomic addition is needed.
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
    /// A single layer, for a file with this layout.
    pub fn new(layout: &Layout, index: KeyIndexer) -> Self {
        Self {
            active: Arc::new(Layer::new(None, index)),
            sealed: Vec::new(),
            frozen: Vec::new(),
            all_hashes: 0,
            mixer: Mixer::of_file(layout),
        }
    }

    /// An empty layer over existing tables, which come newest first, each building on the next.
    /// `all_hashes` is an upper bound on the distinct hashes in the tables.
    pub fn over(layout: &Layout, tables: Vec<FrozenIndex>, all_hashes: u64) -> Self {
        let has_tables = !tables.is_empty();
        // The bound comes from the file, which may be crafted.
        let all_hashes = all_hashes.min(tables.iter().map(FrozenIndex::hashes).sum());
        let filter = has_tables.then(|| filter_of_layer(all_hashes));
        Self {
            all_hashes,
            active: Arc::new(Layer::new(filter, KeyIndexer::new())),
            sealed: Vec::new(),
            frozen: tables
                .into_iter()
                .map(|table| Tier { table: Arc::new(table), filter: None })
                .collect(),
            mixer: Mixer::of_file(layout),
        }
    }

    /// The list to use while the planned table is made. If the table takes what is in memory, the
    /// list has a new active layer, and the previous one is sealed.
    ///
    /// # Locking
    ///
    /// None. Only the writing thread may call it, and it must publish the new list before it writes
    /// again.
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
        next
    }

    /// Makes room for `additional` more hashes in memory.
    pub fn reserve(&self, additional: usize) {
        self.active.index.reserve(additional);
    }

    /// Upper bound on the hashes in the tables in the log.
    pub fn frozen_hashes(&self) -> u64 {
        self.all_hashes
    }

    /// The tables in the log, newest first.
    pub fn frozen(&self) -> impl ExactSizeIterator<Item = &Arc<FrozenIndex>> {
        self.frozen.iter().map(|tier| &tier.table)
    }

    /// Upper bound on the hashes written since the last table, or since the last attempt to write
    /// one.
    #[inline]
    pub fn unfrozen(&self) -> u64 {
        self.active.inserted.load(Ordering::Relaxed)
    }

    /// Upper bound on the hashes in memory, including sealed layers, whose table may never be
    /// completed.
    pub fn pending(&self) -> u64 {
        let layers = std::iter::once(&self.active).chain(&self.sealed);
        layers.map(|layer| layer.inserted.load(Ordering::Relaxed)).sum()
    }

    /// Whether anything is not in a table yet.
    pub fn has_unfrozen(&self) -> bool {
        !self.sealed.is_empty() || self.unfrozen() > 0
    }

    /// Sizes of the layers.
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
            stats.hashes_in_memory += part.hashes as u64;
            stats.heap_bytes += part.table_bytes as u64;
        }
        let filters = layers.filter_map(|layer| layer.filter.as_ref());
        let filters = filters.chain(frozen.iter().filter_map(|tier| tier.filter.as_ref()));
        stats.heap_bytes += filters.map(|filter| filter.heap_bytes() as u64).sum::<u64>();
        stats
    }
}

/// A filter sized for the writes until the next table, at the usual rate of tables.
fn filter_of_layer(hashes: u64) -> Arc<Filter> {
    Arc::new(Filter::new((hashes / 64).max(1 << 17)))
}

impl fmt::Debug for LayeredIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LayeredIndex")
            .field("active", &self.active.index)
            .field("sealed", &self.sealed.len())
            .field("frozen", &self.frozen)
            .finish()
    }
}
