//! What the next table will be, how it is built, and how it comes into use.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Barrier, Layout};

use super::{LayeredIndex, Tier};
use crate::filter::Filter;
use crate::frozen::{Build, BuildError, BuiltTable, FrozenIndex, TableSize, record_lines_of};
use crate::indexer::KeyIndexer;
use crate::slot_source::RebuildSource;

/// Which tables become part of the next one.
///
/// Each table costs every look-up of what is older some time; each merge costs a pass over its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// All.
    Full,
    /// All, if the newer ones hold a twelfth of the hashes of the oldest; else all but that: when a store is
    /// closed, and will be read.
    OnClose,
    /// A few small ones, while a store is written: a table is written often, and each takes little time. See
    /// [`LayeredIndex::plan_merge`] for the large ones.
    Tiered,
}

/// With [`Merging::OnClose`], the oldest table is merged when the others hold this fraction of its hashes, one in twelve.
const ON_CLOSE_SHARE: u64 = 12;

/// With [`Merging::Tiered`], at most this many times the hashes in memory are merged.
const TIERED_SHARE: u64 = 4;

/// With room for no more tables than this, tables grow by doubling: if there were none left, one of them would grow
/// with each checkpoint.
const MIN_FREE_TABLES: usize = 3;

/// Table slots reserved for checkpoints that are made during a merge.
const RESERVED_TABLES: usize = 1;

/// With this many tables, the newest are merged whatever their sizes, until `TABLES_AFTER_MERGE` are left.
const MERGE_AT_TABLES: usize = 7;
const TABLES_AFTER_MERGE: usize = 4;

/// What the next table will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePlan {
    size: TableSize,
    /// Whether what is in memory goes into it.
    takes_layers: bool,
    /// How many of the present tables go into it, the newest ones, and how many stay below it, the oldest.
    merged: usize,
    kept: usize,
    /// Upper bound on the distinct hashes in the store.
    all_hashes: u64,
}

impl TablePlan {
    /// Length of the table in bytes.
    pub fn table_bytes(&self) -> u64 {
        self.size.table_bytes()
    }

    /// Whether it will stand on no other.
    pub fn is_whole(&self) -> bool {
        self.kept == 0
    }

    /// Whether what is in memory goes into it.
    pub(super) fn takes_layers(&self) -> bool {
        self.takes_layers
    }

    /// Upper bound on the distinct hashes in the store.
    pub(super) fn all_hashes(&self) -> u64 {
        self.all_hashes
    }

    /// How many tables become part of it.
    pub fn merged_tables(&self) -> usize {
        self.merged
    }

    /// How many tables, the oldest, must stay as they are until it is complete.
    pub fn busy_tables(&self) -> usize {
        self.merged + self.kept
    }

    /// Which of `count` tables, newest first, become part of it. Newer ones may have come while it was made.
    fn range(&self, count: usize) -> Range<usize> {
        let end = count.saturating_sub(self.kept);
        end.saturating_sub(self.merged)..end
    }
}

impl LayeredIndex {
    /// What a table of all layers in memory will be, and of the tables that `merging`
    /// says, but for the oldest `busy` ones, which somebody merges.
    ///
    /// # Costs
    ///
    /// One short lock per shard.
    pub fn plan_table(&self, merging: Merging, busy: usize) -> TablePlan {
        let layers = || std::iter::once(&self.active).chain(&self.sealed);
        let in_memory: u64 = layers().map(|layer| layer.index.stats().hashes as u64).sum();
        let free = self.frozen.len().saturating_sub(busy);
        let is_rebuilt = self.frozen.iter().any(|table| table.is_rebuilt());
        let merged = match merging {
            _ if is_rebuilt && busy == 0 => free,
            Merging::Full => free,
            Merging::OnClose => self.merged_on_close(in_memory).min(free),
            Merging::Tiered => self.merged_tiered(in_memory, free),
        };
        let new_hashes: u64 = layers().map(|layer| layer.new_hashes()).sum();
        let records = layers().map(|layer| record_lines_of(&layer.index)).sum();
        let kept = self.frozen.len() - merged;
        let plan = TablePlan {
            size: TableSize::default(),
            takes_layers: true,
            merged,
            kept,
            all_hashes: self.all_hashes + new_hashes,
        };
        self.with_size(plan, in_memory, records)
    }

    fn merged_on_close(&self, in_memory: u64) -> usize {
        let Some((oldest, others)) = self.frozen.split_last() else { return 0 };
        let newer = in_memory + others.iter().map(|table| table.hashes()).sum::<u64>();
        if newer >= oldest.hashes() / ON_CLOSE_SHARE { self.frozen.len() } else { others.len() }
    }

    /// Tables of about the same size or smaller, as long as they are small, or there is little room for more tables; and
    /// more if there is none.
    fn merged_tiered(&self, in_memory: u64, free: usize) -> usize {
        let room = if free == self.frozen.len() { RESERVED_TABLES } else { 0 };
        let (mut sum, mut merged) = (in_memory, 0);
        for table in &self.frozen[..free] {
            let left = Barrier::MAX_TABLES.saturating_sub(self.frozen.len() - merged + room);
            let is_small = sum + table.hashes() <= in_memory.saturating_mul(TIERED_SHARE);
            let is_due = if left <= MIN_FREE_TABLES {
                table.hashes() <= sum + sum / 4
            } else {
                is_small && table.hashes() <= sum
            };
            if left > 0 && !is_due {
                break;
            }
            sum += table.hashes();
            merged += 1;
        }
        merged
    }

