//! Known places in the log.

use simd_r_drive_entry_handle::Seal;

/// A place up to which the log is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogPosition {
    /// End of a slot, or of the header.
    pub(crate) end: u64,
    /// Seal of that slot, or the identity's checksum.
    pub(crate) seal: Seal,
}
