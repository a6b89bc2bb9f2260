//! The index as a whole.

use std::fmt;

use crate::fingerprint::Fingerprints;
use crate::groups::Groups;
use crate::packed_slot::{self, PackedSlot};
use crate::slot_source::ChainKey;
use crate::stats::IndexStats;
use crate::table::Table;
use simd_r_drive_entry_handle::compute_hash;

/// Maps the hash of a key to the newest slot of every chain of that hash.
///
/// See the [crate docs](crate) for slots, chains and tails. Any number of threads may read while
/// one writes. The caller must ensure that no two threads write at once.
pub struct KeyIndexer {
    pub(crate) table: Table,
    pub(crate) groups: Groups,
}

impl KeyIndexer {
    /// An empty index.
    pub fn new() -> Self {
        Self { table: Table::new(), groups: Groups::new(Fingerprints::new()) }
    }

    /// An empty index with room for `hashes` hashes.
    pub fn with_capacity(hashes: usize) -> Self {
        let indexer = Self::new();
        indexer.reserve(hashes);
        indexer
    }

    /// Makes room for `additional` more hashes, so that inserting about that many grows no shard.
    ///
    /// # Locking
    ///
    /// Takes the lock of every shard in turn. Readers of a shard wait while its entries move.
    pub fn reserve(&self, additional: usize) {
        self.table.reserve(additional);
    }

    /// Counts hashes, chains and memory.
    ///
    /// # Costs
    ///
    /// One short lock per shard, and a visit to every group. The counts are taken one after the
    /// other, so they may be inconsistent with each other if a writer is active.
    pub fn stats(&self) -> IndexStats {
        let hashes = self.table.len();
        let groups = self.groups.group_count();
        let singles = hashes.saturating_sub(groups);
        IndexStats {
            hashes,
            chains: singles + self.groups.chain_count(),
            groups,
            table_bytes: self.table.heap_bytes(),
        }
    }

    /// Calls `visit` for every hash, in no particular order, each under its shard's lock.
    pub(crate) fn for_each_hash(&self, visit: impl FnMut(u64, PackedSlot)) {
        self.table.for_each(visit);
    }

    /// The newest version of every chain of a hash.
    pub(crate) fn chains(&self, hash: u64) -> Vec<PackedSlot> {
        match self.table.get(hash) {
            Some(slot) if slot.is_group() => {
                self.groups.look(hash, |group| group.chains().collect()).unwrap_or_default()
            }
            single => single.into_iter().collect(),
        }
    }

    /// The number of keyed chains in each group.
    pub(crate) fn group_sizes(&self) -> Vec<usize> {
        self.groups.sizes()
    }

    /// Whether nothing was ever inserted.
    pub fn is_empty(&self) -> bool {
        self.table.len() == 0
    }

    /// Takes over all chains of a hash from another index. The hash must not be present. The chains
    /// become visible at once.
    pub(crate) fn adopt(&self, hash: u64, chains: &[(ChainKey<'_>, PackedSlot)]) {
        match chains {
            [] => {}
            [(_, single)] => self.table.set(hash, Some(*single)),
            many => {
                self.groups.found_all(hash, many);
                // Last, because a reader that sees the mark must find the group.
                self.table.set(hash, Some(PackedSlot::group(hash)));
            }
        }
    }

    /// The high 16 bits of a hash, which stand beside the slot in the index.
    #[inline]
    pub fn tag_from_hash(key_hash: u64) -> u16 {
        packed_slot::tag_from_hash(key_hash)
    }

    /// The tag of a key: [`tag_from_hash`](Self::tag_from_hash) of its XXH3-64.
    #[inline]
    pub fn tag_from_key(key: &[u8]) -> u16 {
        packed_slot::tag_from_hash(compute_hash(key))
    }

    /// Packs a 16-bit tag above a 48-bit value. Bits of `offset` above the low 48 are dropped.
    #[inline]
    pub fn pack(tag: u16, offset: u64) -> u64 {
        packed_slot::pack(tag, offset)
    }

    /// The inverse of [`pack`](Self::pack): the tag and the 48-bit value.
    #[inline]
    pub fn unpack(packed: u64) -> (u16, u64) {
        packed_slot::unpack(packed)
    }
}

impl Default for KeyIndexer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for KeyIndexer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Counts instead of contents: the words of an index mean nothing without the log.
        f.debug_struct("KeyIndexer").field("stats", &self.stats()).finish()
    }
}
