//! What the next table will be, how it is built, and how it comes into use.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::Layout;

use super::{LayeredIndex, Tier};
use crate::frozen::{
    Build, BuildError, FrozenIndex, FrozenTotals, Part, TableSize, record_lines_of,
};
use crate::slot_source::RebuildSource;

/// When all tables are merged into one.
///
/// Each that stands on another costs every look-up of what is older a line; each merge costs a pass over everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merging {
    /// Now.
    Always,
    /// If there would be more than two, or the newer ones held a twelfth of the hashes of the oldest: when a store
    /// is closed, and will be read.
    Soon,
    /// If there would be more than eight, or the newer ones held a quarter: while a store is written, so that a hash is
    /// written to about five tables in its life, on average.
    Late,
}

impl Merging {
    /// Most tables that there may be before a new one, and the share of the oldest, one in so many.
    fn limits(self) -> (usize, u64) {
        match self {
            Self::Always => (0, u64::MAX),
            Self::Soon => (1, 12),
            Self::Late => (7, 4),
        }
    }
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

impl LayeredIndex {
    /// What a table of all layers will be, should they take no more writes: one that stands on those that there are, or
    /// one of everything, if that is wanted, or if enough is newer than the oldest table.
    ///
    /// # Costs
    ///
    /// One short lock per shard.
    pub fn plan_table(&self, merging: Merging) -> TablePlan {
        let layers = || std::iter::once(&self.live).chain(&self.freezing);
        let (newer_tables, oldest) = match self.frozen.split_last() {
            Some((oldest, newer)) => (newer, oldest.hashes()),
            None => (&[][..], 0),
        };
        let in_memory: u64 = layers().map(|layer| layer.index.stats().hashes as u64).sum();
        let newer = in_memory + newer_tables.iter().map(|table| table.hashes()).sum::<u64>();
        let all_hashes =
            self.frozen_hashes() + layers().map(|layer| layer.new_hashes()).sum::<u64>();
        let (tables_max, share) = merging.limits();
        let is_whole = self.frozen.is_empty()
            || self.frozen.len() > tables_max
            || newer >= oldest / share
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
    /// One pass over the oldest table, if everything is merged; and a sort of what is newer, which takes 16 bytes of
    /// memory a hash.
    pub fn build_table<S: RebuildSource + ?Sized>(
        &self,
        layout: &Layout,
        start: u64,
        plan: TablePlan,
        totals: FrozenTotals,
        source: &S,
        write: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
    ) -> Result<[u8; 128], BuildError<S::Error>> {
        let TablePlan { size, is_whole, all_hashes } = plan;
        let base = self.frozen.first().map(|tier| &**tier).filter(|_| !is_whole);
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
        let filter = match &self.freezing[..] {
            [layer] if !plan.is_whole => layer.filter.clone(),
            _ => None,
        };
        let mut frozen = vec![Tier { table: Arc::new(table), filter }];
        if !plan.is_whole {
            frozen.extend(self.frozen.iter().cloned());
        }
        Self { live: Arc::clone(&self.live), freezing: Vec::new(), frozen, mixer: self.mixer }
    }
}
