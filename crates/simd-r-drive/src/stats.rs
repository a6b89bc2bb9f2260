//! Figures of a store.

use crate::generation::{Generation, Totals};

/// How large a store is, and how much of it is live. See [`DataStore::stats`](crate::DataStore::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Keys that exist.
    pub live_keys: u64,
    /// Slots that hold no live value: older versions and deletions.
    pub dead_slots: u64,
    /// Bytes of those slots.
    pub dead_bytes: u64,
    /// End of the last published entry, in bytes.
    pub tail: u64,
    /// Length of the file in bytes, with the space that is allocated ahead of the tail.
    pub allocated_bytes: u64,
    /// Alignment of payloads in bytes.
    pub alignment: u64,
    /// Names the store, across compactions.
    pub store_id: [u8; 16],
    /// Hashes in the in-memory index.
    pub index_hashes: u64,
    /// Flushes to the medium since the store was opened, but for those of opening and closing.
    pub flushes: u64,
    /// Calls that wanted a flush and were served by that of another thread.
    pub shared_flushes: u64,
}

impl StoreStats {
    pub(crate) fn of(generation: &Generation, allocated: Option<u64>, flushes: (u64, u64)) -> Self {
        let Totals { tail, live_keys, dead_slots, dead_bytes } = generation.totals();
        Self {
            live_keys,
            dead_slots,
            dead_bytes,
            tail,
            allocated_bytes: allocated.unwrap_or(tail).max(tail),
            alignment: generation.layout.alignment().bytes(),
            store_id: generation.identity.store_id,
            index_hashes: generation.index.stats().hashes as u64,
            flushes: flushes.0,
            shared_flushes: flushes.1,
        }
    }
}
