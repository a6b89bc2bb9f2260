//! Step 5 of opening: the log, from its newest slot to its oldest, into the index.

use std::io;

use simd_r_drive_entry_handle::{Kind, LogCursor, compute_hash};
use simd_r_drive_indexer::Identity as LineIdentity;

use super::tail::Point;
use super::window_reader::{Direction, WindowReader};
use crate::generation::Generation;

/// What the log holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Replayed {
    pub(crate) slots: u64,
    pub(crate) live_keys: u64,
    pub(crate) dead_slots: u64,
    pub(crate) dead_bytes: u64,
}

/// Fills the generation's index from its log, which ends at `tail`. Every slot's seal and link are checked.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) where the chain of slots breaks; and the file's.
pub(crate) fn replay(generation: &Generation, tail: Point) -> io::Result<Replayed> {
    let source = WindowReader::new(&*generation.file, tail.end, Direction::Backward);
    let newest_self = Some(tail.seal.self_half());
    let mut cursor = LogCursor::new(source, generation.layout, tail.end, newest_self);
    let mut replayed = Replayed::default();
    while let Some(slot) = cursor.previous()? {
        replayed.slots += 1;
        if !slot.trailer.kind.is_keyed() {
            continue;
        }
        let (hash, line) = line_of(slot.trailer.is_bare(), slot.key);
        let is_tombstone = slot.trailer.kind == Kind::Tombstone;
        let is_newest =
            generation.index.insert_older(hash, slot.end, line, is_tombstone, generation)?;
        if is_newest && !is_tombstone {
            replayed.live_keys += 1;
        } else {
            replayed.dead_slots += 1;
            replayed.dead_bytes += slot.end - slot.start;
        }
    }
    Ok(replayed)
}

/// Hash and line of a slot with these key bytes.
#[inline]
pub(crate) fn line_of(is_bare: bool, key: &[u8]) -> (u64, LineIdentity<'_>) {
    match key.first_chunk() {
        Some(hash) if is_bare => (u64::from_le_bytes(*hash), LineIdentity::Bare),
        _ => (compute_hash(key), LineIdentity::Keyed(key)),
    }
}
