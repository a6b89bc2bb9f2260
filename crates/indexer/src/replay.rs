//! Rebuilding the index from the log.

use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, SlotSource};

impl KeyIndexer {
    /// Inserts a slot found while walking the log backward from its tail. It is ignored if the
    /// index already holds a newer version of its chain. Returns whether it was inserted as the
    /// newest version.
    ///
    /// The order does not affect the resulting index, since of two versions of a chain the one
    /// further up the log wins. But backward order is cheapest, and only then does the result tell
    /// whether the slot is the newest version of its chain. Only one thread may insert at a time.
    ///
    /// # Errors
    ///
    /// Any error of the source. The index then does not hold the slot.
    ///
    /// # Costs
    ///
    /// One look-up. The source is called only if the hash is already present: once, for the key of
    /// the newer version.
    ///
    /// # Locking
    ///
    /// Takes a shard's lock.
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
