//! Superseded slots, remembered during a walk from newest to oldest.

/// Maximum number of slots remembered.
const SLOTS: usize = 1 << 10;

/// Slots that a newer slot of the same chain was seen to supersede. They are dead as of any tail at
/// or above that slot. This saves index look-ups, each of which might have to follow the versions
/// written since.
///
/// Slots that collide replace each other, so this is only a shortcut.
#[derive(Debug, Default)]
pub(crate) struct Superseded {
    /// Indexed by a hash of the offset; empty until the first insertion.
    slots: Vec<DeadSlot>,
}

/// A slot, by its end, with the hash of its entry and whether it is bare. A forged slot may name a
/// slot of another chain as its previous version; that must not make the other slot dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DeadSlot {
    pub(crate) end: u64,
    pub(crate) hash: u64,
    pub(crate) is_bare: bool,
}

impl Superseded {
    /// Remembers a slot.
    #[inline]
    pub(crate) fn insert(&mut self, slot: DeadSlot) {
        if self.slots.is_empty() {
            self.slots = vec![DeadSlot::default(); SLOTS];
        }
        if let Some(place) = self.slots.get_mut(place(slot.end)) {
            *place = slot;
        }
    }

    /// Whether a slot is remembered.
    #[inline]
    pub(crate) fn contains(&self, slot: DeadSlot) -> bool {
        self.slots.get(place(slot.end)) == Some(&slot)
    }
}

/// Fibonacci hashing (Knuth, volume 3, section 6.4): spreads neighbours and regular distances.
#[inline]
fn place(end: u64) -> usize {
    (end.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOTS.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_remembered_for_its_own_entry_alone() {
        let mut superseded = Superseded::default();
        let slot = DeadSlot { end: 20_480, hash: 7, is_bare: false };
        assert!(!superseded.contains(slot));
        superseded.insert(slot);
        assert!(superseded.contains(slot));
        assert!(!superseded.contains(DeadSlot { hash: 8, ..slot }));
        assert!(!superseded.contains(DeadSlot { is_bare: true, ..slot }));
        assert!(!superseded.contains(DeadSlot { end: 20_544, ..slot }));
    }
}
