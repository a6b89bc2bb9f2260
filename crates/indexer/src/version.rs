//! One version in a chain, and the walk back to the version current at an earlier tail.

use crate::packed_slot::PackedSlot;
use crate::slot_source::{Slot as _, SlotSource};

/// One version in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Where the slot of this version ends, in bytes.
    pub end: u64,
    /// Whether this version deletes the entry.
    pub is_tombstone: bool,
}

impl Version {
    /// Where the slot ends; `None` for a tombstone.
    #[inline]
    pub fn live_end(self) -> Option<u64> {
        (!self.is_tombstone).then_some(self.end)
    }
}

impl From<PackedSlot> for Version {
    #[inline]
    fn from(slot: PackedSlot) -> Self {
        Self { end: slot.end(), is_tombstone: slot.is_tombstone() }
    }
}

/// The version of a chain at `tail`, given its newest one. `None` if the chain began later.
///
/// # Costs
///
/// Nothing if the newest version ends at or below `tail`; otherwise one source call per version
/// walked.
#[inline]
pub(crate) fn version_at<S: SlotSource + ?Sized>(
    newest: PackedSlot,
    tail: u64,
    source: &S,
) -> Result<Option<Version>, S::Error> {
    if newest.end() <= tail {
        return Ok(Some(newest.into()));
    }
    walk_back(newest.end(), tail, source)
}

#[cold]
fn walk_back<S: SlotSource + ?Sized>(
    newest_end: u64,
    tail: u64,
    source: &S,
) -> Result<Option<Version>, S::Error> {
    let mut end = newest_end;
    loop {
        let slot = source.slot(end)?;
        if end <= tail {
            return Ok(Some(Version { end, is_tombstone: slot.is_tombstone() }));
        }
        // Valid links point down. Treat any other as the end of the chain, since it could form a
        // cycle.
        let previous_end = slot.previous_end();
        if previous_end == 0 || previous_end >= end {
            return Ok(None);
        }
        end = previous_end;
    }
}
