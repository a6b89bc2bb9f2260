//! Reading a store that has lost some of its slots.
//!
//! What an unreadable slot said is unknown: it may have been a newer value of any key, or its
//! deletion. An older value is therefore not returned as if it were the newest, unless the caller
//! asks for salvage.

use std::ops::Range;

use simd_r_drive_entry_handle::{Damage, FormatError};

/// The parts of a log that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamageMap {
    /// From the end of the log to its start. Each begins where a readable slot or the header ends.
    extents: Vec<Range<u64>>,
    /// Whether the caller accepts values that may be outdated.
    is_salvage: bool,
}

impl DamageMap {
    /// `None` if nothing is damaged. The extents must come newest first.
    pub(crate) fn new(extents: Vec<Range<u64>>, is_salvage: bool) -> Option<Self> {
        (!extents.is_empty()).then_some(Self { extents, is_salvage })
    }

    /// Makes sure that the newest known version of something is the newest there was. It ends at
    /// `end`; 0 if there is none.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] if a newer version may have been lost.
    pub(crate) fn confirm(&self, end: u64) -> Result<(), FormatError> {
        match self.extents.first() {
            Some(newest) if !self.is_salvage && end < newest.end => {
                Err(FormatError::damaged(newest.start, Damage::Unconfirmed))
            }
            _ => Ok(()),
        }
    }

    /// End of the next readable slot at or below `end`.
    pub(crate) fn skip(&self, end: u64) -> u64 {
        let number = self.extents.partition_point(|extent| extent.end > end);
        match self.extents.get(number) {
            Some(extent) if extent.end == end => extent.start,
            _ => end,
        }
    }
}
