//! The interface through which the index reads the log.

/// Identifies a chain among those of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKey<'a> {
    /// The entry was written under exactly these key bytes.
    Keyed(&'a [u8]),
    /// The entry was written under a bare hash and answers for every key of that hash.
    Bare,
}

/// What the index asks of a slot that it found in the log. Look-ups return the slot, so that nobody
/// reads it a second time.
pub trait Slot<'a>: Copy {
    /// The key bytes, or [`ChainKey::Bare`] for an entry written under a bare hash.
    fn chain_key(&self) -> ChainKey<'a>;

    /// The hash under which the slot was inserted: the XXH3-64 of its key, or its bare hash.
    fn hash(&self) -> u64;

    /// Whether the slot is a tombstone.
    fn is_tombstone(&self) -> bool;

    /// Where the previous version in the same chain ends, in bytes; 0 if there is none. It may be a
    /// tombstone, and lies below the start of this slot.
    fn previous_end(&self) -> u64;
}

/// A slot of a log that has nothing more to say of its slots than the index asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRef<'a> {
    /// Where the slot ends, in bytes.
    pub end: u64,
    /// See [`Slot::chain_key`].
    pub chain_key: ChainKey<'a>,
    /// See [`Slot::hash`].
    pub hash: u64,
    /// See [`Slot::is_tombstone`].
    pub is_tombstone: bool,
    /// See [`Slot::previous_end`].
    pub previous_end: u64,
}

impl<'a> Slot<'a> for SlotRef<'a> {
    #[inline]
    fn chain_key(&self) -> ChainKey<'a> {
        self.chain_key
    }

    #[inline]
    fn hash(&self) -> u64 {
        self.hash
    }

    #[inline]
    fn is_tombstone(&self) -> bool {
        self.is_tombstone
    }

    #[inline]
    fn previous_end(&self) -> u64 {
        self.previous_end
    }
}

/// The log, as the index sees it: maps the end of a slot to its contents.
///
/// The index stores no key bytes. It asks for them to compare keys, and follows
/// [`Slot::previous_end`] for readers at an older tail. Every look-up of an existing key makes one
/// such call, so an implementation should be little more than a bounds check and a few loads.
pub trait SlotSource {
    /// The error of a failed read. The index passes it through.
    type Error;

    /// A slot that was read.
    type Slot<'a>: Slot<'a>
    where
        Self: 'a;

    /// The slot that ends at `end`.
    ///
    /// `end` was inserted into the index before, or came from a [`Slot::previous_end`]. It may lie
    /// beyond the tail of the reader that asks: a slot must be readable from before it is inserted.
    ///
    /// # Errors
    ///
    /// Any error that prevents reading the slot, such as damage or an I/O error. The calling
    /// operation fails with it.
    ///
    /// # Locking
    ///
    /// The index holds no lock during the call, so it may block, or call the index again.
    fn slot(&self, end: u64) -> Result<Self::Slot<'_>, Self::Error>;

    /// The slot that ends at `end`, if it is sound and no more than a few loads are needed to know
    /// that. Look-ups fall back to [`slot`](SlotSource::slot).
    #[inline]
    fn quick_slot(&self, end: u64) -> Option<Self::Slot<'_>> {
        self.slot(end).ok()
    }

    /// A hint that a slot will be read soon, so that it can be fetched from memory in the meantime.
    #[inline]
    fn prefetch(&self, _end: u64) {}
}
