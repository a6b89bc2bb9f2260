//! Parallel iteration, for work on entries that is heavier than finding them.

use std::sync::Arc;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use simd_r_drive_entry_handle::EntryHandle;

use crate::generation::{Generation, Totals};
use crate::iter::EntryIterator;

/// Walks the log once for the ends of its live entries, then hands them out in parallel.
pub(crate) fn par_iter_entries(
    generation: Arc<Generation>,
    totals: Totals,
) -> impl ParallelIterator<Item = EntryHandle> {
    let ends: Vec<(u64, u64)> = EntryIterator::new(Arc::clone(&generation), totals)
        .map(|entry| (entry.slot_end(), entry.key_hash()))
        .collect();
    ends.into_par_iter().filter_map(move |(end, hash)| generation.handle(end, hash).ok())
}
