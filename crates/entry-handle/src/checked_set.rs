//! What has been checked already.

use std::sync::atomic::{AtomicU64, Ordering};

/// A set of numbers below a limit, for what needs to be checked only once in a process: lines of an
/// index, slots of a log. Any number of threads use it without a lock.
#[derive(Debug)]
pub struct CheckedSet(Box<[AtomicU64]>);

impl CheckedSet {
    /// An empty set for numbers below `limit`. Others can be inserted, but are not kept.
    ///
    /// # Costs
    /// Reserves a bit for each number. Memory is used as numbers are inserted, a page at a time. If
    /// there is too little memory, the set keeps nothing.
    pub fn new(limit: u64) -> Self {
        let words = usize::try_from(limit.div_ceil(64)).unwrap_or(usize::MAX);
        Self(bytemuck::try_zeroed_slice_box(words).unwrap_or_default())
    }

    /// Whether `number` was inserted.
    // Relaxed: what was checked does not change, so there is nothing to order.
    #[inline]
    pub fn contains(&self, number: u64) -> bool {
        let Some(word) = self.0.get((number / 64) as usize) else { return false };
        word.load(Ordering::Relaxed) >> (number % 64) & 1 != 0
    }

    /// Inserts `number`.
    pub fn insert(&self, number: u64) {
        if let Some(word) = self.0.get((number / 64) as usize) {
            word.fetch_or(1 << (number % 64), Ordering::Relaxed);
        }
    }

    /// Forgets all numbers, so that what is used from now on is checked again.
    pub fn clear(&self) {
        // Words that are zero may be in memory that was never used. Reading does not change that.
        for word in self.0.iter().filter(|word| word.load(Ordering::Relaxed) != 0) {
            word.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_inserted_below_its_limit() {
        let set = CheckedSet::new(130);
        for number in [0, 63, 64, 129, 1 << 40, u64::MAX] {
            assert!(!set.contains(number));
            set.insert(number);
            assert_eq!(set.contains(number), number < 130, "{number}");
        }
        assert!(!set.contains(1));
        set.clear();
        assert!(!set.contains(63));
        assert!(!CheckedSet::new(0).contains(0));
    }

    #[test]
    fn too_little_memory_is_no_error() {
        let set = CheckedSet::new(u64::MAX);
        set.insert(1);
        assert!(!set.contains(1));
    }
}
