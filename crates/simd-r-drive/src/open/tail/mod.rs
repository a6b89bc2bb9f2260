//! Steps 2 to 4 of opening: the durable point, the search, and the tail.
//!
//! From the durable point forward, the walk takes the longest slot that starts here, links here and
//! verifies, and continues from its end. The tail is the end of the last commit reached.

mod scan;
mod walk;

use std::io;

use simd_r_drive_entry_handle::{
    Checkpoint, Damage, FormatError, Identity, Layout, LogSlot, Seal, read_slot,
};
use simd_r_drive_writer::StoreFile;

use self::scan::{FoundBarrier, WalkFrom, scan};
use self::walk::walk;
use crate::error::is_format_error;
use crate::log::{Direction, LogPosition, WindowReader, resync};

/// Where the log ends, and from where on that had to be found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogBounds {
    /// Everything up to here was on the medium before any crash.
    pub(crate) durable: LogPosition,
    /// End of the last commit.
    pub(crate) tail: LogPosition,
    /// End of the last nonzero byte, or the tail.
    pub(crate) data_end: u64,
    /// End that the log once had, or may have had. The tail, unless something is known to be
    /// missing.
    pub(crate) expected_end: u64,
    /// End of the newest barrier beyond the durable point of the checkpoints; 0 if none was found.
    pub(crate) barrier_end: u64,
}

impl LogBounds {
    /// The bounds of a log that ends at `point` and is durable up to there.
    pub(crate) fn at(point: LogPosition) -> Self {
        let end = point.end;
        Self { durable: point, tail: point, data_end: end, expected_end: end, barrier_end: 0 }
    }
}

/// Finds the tail of a log in a file of `len` bytes, whose `checkpoints` come newest first. Passes
/// the slots beyond the durable point to `visit`, oldest first, including those of an incomplete
/// last commit.
///
/// # Errors
/// [`FormatError::Damaged`] or [`FormatError::Truncated`] if durable data is missing or changed;
/// any I/O error of the file.
pub(crate) fn find_tail(
    file: &dyn StoreFile,
    identity: &Identity,
    checkpoints: &[Checkpoint],
    len: u64,
    tolerate_damage: bool,
    visit: &mut Visit<'_>,
) -> io::Result<LogBounds> {
    let layout = identity.layout();
    let root = LogPosition { end: layout.header_len(), seal: Seal(identity.checksum()) };
    // The largest durable point counts, not the newest checkpoint: a durable point only moves up.
    let hinted =
        checkpoints.iter().max_by_key(|checkpoint| checkpoint.durable_tail).map(|checkpoint| {
            LogPosition { end: checkpoint.durable_tail, seal: Seal(checkpoint.durable_seal) }
        });
    let mut durable = root;
    let unbelievable = hinted.filter(|point| !is_possible(&layout, root, *point));
    let hinted = match unbelievable {
        None => hinted,
        Some(_) if tolerate_damage => None,
        Some(point) => return Err(FormatError::damaged(point.end, Damage::DurablePoint).into()),
    };
    // If damage is tolerated, a durable point is believed even if its slot is damaged, because it
    // gives the seal from which the log continued.
    if let Some(point) = hinted {
        match check_point(file, &layout, root, point, len) {
            Ok(()) => {}
            Err(error) if !(tolerate_damage && is_format_error(&error)) => return Err(error),
            Err(_) if point.end > len => {
                return truncated_tail(file, &layout, root, len, point.end);
            }
            Err(_) => {}
        }
        durable = point;
    }
    // Barriers that came with a copy and have not been flushed here say nothing about this file.
    let is_copying = checkpoints.first().is_some_and(|newest| newest.is_copying);
    let walk_from = if is_copying { WalkFrom::Start } else { WalkFrom::NewestBarrier };
    let scan = scan(file, &layout, durable.end, len, walk_from)?;
    if walk_from == WalkFrom::NewestBarrier
        && let Some(FoundBarrier { durable: point, .. }) = scan.newest_barrier
        && point.end > durable.end
    {
        match check_point(file, &layout, root, point, len) {
            Err(error) if !(tolerate_damage && is_format_error(&error)) => return Err(error),
            _ if point.end <= len => durable = point,
            _ => {}
        }
    }
    let tail = walk(file, &layout, durable, &scan.candidates, len, visit)?;
    let expected_end = match unbelievable {
        None => tail.end,
        // It is unknown how much was durable: there may have been more than is left.
        Some(point) => point.end.max(len).max(tail.end.saturating_add(layout.alignment().bytes())),
    };
    let barrier_end = match scan.newest_barrier {
        Some(barrier) if walk_from == WalkFrom::NewestBarrier && barrier.end <= tail.end => {
            barrier.end
        }
        _ => 0,
    };
    let data_end = scan.data_end.max(tail.end);
    Ok(LogBounds { durable, tail, data_end, expected_end, barrier_end })
}

/// Called with each slot found genuine and whole.
pub(crate) type Visit<'a> = dyn FnMut(&LogSlot<'_>) + 'a;

/// Finds the tail of a log that continues from `from`, a known place in it, in a file of `len`
/// bytes. Passes slots to `visit` as [`find_tail`] does.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn find_tail_from(
    file: &dyn StoreFile,
    layout: &Layout,
    from: LogPosition,
    len: u64,
    visit: &mut Visit<'_>,
) -> io::Result<LogPosition> {
    let found = scan(file, layout, from.end, len, WalkFrom::Start)?;
    walk(file, layout, from, &found.candidates, len, visit)
}

/// Whether a slot or the header can end at `end`. Only a forged checkpoint or barrier names another
/// place.
fn is_possible_end(layout: &Layout, end: u64) -> bool {
    end >= layout.header_len() && layout.alignment().is_aligned(end)
}

/// Whether a durable point is possible, wherever the log ends. At the header's end, only one seal
/// is.
fn is_possible(layout: &Layout, root: LogPosition, point: LogPosition) -> bool {
    is_possible_end(layout, point.end) && (point.end != root.end || point == root)
}

/// The tail of a log whose end is missing, up to `expected_end`: the end of its newest certain
/// slot.
fn truncated_tail(
    file: &dyn StoreFile,
    layout: &Layout,
    root: LogPosition,
    len: u64,
    expected_end: u64,
) -> io::Result<LogBounds> {
    let mut source = WindowReader::new(file, len, Direction::Backward);
    let end = resync(&mut source, layout, len.saturating_add(1))?;
    let tail = if end == root.end {
        root
    } else {
        LogPosition { end, seal: read_slot(&mut source, layout, end)?.seal }
    };
    Ok(LogBounds { data_end: len.max(end), expected_end, ..LogBounds::at(tail) })
}

/// Makes sure that the slot of a durable point is in place.
fn check_point(
    file: &dyn StoreFile,
    layout: &Layout,
    root: LogPosition,
    point: LogPosition,
    len: u64,
) -> io::Result<()> {
    if point.end > len {
        return Err(FormatError::truncated(len, point.end).into());
    }
    let got = if point.end == root.end {
        root.seal
    } else {
        let mut source = WindowReader::new(file, len, Direction::Backward);
        read_slot(&mut source, layout, point.end)?.seal
    };
    if got == point.seal {
        return Ok(());
    }
    Err(FormatError::mismatch(point.end, Damage::DurablePoint, point.seal.0, got.0).into())
}

#[cfg(test)]
mod tests;
