//! What the index asks of the log.

use simd_r_drive_entry_handle::compute_hash;

use crate::indexer::KeyIndexer;

/// Whose versions a line holds: an entry belongs to the line of its hash and its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKey<'a> {
    /// The entry was written under these exact key bytes.
    Keyed(&'a [u8]),
    /// The entry was written by hash alone and answers for every key of that hash.
    Bare,
}

/// What the index needs to know of one slot of the log.
#[derive(Clone, Copy, Debug)]
pub struct SlotRef<'a> {
    /// The key bytes, or [`ChainKey::Bare`] for an entry that was written by hash alone.
    pub identity: ChainKey<'a>,
    /// The hash that a bare entry was written by; of no meaning for others.
    pub bare_hash: u64,
    /// Whether the slot deletes its line.
    pub is_tombstone: bool,
    /// Where the previous version of the same line ends, in bytes; 0 if there is none. It may be a
    /// tombstone, and lies below the start of this slot.
    pub previous_end: u64,
}

/// The log, as the index sees it: from the end of a slot to what stands in it.
///
/// The index keeps no key bytes. It asks for them where it has to compare keys, and follows
/// [`SlotRef::previous_end`] where a reader looks at an older point in time. Every look-up of a present key
/// makes one such call, so an implementation should be a bounds check and a few loads.
pub trait SlotSource {
    /// Why a slot could not be described. The index passes it through.
    type Error;

    /// Describes the slot that ends at `end`.
    ///
    /// `end` was handed to the index before, or was named by a [`SlotRef::previous_end`]. It may lie beyond
    /// the tail of the reader that asks: a slot must be readable from before it is inserted.
    ///
    /// # Errors
    ///
    /// Whatever keeps the slot from being read, damage or a medium error. The operation that asked gives up
    /// and returns it.
    ///
    /// # Locking
    ///
    /// No lock of the index is held during the call, so it may block, or call the index again.
    fn slot(&self, end: u64) -> Result<SlotRef<'_>, Self::Error>;

    /// The hash under which a slot was inserted: the XXH3-64 of its key, or the one it was written by.
    #[inline]
    fn hash_of(&self, slot: &SlotRef<'_>) -> u64 {
        match slot.identity {
            ChainKey::Keyed(key) => compute_hash(key),
            ChainKey::Bare => slot.bare_hash,
        }
    }

    /// Told of a slot that will be asked for soon, so that it can be fetched from memory meanwhile.
    #[inline]
    fn prefetch(&self, _end: u64) {}
}

/// A log that can be read as a whole, where an index in it is damaged.
pub trait RebuildSource: SlotSource {
    /// What it does while the index holds a lock.
    type UnderLock;

    /// Called before a lock is taken under which [`rebuild`](RebuildSource::rebuild) runs; the result is dropped when
    /// the lock is free again. Whoever would wait for the lock must not be waited for in between.
    fn under_lock(&self) -> Self::UnderLock;

    /// An index of all slots that end at or below `tail`, from the log alone.
    ///
    /// # Errors
    ///
    /// Whatever keeps a slot from being read.
    fn rebuild(&self, tail: u64) -> Result<KeyIndexer, Self::Error>;
}

impl<S: SlotSource + ?Sized> SlotSource for &S {
    type Error = S::Error;

    #[inline]
    fn slot(&self, end: u64) -> Result<SlotRef<'_>, Self::Error> {
        (**self).slot(end)
    }

    #[inline]
    fn hash_of(&self, slot: &SlotRef<'_>) -> u64 {
        (**self).hash_of(slot)
    }

    #[inline]
    fn prefetch(&self, end: u64) {
        (**self).prefetch(end);
    }
}
