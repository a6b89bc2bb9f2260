//! Plans the next table, builds it, and puts it into use.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Barrier, Layout};

use super::{LayeredIndex, Tier};
use crate::filter::Filter;
use crate::frozen::{Build, BuildError, BuiltTable, FrozenIndex, TableSize, record_lines_of};
use crate::indexer::KeyIndexer;
use crate::rebuild_source::RebuildSource;

/// Which tables are merged into the next one.
///
/// Each table slows down look-ups of older hashes; each merge costs a pass over its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// All.
    Full,
    /// All, if the newer ones hold at least a twelfth of the oldest one's hashes; otherwise all but
    /// the oldest. For closing a store, which will then be read.
    OnClose,
    /// A few small ones, while a store is being written: tables are written often, and each should
    /// take little time. [`LayeredIndex::plan_merge`] handles the large ones.
    Tiered,
}

/// With [`Merging::OnClose`], the oldest table is merged if the others hold at least one in this
/// many of its hashes.
const ON_CLOSE_SHARE: u64 = 12;

/// With [`Merging::Tiered`], the result has at most this many times the hashes in memory.
const TIERED_SHARE: u64 = 4;

/// With room for at most this many more tables, tables grow by doubling. With no room left, one of
/// them would grow with each checkpoint.
const MIN_FREE_TABLES: usize = 3;

/// Places reserved for the tables of checkpoints made during a merge.
const RESERVED_TABLES: usize = 1;

/// With this many tables, the newest are merged whatever their sizes, leaving `TABLES_AFTER_MERGE`.
const MERGE_AT_TABLES: usize = 7;
const TABLES_AFTER_MERGE: usize = 4;

/// The plan of the next table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePlan {
    size: TableSize,
    /// Whether it takes what is in memory.
    takes_layers: bool,
    /// How many of the newest tables are merged into it, and how many of the oldest stay below it.
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

    /// Whether it will build on no other table.
    pub fn is_whole(&self) -> bool {
        self.kept == 0
    }

    /// Whether it takes what is in memory.
    pub(super) fn takes_layers(&self) -> bool {
        self.takes_layers
    }

    /// How many tables are merged into it.
    pub fn merged_tables(&self) -> usize {
        self.merged
    }

    /// How many of the oldest tables must not change until it is complete.
    pub fn busy_tables(&self) -> usize {
        self.merged + self.kept
    }

    /// Which of `count` tables, newest first, are merged into it. Newer ones may have been added
    /// while it was made.
    fn range(&self, count: usize) -> Range<usize> {
        let end = count.saturating_sub(self.kept);
        end.saturating_sub(self.merged)..end
    }
}

impl LayeredIndex {
    /// Plans a table of all layers in memory and of the tables that `merging` selects, except the
    /// oldest `busy` ones, which another merge is using.
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

    /// Selects tables of about the same size or smaller, while they are small or there is little
    /// room for more tables. Selects further ones if there is no room at all.
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

    /// Plans a merge of large tables if one is due: of the newest tables, down to the oldest one
    /// that holds no more hashes than all newer ones together. So each table holds more than all
    /// newer ones together, and the number of tables a hash is written to in its life is
    /// logarithmic: how often the number of hashes can be halved until it is that of one
    /// checkpoint. (The logarithmic method of Bentley and Saxe, "Decomposable Searching Problems",
    /// 1980.)
    pub fn plan_merge(&self) -> Option<TablePlan> {
        let (mut newer, mut merged) = (0, 0);
        for (number, table) in self.frozen.iter().enumerate() {
            if table.is_rebuilt() {
                // The next table replaces it.
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

    /// Builds the planned table, for a slot that starts at `start`, from tables and, if the plan
    /// takes them, the sealed layers. This list must have been [started](Self::started) with the
    /// plan. Passes everything but the header to `write`.
    ///
    /// # Errors
    ///
    /// See [`BuildError`]. If a table is damaged, the newest one is rebuilt from the log, in
    /// memory, and the next plan replaces all tables.
    ///
    /// # Costs
    ///
    /// One pass over the tables, and a sort of what is in memory, which takes 16 bytes per hash.
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
        // Once rebuilt, it answers for everything below it.
        let rebuilt = newest.rebuild(source).map_err(BuildError::Source)?;
        if !(plan.takes_layers && plan.is_whole()) {
            return Err(BuildError::Damaged);
        }
        layers.push(rebuilt);
        build(&layers, &[])
    }

    /// The list in which `table`, built as planned, replaces its inputs. This list stays up to date
    /// until the new one is published; after that it may miss writes.
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
        next.frozen.splice(range, [tier]);
        if plan.takes_layers {
            next.sealed.clear();
        }
        next
    }

    /// The filter of a layer that goes into a table alone. It serves as the table's own filter.
    fn filter_of_layer(&self, plan: TablePlan) -> Option<Arc<Filter>> {
        match &self.sealed[..] {
            [layer] if plan.takes_layers && plan.merged == 0 => layer.filter.clone(),
            _ => None,
        }
    }
}
