//! The interface through which the index reads the log.

use simd_r_drive_entry_handle::compute_hash;

/// Identifies a chain among those of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKey<'a> {
    /// The entry was written under exactly these key bytes.
    Keyed(&'a [u8]),
    /// The entry was written under a bare hash and answers for every key of that hash.
    Bare,
}

/// What the index needs to know of one slot of the log.
#[derive(Clone, Copy, Debug)]
pub struct SlotRef<'a> {
    /// The key bytes, or [`ChainKey::Bare`] for an entry written under a bare hash.
    pub identity: ChainKey<'a>,
    /// The hash a bare entry was written under. Meaningless for a keyed one.
    pub bare_hash: u64,
    /// Whether the slot is a tombstone.
    pub is_tombstone: bool,
    /// Where the previous version in the same chain ends, in bytes; 0 if there is none. It may be a
    /// tombstone, and lies below the start of this slot.
    pub previous_end: u64,
}

/// The log, as the index sees it: maps the end of a slot to its contents.
///
/// The index stores no key bytes. It asks for them to compare keys, and follows
/// [`SlotRef::previous_end`] for readers at an older tail. Every look-up of an existing key makes
/// one such call, so an implementation should be little more than a bounds check and a few loads.
pub trait SlotSource {
    /// The error of a failed read. The index passes it through.
    type Error;

    /// Describes the slot that ends at `end`.
    ///
    /// `end` was inserted into the index before, or came from a [`SlotRef::previous_end`]. It may
    /// lie beyond the tail of the reader that asks: a slot must be readable from before it is
    /// inserted.
    ///
    /// # Errors
    ///
    /// Any error that prevents reading the slot, such as damage or an I/O error. The calling
    /// operation fails with it.
    ///
    /// # Locking
    ///
    /// The index holds no lock during the call, so it may block, or call the index again.
    fn slot(&self, end: u64) -> Result<SlotRef<'_>, Self::Error>;

    /// The hash under which a slot was inserted: the XXH3-64 of its key, or its bare hash.
    #[inline]
    fn hash_of(&self, slot: &SlotRef<'_>) -> u64 {
        match slot.identity {
            ChainKey::Keyed(key) => compute_hash(key),
            ChainKey::Bare => slot.bare_hash,
        }
    }

    /// A hint that a slot will be read soon, so that it can be fetched from memory in the meantime.
    #[inline]
    fn prefetch(&self, _end: u64) {}
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
