//! Space in the log taken by tables that are no longer in use.

use simd_r_drive_entry_handle::{FormatError, Kind};

use crate::log::ReadState;

impl ReadState {
    /// Bytes of dead slots and superseded tables: what compaction frees. Space already given back
    /// to the file system counts, because it is part of the file's length.
    pub(crate) fn dead_bytes(&self) -> u64 {
        self.totals().dead_bytes.saturating_add(self.superseded_index_bytes())
    }

    /// Bytes of superseded tables.
    ///
    /// Costs a check of each table written since the last compaction.
    pub(crate) fn superseded_index_bytes(&self) -> u64 {
        // Damage is reported when it is read.
        self.try_superseded_index_bytes().unwrap_or(0)
    }

    /// The previous-version field of each index slot names the index slot before it.
    fn try_superseded_index_bytes(&self) -> Result<u64, FormatError> {
        let mut bytes = 0;
        let mut end = self.index.frozen().map(|table| table.end()).max().unwrap_or(0);
        while end > 0 {
            let slot = self.slot_at(end)?;
            let fields = slot.fields();
            if fields.kind != Kind::Index {
                break;
            }
            if self.index.frozen().all(|table| table.end() != end) {
                bytes += slot.end - slot.start;
            }
            if fields.previous_end >= end {
                break;
            }
            end = fields.previous_end;
        }
        Ok(bytes)
    }
}
