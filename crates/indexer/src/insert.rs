//! Insertion of a commit.

use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::place::Placed;
use crate::shard_order::{SORT_LEN_MIN, ShardOrder};
use crate::slot_source::{ChainKey, SlotSource};

/// A slot on its way into the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// The hash of the entry's key, or the one it was written under.
    pub hash: u64,
    /// Where the slot ends, in bytes: a multiple of 64, at most [`MAX_SLOT_END`](crate::MAX_SLOT_END).
    pub end: u64,
    /// Where the previous version of the same line ends; 0 if the line begins with this slot.
    pub replaces: u64,
    /// Whether the slot deletes its line.
    pub is_tombstone: bool,
    /// Whether the entry was written by hash alone.
    pub is_bare: bool,
    /// Whether the caller knows, from [`Current::is_known_hash`](crate::Current::is_known_hash), that the index holds
    /// nothing under the hash: that saves looking for it. `false` is always right.
    pub is_new: bool,
}

impl Insertion {
    #[inline]
    fn slot(&self) -> PackedSlot {
        PackedSlot::new(self.hash, self.end, self.is_tombstone, self.is_bare)
    }

    /// What to file under a hash, if that takes neither a group nor a comparison of keys.
    #[inline]
    fn slot_over(&self, occupant: Option<PackedSlot>) -> Option<PackedSlot> {
        // A line begins with `replaces` 0 and a group mark ends at 0, while no slot does.
        let is_plain =
            occupant.is_none_or(|slot| self.replaces != 0 && slot.end() == self.replaces);
        is_plain.then(|| self.slot())
    }
}

/// What was done for one item, so that it can be undone.
struct Applied {
    index: usize,
    before: Option<PackedSlot>,
}

impl KeyIndexer {
    /// Inserts the slots of a commit, in log order. At most one thread may insert at a time.
    ///
    /// Each becomes the newest version of its line. Readers at tails below the commit go on to see what was
    /// there before it: they follow the links of the new slots down. So every slot must be readable through
    /// the source before the call, and the store publishes its tail after it.
    ///
    /// One commit may hold several versions of a line, lines that collide with one another, and the tombstone
    /// of one line of a hash beside the value of another.
    ///
    /// # Errors
    ///
    /// What the source returns. Nothing of the commit is in the index then; a reader that was under way may
    /// still be looking at the links of its slots, so their bytes must not change while one can be.
    ///
    /// # Costs
    ///
    /// One look-up an item. From 64 items on, the lock of a shard is taken once for all items of a chunk of
    /// 1,024. The source is asked about an item only if its hash has another line, and never about a line's
    /// previous version if `replaces` names it.
    ///
    /// # Locking
    ///
    /// The lock of every shard concerned, one after the other. Readers of a shard wait for the few items
    /// that fall into it, or while it grows.
    pub fn insert_batch<S: SlotSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        if let [item] = items {
            return self.insert(item, source);
        }
        let mut applied = Vec::with_capacity(items.len());
        let result = if items.len() < SORT_LEN_MIN {
            self.insert_each(items, &mut applied, source)
        } else {
            self.insert_by_shard(items, &mut applied, source)
        };
        if result.is_err() {
            self.undo(items, &applied);
        }
        result
    }

    /// Inserts one slot: [`insert_batch`](Self::insert_batch) of a single item, under the same terms.
    ///
    /// # Errors
    ///
    /// What the source returns. The slot is not in the index then.
    #[inline]
    pub fn insert<S: SlotSource + ?Sized>(
        &self,
        item: &Insertion,
        source: &S,
    ) -> Result<(), S::Error> {
        self.insert_one(item, source).map(drop)
    }

    /// Returns the newest version of the line before.
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

    fn insert_by_shard<S: SlotSource + ?Sized>(
        &self,
        items: &[Insertion],
        applied: &mut Vec<Applied>,
        source: &S,
    ) -> Result<(), S::Error> {
        let mut order = self.table.new_order();
        let mut apart = Vec::new();
        for (chunk, first) in ShardOrder::chunks(items) {
            self.table.update_batch(
                chunk,
                &mut order,
                |item| item.hash,
                |index, occupant| {
                    let slot = chunk[index].slot_over(occupant);
                    let index = first + index;
                    match slot {
                        Some(_) => applied.push(Applied { index, before: occupant }),
                        None => apart.push(index),
                    }
                    slot
                },
            );
            // Putting these off reorders no line: once one of its versions waits here, the next finds neither
            // a vacant hash nor the version it replaces, and waits behind it.
            for index in apart.drain(..) {
                let before = self.insert_apart(&items[index], source)?.before;
                applied.push(Applied { index, before });
            }
        }
        Ok(())
    }

    /// Inserts an item whose hash has another line.
    #[cold]
    fn insert_apart<S: SlotSource + ?Sized>(
        &self,
        item: &Insertion,
        source: &S,
    ) -> Result<Placed, S::Error> {
        let identity = if item.is_bare { ChainKey::Bare } else { source.slot(item.end)?.identity };
        self.place(item.hash, identity, item.slot(), item.replaces, source)
    }

    /// Takes back a batch, last item first, so that every line passes through the states it came by. Groups
    /// that were founded for it stay: a group of one line, or none, reads like the hash did before.
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
