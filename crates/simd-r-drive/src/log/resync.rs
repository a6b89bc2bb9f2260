//! Resynchronisation: finding the log again below a damaged slot.

use std::io;

use simd_r_drive_entry_handle::{Layout, LogSource, read_slot};

use crate::error::is_format_error;

/// End of the newest slot below `end` that is certainly genuine: its own seal is right, and it
/// links to its predecessor's seal. The header's end if there is none.
///
/// Checks every place at which a slot can end, from `end` downward.
///
/// # Errors
/// Those of the source.
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
