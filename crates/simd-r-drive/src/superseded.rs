//! What a walk from the newest slot to the oldest remembers of slots to come.

/// Slots that are remembered, at most.
const SLOTS: usize = 1 << 10;

/// Ends of slots that a newer version of the same entry was seen to follow. They are dead, as of any tail at or above
/// that one, without a look into the index: which might have to follow the versions that were written since, for each of
/// them anew.
///
/// Forgets what other slots take the place of, and so is no more than a short cut.
#[derive(Debug, Default)]
pub(crate) struct Superseded {
    /// The end of a slot at the place that its offset gives it; empty before the first.
    ends: Vec<u64>,
}

impl Superseded {
    /// Remembers the slot that ends at `end`.
    #[inline]
    pub(crate) fn insert(&mut self, end: u64) {
        if self.ends.is_empty() {
            self.ends = vec![0; SLOTS];
        }
        if let Some(place) = self.ends.get_mut(place(end)) {
            *place = end;
        }
    }

    /// Whether the slot that ends at `end` is remembered.
    #[inline]
    pub(crate) fn contains(&self, end: u64) -> bool {
        self.ends.get(place(end)) == Some(&end)
    }
}

/// Fibonacci hashing (Knuth, volume 3, section 6.4): neighbours and regular distances spread.
#[inline]
fn place(end: u64) -> usize {
    (end.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - SLOTS.ilog2())) as usize
}
