//! Stores of the 0.15 to 0.17 format, made by hand.

use simd_r_drive::{compute_checksum, compute_hash};

/// The bytes of such a store.
#[derive(Default)]
pub(crate) struct OldStore(pub(crate) Vec<u8>);

impl OldStore {
    /// Returns where the payload starts.
    pub(crate) fn write(&mut self, key: &[u8], payload: &[u8]) -> usize {
        let previous = self.0.len();
        self.0.resize(previous.next_multiple_of(64), 0);
        self.finish(key, payload, previous)
    }

    pub(crate) fn delete(&mut self, key: &[u8]) {
        let previous = self.0.len();
        self.finish(key, &[0], previous);
    }

    fn finish(&mut self, key: &[u8], payload: &[u8], previous: usize) -> usize {
        let start = self.0.len();
        self.0.extend(payload);
        self.0.extend(compute_hash(key).to_le_bytes());
        self.0.extend((previous as u64).to_le_bytes());
        self.0.extend(compute_checksum(payload));
        start
    }
}
