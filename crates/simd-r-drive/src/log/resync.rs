//! Finding the log again behind a damaged slot.

use std::io;

use simd_r_drive_entry_handle::{Layout, LogSource, read_slot};

use crate::error::is_format_error;

/// The end of the newest slot that ends below `end` and is genuine with certainty: its own seal is right, and
/// that of its predecessor is the one that it links to. The header's end if there is none.
///
/// Looks at every place where a slot can end, from `end` downward.
///
/// # Errors
/// The source's.
pub(crate) fn resync(source: &mut impl LogSource, layout: &Layout, end: u64) -> io::Result<u64> {
    let step = layout.alignment().bytes();
    let first = layout.header_len();
    let mut candidate = layout.alignment().round_down(end.saturating_sub(1));
    while candidate > first {
        if is_certain(source, layout, candidate)? {
            return Ok(candidate);
        }
        candidate -= step;
    }
    Ok(first)
}

fn is_certain(source: &mut impl LogSource, layout: &Layout, end: u64) -> io::Result<bool> {
    let (start, predecessor) = match read_slot(source, layout, end) {
        Ok(slot) => (slot.start, slot.predecessor),
        Err(error) if is_format_error(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    if start == layout.header_len() {
        return Ok(predecessor == layout.root());
    }
    match read_slot(source, layout, start) {
        Ok(before) => Ok(before.seal.self_half() == predecessor),
        Err(error) if is_format_error(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
