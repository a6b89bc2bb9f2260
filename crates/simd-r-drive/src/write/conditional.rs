//! Conditional writes. Each is one commit.

use std::io::Result;

use simd_r_drive_entry_handle::{EntryHandle, compute_hash};

use crate::store::DataStore;
use crate::write::CommitBuilder;

impl DataStore {
    /// Writes `payload` under `key` if the key does not exist. Returns whether it was written.
    ///
    /// # Errors
    /// As [`write`](crate::traits::DataStoreWriter::write).
    pub fn write_if_absent(&self, key: &[u8], payload: &[u8]) -> Result<bool> {
        self.write_if(key, payload, |found| found.is_none())
    }

    /// Writes `payload` under `key` if the current version of the key is still `expected`, or if
    /// the key does not exist when `expected` is `None`. Returns whether it was written.
    ///
    /// Versions are compared, not bytes: a value that was replaced by an equal one counts as
    /// changed. Compaction outdates all handles read before it.
    ///
    /// # Errors
    /// As [`write`](crate::traits::DataStoreWriter::write).
    pub fn compare_and_write(
        &self,
        key: &[u8],
        expected: Option<&EntryHandle>,
        payload: &[u8],
    ) -> Result<bool> {
        self.write_if(key, payload, |found| match (found, expected) {
            (None, None) => true,
            (Some(found), Some(expected)) => is_same_version(found, expected),
            _ => false,
        })
    }

    fn write_if(
        &self,
        key: &[u8],
        payload: &[u8],
        condition: impl FnOnce(Option<&EntryHandle>) -> bool,
    ) -> Result<bool> {
        let hash = compute_hash(key);
        let writer = self.shared.writer()?;
        let state = writer.state();
        let found = state.read(key, state.publication.tail())?;
        if !condition(found.as_ref()) {
            return Ok(false);
        }
        let mut commit = CommitBuilder::new(&state, 1);
        commit.put(hash, key, payload)?;
        self.shared.commit(writer, &commit)?;
        Ok(true)
    }
}

/// Whether two handles refer to the same version: the same bytes of the same map, and so of the
/// same file.
pub(crate) fn is_same_version(a: &EntryHandle, b: &EntryHandle) -> bool {
    a.slot_end() == b.slot_end() && a.address_range() == b.address_range()
}
