//! Step 5 of opening: the log, from its newest slot to its oldest, into the index.

use std::io;
use std::ops::Range;

use simd_r_drive_entry_handle::{Kind, LogCursor, LogSlot, compute_hash};
use simd_r_drive_indexer::Identity as LineIdentity;

use super::resync::resync;
use super::tail::{Point, is_format_error};
use super::window_reader::{Direction, WindowReader};
use crate::generation::Generation;

/// What the log holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replayed {
    pub(crate) slots: u64,
    pub(crate) live_keys: u64,
    pub(crate) dead_slots: u64,
    pub(crate) dead_bytes: u64,
    /// What could not be read, newest first.
    pub(crate) damaged: Vec<Range<u64>>,
}

/// Fills the generation's index from its log, which ends at `tail`. Every slot's seal and link are checked.
///
/// Where the chain of slots breaks, the log is searched for the next slot that is certain, if
/// `tolerate_damage`.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) where the chain of slots breaks, unless tolerated;
/// and the file's.
pub(crate) fn replay(
    generation: &Generation,
    tail: Point,
    tolerate_damage: bool,
) -> io::Result<Replayed> {
    let layout = generation.layout;
    let reader = |end| WindowReader::new(&*generation.file, end, Direction::Backward);
    let mut replayed = Replayed::default();
    let mut cursor =
        LogCursor::new(reader(tail.end), layout, tail.end, Some(tail.seal.self_half()));
    loop {
        let end = cursor.position();
        match cursor.previous() {
            Ok(Some(slot)) => replayed.take(generation, &slot)?,
            Ok(None) => return Ok(replayed),
            Err(error) if tolerate_damage && is_format_error(&error) => {
                if end == layout.header_len() {
                    // The oldest slot does not link to this header: nothing more can be below it.
                    return Ok(replayed);
                }
                let found = resync(&mut reader(end), &layout, end)?;
                replayed.damaged.push(found..end);
                cursor = LogCursor::new(reader(found), layout, found, None);
            }
            Err(error) => return Err(error),
        }
    }
}

impl Replayed {
    fn take(&mut self, generation: &Generation, slot: &LogSlot<'_>) -> io::Result<()> {
        self.slots += 1;
        if !slot.trailer.kind.is_keyed() {
            return Ok(());
        }
        let (hash, line) = line_of(slot.trailer.is_bare(), slot.key);
        let is_tombstone = slot.trailer.kind == Kind::Tombstone;
        let is_newest =
            generation.index.insert_older(hash, slot.end, line, is_tombstone, generation)?;
        if is_newest && !is_tombstone {
            self.live_keys += 1;
        } else {
            self.dead_slots += 1;
            self.dead_bytes += slot.end - slot.start;
        }
        Ok(())
    }
}

/// Hash and line of a slot with these key bytes.
#[inline]
pub(crate) fn line_of(is_bare: bool, key: &[u8]) -> (u64, LineIdentity<'_>) {
    match key.first_chunk() {
        Some(hash) if is_bare => (u64::from_le_bytes(*hash), LineIdentity::Bare),
        _ => (compute_hash(key), LineIdentity::Keyed(key)),
    }
}
