//! Step 7 of opening: replay, from the newest slot of the log to the oldest.

use std::io;
use std::ops::Range;

use simd_r_drive_entry_handle::{Kind, LogCursor, LogSlot, compute_hash};
use simd_r_drive_indexer::{ChainKey, KeyIndexer};

use crate::error::is_format_error;
use crate::log::{Direction, LogFile, LogPosition, WindowReader, resync};

/// Length of a link, at the end of a slot.
const LINK_LEN: u64 = 4;

/// The result of a replay.
#[derive(Debug, Clone, Default)]
pub(crate) struct Replayed {
    pub(crate) slots: u64,
    pub(crate) live_keys: u64,
    pub(crate) dead_slots: u64,
    pub(crate) dead_bytes: u64,
    /// End of the newest index slot; 0 if there is none.
    pub(crate) newest_index_end: u64,
    /// Ranges that could not be read, newest first.
    pub(crate) damaged: Vec<Range<u64>>,
    /// The link of the oldest slot, if it does not match the header. `damaged` then ends with an
    /// empty range at the header's end.
    pub(crate) damaged_root_link: Option<Range<u64>>,
}

/// Fills an index from a log that ends at `tail`. Checks the seal and link of every slot.
///
/// With `tolerate_damage`, where the sequence of slots breaks, searches below for the next slot
/// that is certain.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) where the sequence of slots breaks, unless
/// tolerated; any I/O error of the file.
pub(crate) fn replay(
    log: &LogFile,
    index: &KeyIndexer,
    tail: LogPosition,
    tolerate_damage: bool,
) -> io::Result<Replayed> {
    let layout = log.layout;
    let reader = |end| WindowReader::new(&*log.file, end, Direction::Backward);
    let mut replayed = Replayed::default();
    let mut cursor =
        LogCursor::new(reader(tail.end), layout, tail.end, Some(tail.seal.self_half()));
    let mut oldest_end = tail.end;
    loop {
        let end = cursor.position();
        match cursor.previous() {
            Ok(Some(slot)) => {
                oldest_end = slot.end;
                replayed.take(log, index, &slot)?;
            }
            Ok(None) => return Ok(replayed),
            Err(error) if tolerate_damage && is_format_error(&error) => {
                if end == layout.header_len() {
                    // The oldest slot does not link to this header. Nothing more can be below it,
                    // but this is not what was written.
                    replayed.damaged.push(end..end);
                    replayed.damaged_root_link = Some(oldest_end - LINK_LEN..oldest_end);
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
    fn take(&mut self, log: &LogFile, index: &KeyIndexer, slot: &LogSlot<'_>) -> io::Result<()> {
        self.slots += 1;
        if slot.trailer.kind == Kind::Index {
            self.newest_index_end = self.newest_index_end.max(slot.end);
        }
        if !slot.trailer.kind.is_keyed() {
            return Ok(());
        }
        let (hash, chain) = chain_of(slot.trailer.is_bare(), slot.key);
        let is_tombstone = slot.trailer.kind == Kind::Tombstone;
        let is_newest = index.insert_older(hash, slot.end, chain, is_tombstone, log)?;
        if is_newest && !is_tombstone {
            self.live_keys += 1;
        } else {
            self.dead_slots += 1;
            self.dead_bytes += slot.end - slot.start;
        }
        Ok(())
    }
}

/// Builds an index of all slots up to `tail`, which must be the end of one, from the log alone.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) if the log is damaged; any I/O error of
/// the file.
pub(crate) fn rebuild(log: &LogFile, tail: u64) -> io::Result<KeyIndexer> {
    let index = KeyIndexer::new();
    let mut replayed = Replayed::default();
    let source = WindowReader::new(&*log.file, tail, Direction::Backward);
    let mut cursor = LogCursor::new(source, log.layout, tail, None);
    while let Some(slot) = cursor.previous()? {
        replayed.take(log, &index, &slot)?;
    }
    Ok(index)
}

/// The hash of a slot with these key bytes.
pub(crate) fn slot_hash(is_bare: bool, key: &[u8]) -> u64 {
    chain_of(is_bare, key).0
}

/// The hash and chain of a slot with these key bytes.
#[inline]
pub(crate) fn chain_of(is_bare: bool, key: &[u8]) -> (u64, ChainKey<'_>) {
    match key.first_chunk() {
        Some(hash) if is_bare => (u64::from_le_bytes(*hash), ChainKey::Bare),
        _ => (compute_hash(key), ChainKey::Keyed(key)),
    }
}