    /// What a merge of large tables will be, if one is due: of the newest ones, down to one that holds no more hashes
    /// than all that are newer. So each table holds more than all newer ones together, and a hash is written to as many
    /// tables in its life as the number of hashes can be halved before it is that of one checkpoint. (The logarithmic
    /// method of Bentley and Saxe, "Decomposable Searching Problems", 1980.)
    pub fn plan_merge(&self) -> Option<TablePlan> {
        let (mut newer, mut merged) = (0, 0);
        for (number, table) in self.frozen.iter().enumerate() {
            if table.is_rebuilt() {
                // The next table takes its place.
                return None;
            }
            if number > 0 && table.hashes() <= newer {
                merged = number + 1;
            }
            newer += table.hashes();
        }
        if self.frozen.len() >= MERGE_AT_TABLES {
            merged = merged.max(self.frozen.len() - TABLES_AFTER_MERGE + 1);
        }
        let plan = TablePlan {
            size: TableSize::default(),
            takes_layers: false,
            merged,
            kept: self.frozen.len() - merged,
            all_hashes: self.all_hashes,
        };
        (merged > 0).then(|| self.with_size(plan, 0, 0))
    }

    fn with_size(&self, plan: TablePlan, in_memory: u64, records: u64) -> TablePlan {
        let tables = &self.frozen[plan.range(self.frozen.len())];
        let hashes = in_memory + tables.iter().map(|table| table.hashes()).sum::<u64>();
        let records = records + tables.iter().map(|table| table.record_lines()).sum::<u64>();
        TablePlan { size: TableSize::new(hashes.min(plan.all_hashes), records), ..plan }
    }

    /// Builds the planned table, which this list was [started](Self::started) for, of tables and, if it takes them, the layers that take no more writes, for a slot that
    /// starts at `start`. Hands all of it but its header to `write`.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]. If a table is damaged, the newest one is rebuilt from the log, in memory: the next plan puts
    /// a table in the place of all.
    ///
    /// # Costs
    ///
    /// One pass over the tables; and a sort of what is in memory, which takes 16 bytes a hash.
    pub fn build_table<S: RebuildSource + ?Sized>(
        &self,
        layout: &Layout,
        start: u64,
        plan: TablePlan,
        source: &S,
        write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> Result<BuiltTable, BuildError<S::Error>> {
        let inputs = &self.frozen[plan.range(self.frozen.len())];
        let tables: Vec<&FrozenIndex> = inputs.iter().map(|tier| &**tier).collect();
        let mut layers: Vec<&KeyIndexer> = Vec::new();
        let mut tail = start;
        if plan.takes_layers {
            layers.extend(self.sealed.iter().map(|layer| &layer.index));
        } else if let Some(newest) = tables.first() {
            tail = newest.tail();
        }
        if let (true, Some(coming)) = (plan.is_whole() && !plan.takes_layers, &self.coming) {
            // What is written meanwhile is noted by those who do.
            for layer in std::iter::once(&self.active).chain(&self.sealed) {
                layer.index.for_each_hash(|hash, _| coming.insert(self.mixer.mix(hash)));
            }
        }
        let mut build = |layers: &[&KeyIndexer], tables: &[&FrozenIndex]| {
            let has_filter = self.filter_of_layer(plan).is_none();
            let (size, is_complete) = (plan.size, plan.is_whole());
            Build { layout, start, tail, is_complete, size, layers, tables, has_filter }
                .run(source, write)
        };
        if inputs.iter().all(|table| !table.is_rebuilt()) {
            match build(&layers, &tables) {
                Err(BuildError::Damaged) => {}
                result => return result,
            }
        }
        let Some(newest) = self.frozen.first() else { return Err(BuildError::Damaged) };
        // Rebuilt, it answers for everything below it.
        let rebuilt = newest.rebuild(source).map_err(BuildError::Source)?;
        if !(plan.takes_layers && plan.is_whole()) {
            return Err(BuildError::Damaged);
        }
        layers.push(rebuilt);
        build(&layers, &[])
    }

    /// The list in which `table`, built as planned, stands in the place of what it was made from. This list knows of what
    /// is written until the new one is published, and may not know of what is written later.
    #[must_use]
    pub fn with_table(&self, table: FrozenIndex, plan: TablePlan, built: BuiltTable) -> Self {
        let range = plan.range(self.frozen.len());
        let mut next = self.clone();
        if plan.is_whole() && range.start == 0 {
            next.all_hashes = built.hashes();
        } else if plan.takes_layers {
            next.all_hashes = plan.all_hashes;
        }
        let filter = self.filter_of_layer(plan).or_else(|| built.filter.map(Arc::new));
        let tier = Tier { table: Arc::new(table), filter };
        if plan.is_whole() {
            (next.recent, next.covered) = (next.coming.take(), range.start);
        } else if range.end <= self.covered {
            // Made of nothing but what `recent` knows.
            next.covered = self.covered - range.len() + 1;
        } else {
            next.covered = self.covered.min(range.start);
        }
        next.frozen.splice(range, [tier]);
        if plan.takes_layers {
            next.sealed.clear();
        }
        next
    }

    /// The filter of the layer that alone goes into a table: it is as good as one of the table's own.
    fn filter_of_layer(&self, plan: TablePlan) -> Option<Arc<Filter>> {
        match &self.sealed[..] {
            [layer] if plan.takes_layers && plan.merged == 0 => layer.filter.clone(),
            _ => None,
        }
    }
}
