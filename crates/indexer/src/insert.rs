//! Insertion of a commit.

use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::place::Placed;
use crate::slot_source::{ChainKey, Slot as _, SlotSource};

/// A slot to be inserted into the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// The hash of the entry's key, or the one it was written under.
    pub hash: u64,
    /// Where the slot ends, in bytes: a multiple of 64, at most
    /// [`MAX_SLOT_END`](crate::MAX_SLOT_END).
    pub end: u64,
    /// Where the previous version in the same chain ends; 0 if this slot begins the chain.
    pub replaces: u64,
    /// Whether the slot is a tombstone.
    pub is_tombstone: bool,
    /// Whether the entry was written under a bare hash.
    pub is_bare: bool,
    /// Whether the caller knows, from [`Current::is_known_hash`](crate::Current::is_known_hash),
    /// that the index holds nothing under the hash. This saves a look-up. `false` is always
    /// correct.
    pub is_new: bool,
    /// Whether the caller knows, from [`Current::is_settled`](crate::Current::is_settled), that the
    /// active layer needs no other chain of the hash. This saves a look-up. `false` is always
    /// correct.
    pub is_settled: bool,
}

impl Insertion {
    #[inline]
    fn slot(&self) -> PackedSlot {
        PackedSlot::new(self.hash, self.end, self.is_tombstone, self.is_bare)
    }

    /// The word to file under the hash, if this needs neither a group nor a comparison of keys.
    #[inline]
    fn slot_over(&self, occupant: Option<PackedSlot>) -> Option<PackedSlot> {
        // `replaces` is 0 where a chain begins, and a group mark has end 0, but no slot ends at 0.
        let is_plain =
            occupant.is_none_or(|slot| self.replaces != 0 && slot.end() == self.replaces);
        is_plain.then(|| self.slot())
    }
}

/// A change made for one item, kept so that it can be undone.
struct Applied {
    index: usize,
    before: Option<PackedSlot>,
}

impl KeyIndexer {
    /// Inserts the slots of a commit, in log order. At most one thread may insert at a time.
    ///
    /// Each slot becomes the newest version of its chain. Readers at earlier tails keep seeing what
    /// was there before, because they follow the links of the new slots down. The caller must
    /// therefore make every slot readable through the source before the call, and publish the new
    /// tail after it.
    ///
    /// A commit may hold several versions of one chain, chains whose hashes collide, and a
    /// tombstone of one chain together with a value of another chain of the same hash.
    ///
    /// # Errors
    ///
    /// Any error of the source. The index then holds nothing of the commit. A concurrent reader may
    /// still be following the links of its slots, so their bytes must not change while such a
    /// reader is active.
    ///
    /// # Costs
    ///
    /// One look-up per item. The source is called for an item only if its hash has another chain,
    /// and never for a previous version that `replaces` names.
    ///
    /// # Locking
    ///
    /// Takes the lock of each affected shard, one at a time. Readers of a shard wait while its few
    /// items are inserted, or while it grows.
    pub fn insert_batch<S: SlotSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        if let [item] = items {
            return self.insert(item, source);
        }
        let mut applied = Vec::with_capacity(items.len());
        let result = self.insert_each(items, &mut applied, source);
        if result.is_err() {
            self.undo(items, &applied);
        }
        result
    }

    /// Inserts one slot. The same as [`insert_batch`](Self::insert_batch) with a single item.
    ///
    /// # Errors
    ///
    /// Any error of the source. The index then does not hold the slot.
    #[inline]
    pub fn insert<S: SlotSource + ?Sized>(
        &self,
        item: &Insertion,
        source: &S,
    ) -> Result<(), S::Error> {
        self.insert_one(item, source).map(drop)
    }

    /// Returns the previous newest version of the chain.
    #[inline]
    fn insert_one<S: SlotSource + ?Sized>(
        &self,
        item: &Insertion,
        source: &S,
    ) -> Result<Option<PackedSlot>, S::Error> {
        let mut is_plain = false;
        let before = self.table.update(item.hash, |occupant| {
            let slot = item.slot_over(occupant);
            is_plain = slot.is_some();
            slot
        });
        if is_plain { Ok(before) } else { Ok(self.insert_apart(item, source)?.before) }
    }

    fn insert_each<S: SlotSource + ?Sized>(
        &self,
        items: &[Insertion],
        applied: &mut Vec<Applied>,
        source: &S,
    ) -> Result<(), S::Error> {
        for (index, item) in items.iter().enumerate() {
            let before = self.insert_one(item, source)?;
            applied.push(Applied { index, before });
        }
        Ok(())
    }

    /// Inserts an item whose hash has another chain.
    #[cold]
    fn insert_apart<S: SlotSource + ?Sized>(
        &self,
        item: &Insertion,
        source: &S,
    ) -> Result<Placed, S::Error> {
        let identity =
            if item.is_bare { ChainKey::Bare } else { source.slot(item.end)?.chain_key() };
        self.place(item.hash, identity, item.slot(), item.replaces, source)
    }

    /// Undoes a batch, last item first, so that every chain passes back through its earlier states.
    /// Groups created for the batch remain: a group of one chain or none reads like the hash did
    /// before.
    #[cold]
    fn undo(&self, items: &[Insertion], applied: &[Applied]) {
        for Applied { index, before } in applied.iter().rev() {
            let Insertion { hash, end, .. } = items[*index];
            if self.table.get(hash).is_some_and(PackedSlot::is_group) {
                self.groups.retract(hash, end, *before);
            } else {
                self.table.set(hash, *before);
            }
        }
    }
}
