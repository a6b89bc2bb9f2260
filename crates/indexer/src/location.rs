//! What a look-up in the table yields before any slot was read.

use crate::packed_slot::PackedSlot;

/// The entry of one hash in the index, copied out: the first half of a look-up.
///
/// [`KeyIndexer::locate`](crate::KeyIndexer::locate) yields it and
/// [`KeyIndexer::resolve`](crate::KeyIndexer::resolve) turns it into an answer. Between the two a caller can
/// start loading the slots of a whole batch. A location stays valid: resolved later, it answers for the
/// tails that were published when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location(pub(crate) PackedSlot);

impl Location {
    /// Where the slot that [`resolve`](crate::KeyIndexer::resolve) reads first ends, in bytes: worth
    /// prefetching. `None` if the hash has several lines, or if no slot needs reading because the line is
    /// deleted.
    #[inline]
    pub fn prefetch_end(self) -> Option<u64> {
        (!self.0.is_group() && !self.0.is_tombstone()).then(|| self.0.end())
    }

    /// Where the newest slot of the hash's only line ends; 0 if it has several.
    #[inline]
    pub(crate) fn end(self) -> u64 {
        self.0.end()
    }
}
