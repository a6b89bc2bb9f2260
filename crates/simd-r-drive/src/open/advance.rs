//! Following a log that another process writes.

use std::io;

use simd_r_drive_entry_handle::LogSlot;

use super::map::shows_same;
use super::newer::NewerSlots;
use super::tail::find_tail_from;
use crate::log::{LogPosition, ReadState};

/// Bytes searched for commits in one step.
const SEARCH_LEN: u64 = 8 << 20;

/// Minimum number of slots made visible in one step. A commit is never divided.
const STEP: u64 = 16 * 1024;

/// How far a follower advanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Advanced {
    /// To the end of the log.
    ToEnd,
    /// To where the map keeps showing a different file than reads do. The file must be opened
    /// again.
    MapLags,
}

/// Makes visible what was committed to the read state's file since `position`, the tail that it
/// shows. Advances `position` along, even if it fails half-way.
///
/// As after a crash, only whole commits with genuine slots count. Nothing depends on what the
/// writer has published.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn advance(state: &ReadState, position: &mut LogPosition) -> io::Result<Advanced> {
    let len = state.file.len()?;
    let mut search_len = SEARCH_LEN;
    loop {
        let end = len.min(position.end.saturating_add(search_len));
        let mut steps = Steps::default();
        let tail = if end > position.end {
            let mut visit = |slot: &LogSlot<'_>| steps.push(slot);
            find_tail_from(&*state.file, &state.layout, *position, end, &mut visit)?
        } else {
            *position
        };
        if tail != *position {
            state.make_room(tail.end)?;
            if !shows_same(&state.log, tail.end)? {
                return Ok(Advanced::MapLags);
            }
            for step in steps.0 {
                publish(state, step, position)?;
            }
            search_len = SEARCH_LEN;
        } else if end < len {
            // Either a commit longer than the searched range, or space allocated ahead.
            search_len = search_len.saturating_mul(4);
        } else {
            return Ok(Advanced::ToEnd);
        }
    }
}

/// New slots, oldest first, in groups that end with a commit; the last group may be incomplete.
#[derive(Default)]
struct Steps(Vec<NewerSlots>);

impl Steps {
    fn push(&mut self, slot: &LogSlot<'_>) {
        match self.0.last_mut() {
            Some(step) if step.slots() < STEP || !step.is_complete() => step.push(slot),
            _ => {
                let mut step = NewerSlots::default();
                step.push(slot);
                self.0.push(step);
            }
        }
    }
}

/// Makes the complete commits of a step, which begins at `position`, visible. Advances `position`
/// to their end.
fn publish(state: &ReadState, mut step: NewerSlots, position: &mut LogPosition) -> io::Result<()> {
    let Some(tail) = step.drop_uncommitted() else { return Ok(()) };
    let delta = step.delta(&state.log, position.end, position.end)?;
    let totals = state.totals().after(tail.end, delta);
    state.publication.publish(tail.end, || {
        state.index.insert_batch(step.insertions(), &*state.log)?;
        state.counts.store(totals);
        io::Result::Ok(())
    })?;
    *position = tail;
    Ok(())
}
