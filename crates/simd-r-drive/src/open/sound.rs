//! Checks whether a file would open: everything that opening reads, without building an index.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::LogCursor;
use simd_r_drive_writer::StoreFile;

use super::map::map_log;
use super::table::{barrier_ends, usable_index};
use super::{Header, LogBounds, find_tail};
use crate::log::{Direction, LogPosition, WindowReader};
use crate::options::OpenOptions;

/// A file that opens without damage.
#[derive(Debug)]
pub(crate) struct Sound {
    pub(crate) tail: LogBounds,
    /// End of the barrier that names its tables; 0 if it has no usable index.
    pub(crate) barrier_end: u64,
}

/// Reads and checks what opening a file of `len` bytes would: its durable point, its tail, and its
/// index with the slots that follow, or without an index all slots.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) or
/// [`FormatError::Truncated`](crate::FormatError::Truncated) if a writable open would be refused;
/// any I/O error of the file.
pub(crate) fn check_sound(
    file: &Arc<dyn StoreFile>,
    header: &Header,
    len: u64,
    options: &OpenOptions,
) -> io::Result<Sound> {
    let (identity, checkpoints) = (&header.identity, &header.checkpoints);
    let tail = find_tail(&**file, identity, checkpoints, len, false, &mut |_| {})?;
    let ends = barrier_ends(checkpoints, &tail);
    if let Some(barrier_end) = index_in(file, header, ends, tail.tail, options)? {
        return Ok(Sound { tail, barrier_end });
    }
    let LogPosition { end, seal } = tail.tail;
    let source = WindowReader::new(&**file, end, Direction::Backward);
    let mut cursor = LogCursor::new(source, identity.layout(), end, Some(seal.self_half()));
    while cursor.previous()?.is_some() {}
    Ok(Sound { tail, barrier_end: 0 })
}

/// End of the barrier through whose tables a log up to `tail` opens: the first usable one of
/// `ends`. `None` if there is none.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn index_in(
    file: &Arc<dyn StoreFile>,
    header: &Header,
    ends: impl IntoIterator<Item = u64>,
    tail: LogPosition,
    options: &OpenOptions,
) -> io::Result<Option<u64>> {
    let mut ends = ends.into_iter().filter(|end| *end > 0).peekable();
    if ends.peek().is_none() {
        return Ok(None);
    }
    let log = map_log(Arc::clone(file), &header.identity, &LogBounds::at(tail), options)?;
    usable_index(&log, ends, tail)
}
