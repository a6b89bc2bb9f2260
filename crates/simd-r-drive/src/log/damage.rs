//! Reading a store that has lost some of its slots.
//!
//! When a slot cannot be read, what it said is unknown: it may have been a newer value of any key, or its
//! deletion. So an older value is not handed out as if it were the newest, unless the caller asks for salvage.

use std::ops::Range;

use simd_r_drive_entry_handle::{Damage, FormatError};

/// Which parts of a log could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DamageMap {
    /// From the end of the log to its start. Each begins where a readable slot, or the header, ends.
    extents: Vec<Range<u64>>,
    /// Whether the caller wants what is left, outdated or not.
    is_salvage: bool,
}

impl DamageMap {
    /// `None` if nothing is damaged. The extents come newest first.
    pub(crate) fn new(extents: Vec<Range<u64>>, is_salvage: bool) -> Option<Self> {
        (!extents.is_empty()).then_some(Self { extents, is_salvage })
    }

    /// Whether the newest known version of something, which ends at `end` (0: there is none), is the newest
    /// that there was.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] if a newer one may be among what is lost.
    pub(crate) fn confirm(&self, end: u64) -> Result<(), FormatError> {
        match self.extents.first() {
            Some(newest) if !self.is_salvage && end < newest.end => {
                Err(FormatError::damaged(newest.start, Damage::Unconfirmed))
            }
            _ => Ok(()),
        }
    }

    /// Where the next readable slot below `end` ends.
    pub(crate) fn skip(&self, end: u64) -> u64 {
        let number = self.extents.partition_point(|extent| extent.end > end);
        match self.extents.get(number) {
            Some(extent) if extent.end == end => extent.start,
            _ => end,
        }
    }
}
