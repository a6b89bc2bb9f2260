//! Bytes that an interrupted backup left beyond the last commit of its file.

use std::io;
use std::ops::Range;

use simd_r_drive_entry_handle::{Kind, LogSource as _};
use simd_r_drive_writer::StoreFile;

use super::checked_copy::Log;
use crate::log::{Direction, LogPosition, WindowReader};

/// Bytes compared at a time.
const PIECE_LEN: usize = 256 << 10;

/// Whether the log up to `to` has all bytes of `remains` in `backup`, at the same offsets. A zero
/// byte in the backup may be one that was not written, and counts as equal.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) if the log is damaged; any I/O error of
/// the files.
pub(super) fn are_in_source(
    remains: Range<u64>,
    backup: &dyn StoreFile,
    log: Log<'_>,
    to: LogPosition,
) -> io::Result<bool> {
    if remains.end > to.end {
        return Ok(false);
    }
    let mut slots = log.cursor(to);
    let mut source = WindowReader::new(log.file, to.end, Direction::Backward);
    let mut backup = WindowReader::new(backup, remains.end, Direction::Backward);
    while slots.position() > remains.start
        && let Some(slot) = slots.previous()?
    {
        // Only the bytes of a table may have changed since. They hold nothing that the log does
        // not.
        let is_table = slot.trailer.kind == Kind::Index;
        let skipped = if is_table { slot.trailer.payload_len } else { 0 };
        let (mut at, end) = (slot.start + skipped, slot.end.min(remains.end));
        while at < end {
            let len = (end - at).min(PIECE_LEN as u64) as usize;
            let pairs = backup.read(at, len)?.iter().zip(source.read(at, len)?);
            if pairs.into_iter().any(|(left, there)| *left != 0 && left != there) {
                return Ok(false);
            }
            at += len as u64;
        }
    }
    Ok(true)
}
