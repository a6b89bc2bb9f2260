//! Parallel iteration, for work that costs more than finding the entries.

use std::io;
use std::sync::Arc;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use simd_r_drive_entry_handle::EntryHandle;

use crate::log::{ReadState, Totals};
use crate::read::EntryIterator;

/// Walks the log once for the ends of its live entries, then reads them in parallel.
pub(crate) fn par_entries(
    state: Arc<ReadState>,
    totals: Totals,
) -> impl ParallelIterator<Item = io::Result<EntryHandle>> {
    // Values are verified in parallel, if at all.
    let mut entries = EntryIterator::without_verification(Arc::clone(&state), totals);
    let ends: Vec<(u64, u64)> =
        entries.by_ref().map(|entry| (entry.slot_end(), entry.key_hash())).collect();
    let error = entries.finish().err();
    let entries =
        ends.into_par_iter().map(move |(end, hash)| Ok(state.handle(&state.slot_at(end)?, hash)?));
    entries.chain(error.into_par_iter().map(Err))
}
