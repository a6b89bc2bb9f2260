//! What a walk from the newest slot to the oldest remembers of slots to come.

/// Slots that are remembered, at most.
const SLOTS: usize = 1 << 10;

/// Slots that a newer one of the same entry was seen to follow. They are dead, as of any tail at or above that one,
/// without a look into the index: which might have to follow the versions that were written since, for each of them anew.
///
/// Forgets what other slots take the place of, and so is no more than a short cut.
#[derive(Debug, Default)]
pub(crate) struct Superseded {
    /// A slot at the place that its offset gives it; empty before the first.
    slots: Vec<DeadSlot>,
}

/// A slot, by its end, with the hash of its entry, and whether that was written by hash alone. A slot that was made up may
/// name one of another entry as the version before: that is not dead for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DeadSlot {
    pub(crate) end: u64,
    pub(crate) hash: u64,
    pub(crate) is_bare: bool,
}

impl Superseded {
    /// Remembers a slot.
    #[inline]
    pub(crate) fn insert(&mut self, line: DeadSlot) {
        if self.slots.is_empty() {
            self.slots = vec![DeadSlot::default(); SLOTS];
        }
        if let Some(place) = self.slots.get_mut(place(line.end)) {
            *place = line;
        }
    }

    /// Whether a slot is remembered.
    #[inline]
    pub(crate) fn contains(&self, line: DeadSlot) -> bool {
        self.slots.get(place(line.end)) == Some(&line)
    }
}

/// Fibonacci hashing (Knuth, volume 3, section 6.4): neighbours and regular distances spread.
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
        let line = DeadSlot { end: 20_480, hash: 7, is_bare: false };
        assert!(!superseded.contains(line));
        superseded.insert(line);
        assert!(superseded.contains(line));
        assert!(!superseded.contains(DeadSlot { hash: 8, ..line }));
        assert!(!superseded.contains(DeadSlot { is_bare: true, ..line }));
        assert!(!superseded.contains(DeadSlot { end: 20_544, ..line }));
    }
}
