//! The result of a table look-up, before any slot is read.

use crate::packed_slot::PackedSlot;
use crate::quick::{Quick, quick_slot_of};
use crate::slot_source::SlotSource;

/// What the index holds for one hash, copied out: the first half of a look-up.
///
/// [`KeyIndexer::locate`](crate::KeyIndexer::locate) returns it, and
/// [`KeyIndexer::resolve`](crate::KeyIndexer::resolve) turns it into an answer. In between, a
/// caller can start loading the slots of a whole batch. A location stays valid: resolved later, it
/// answers for the tails that were published when it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location(pub(crate) PackedSlot);

impl Location {
    /// Where the slot that [`resolve`](crate::KeyIndexer::resolve) reads first ends, in bytes:
    /// worth prefetching. `None` if the hash has several chains, or if no slot needs to be read
    /// because the chain is deleted.
    #[inline]
    pub fn prefetch_end(self) -> Option<u64> {
        (!self.0.is_group() && !self.0.is_tombstone()).then(|| self.0.end())
    }

    /// Where the newest slot of the hash's only chain ends; 0 if it has several.
    #[inline]
    pub(crate) fn end(self) -> u64 {
        self.0.end()
    }

    /// [`KeyIndexer::resolve`](crate::KeyIndexer::resolve) for the usual case.
    #[inline(always)]
    pub(crate) fn quick_resolve<'s, S: SlotSource + ?Sized>(
        self,
        key: &[u8],
        tail: u64,
        source: &'s S,
    ) -> Quick<S::Slot<'s>> {
        let newest = self.0;
        if newest.is_group() || newest.end() > tail {
            Quick::Unclear
        } else if newest.is_tombstone() {
            Quick::Absent
        } else {
            quick_slot_of(key, newest.end(), source)
        }
    }
}
