//! What a look-up finds without the rarer steps.

use crate::slot_source::{ChainKey, Slot as _, SlotSource};

/// The answer of a look-up that takes no rare step. It reports no error: where it meets one, or
/// anything else out of the ordinary, the answer is unclear, and the full look-up gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quick<T> {
    /// The live slot of the key.
    Found(T),
    /// There is none.
    Absent,
    /// Only the full look-up can tell.
    Unclear,
}

/// The slot that ends at `end`, if it is of `key`. It must be the newest version of its chain.
#[inline(always)]
pub(crate) fn quick_slot_of<'s, S: SlotSource + ?Sized>(
    key: &[u8],
    end: u64,
    source: &'s S,
) -> Quick<S::Slot<'s>> {
    match source.quick_slot(end) {
        Some(slot) if slot.chain_key() == ChainKey::Keyed(key) => {
            if slot.is_tombstone() {
                Quick::Absent
            } else {
                Quick::Found(slot)
            }
        }
        _ => Quick::Unclear,
    }
}
