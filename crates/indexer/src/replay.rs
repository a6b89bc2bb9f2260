//! Rebuilding the index from the log.

use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, SlotSource};

impl KeyIndexer {
    /// Inserts a slot found by a walk through the log, backward from its tail: it counts only if its line
    /// is not there yet. Returns whether it did.
    ///
    /// In truth any order gives the same index, since of two versions of a line the one further up the log
    /// wins; but backward is cheapest, and only then does the answer mean that the slot is the newest version
    /// of its line. One thread at a time.
    ///
    /// # Errors
    ///
    /// What the source returns. The slot is not in the index then.
    ///
    /// # Costs
    ///
    /// One look-up. The source is asked only if the hash is there already: once, for the key of the newer
    /// version.
    ///
    /// # Locking
    ///
    /// A shard's lock.
    #[inline]
    pub fn insert_older<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        end: u64,
        identity: ChainKey<'_>,
        is_tombstone: bool,
        source: &S,
    ) -> Result<bool, S::Error> {
        let slot = PackedSlot::new(hash, end, is_tombstone, identity == ChainKey::Bare);
        let occupant = self.table.update(hash, |occupant| match occupant {
            None => Some(slot),
            Some(_) => None,
        });
        if occupant.is_none() {
            return Ok(true);
        }
        Ok(self.place(hash, identity, slot, 0, source)?.is_newest)
    }
}
