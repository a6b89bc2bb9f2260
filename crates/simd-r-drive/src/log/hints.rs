//! Writing the hints: a checkpoint and the published tail.

use std::io;

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Checkpoint, Identity, PublishedTail};
use simd_r_drive_writer::{StoreFile, write_all_at};

use crate::log::LogPosition;

/// Checkpoint number `sequence`, without flags. It says that the log is flushed up to `point`, and
/// that the barrier ending at `barrier_end` (0: none) names its tables.
pub(crate) fn checkpoint_at(sequence: u64, point: LogPosition, barrier_end: u64) -> Checkpoint {
    Checkpoint {
        sequence,
        durable_tail: point.end,
        durable_seal: point.seal.0,
        barrier_end,
        is_clean: false,
        is_copying: false,
    }
}

/// Writes a checkpoint, and `tail` as the published one.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn write_hints(
    file: &dyn StoreFile,
    identity: &Identity,
    checkpoint: &Checkpoint,
    tail: u64,
) -> io::Result<()> {
    let at = (checkpoint.page() * PAGE_SIZE) as u64;
    write_all_at(file, &checkpoint.encode(identity), at)?;
    let published = PublishedTail { tail, is_moved: false };
    write_all_at(file, &published.encode(), 3 * PAGE_SIZE as u64)
}
