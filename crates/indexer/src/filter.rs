//! A filter that spares look-ups a layer that does not hold their hash.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive_entry_handle::prefetch;

/// Hashes per 64-bit word. About one absent hash in fifty passes the filter.
const HASHES_PER_WORD: u64 = 6;
const WORDS_MIN: u64 = 1 << 9;
const WORDS_MAX: u64 = 1 << 22;

/// How many of the highest bits of a mixed hash the filter uses.
pub(crate) const FILTER_BITS: u32 = 40;

/// A Bloom filter (Bloom, 1970) that keeps all bits of a hash in one word (Putze, Sanders, Singler,
/// "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). Any number of threads insert and query
/// without a lock.
///
/// Allocates nothing before the first insertion.
///
/// # Memory orders
///
/// Relaxed is enough. A reader must see the bits of every hash inserted before the tail it loaded
/// was published, and loading the tail guarantees that. A hash whose bits it misses was inserted
/// later, so it does not exist for that reader yet.
#[derive(Debug)]
pub(crate) struct Filter {
    len: u64,
    words: OnceLock<Box<[AtomicU64]>>,
}

impl Filter {
    /// A filter for about `hashes` hashes.
    pub(crate) fn new(hashes: u64) -> Self {
        let len = hashes.div_ceil(HASHES_PER_WORD).clamp(WORDS_MIN, WORDS_MAX);
        Self { len, words: OnceLock::new() }
    }

    #[inline]
    fn word(&self, mixed: u64) -> usize {
        // Multiply-shift; the product has at most 40 + 22 bits.
        (((mixed >> (u64::BITS - FILTER_BITS)) * self.len) >> FILTER_BITS) as usize
    }

    /// Whether a hash, given its mixed form, may have been inserted.
    #[inline]
    pub(crate) fn may_hold(&self, mixed: u64) -> bool {
        let Some(words) = self.words.get() else { return false };
        let mask = mask(mixed);
        words[self.word(mixed)].load(Ordering::Relaxed) & mask == mask
    }

    /// Prefetches what [`may_hold`](Self::may_hold) reads.
    #[inline]
    pub(crate) fn prefetch(&self, mixed: u64) {
        if let Some(words) = self.words.get() {
            prefetch(words.as_ptr().wrapping_add(self.word(mixed)).cast::<u8>());
        }
    }

    pub(crate) fn insert(&self, mixed: u64) {
        let words = self.words.get_or_init(|| self.no_bits());
        words[self.word(mixed)].fetch_or(mask(mixed), Ordering::Relaxed);
    }

    /// Like [`insert`](Self::insert), but for a filter that is not shared yet.
    #[inline]
    pub(crate) fn insert_alone(&mut self, mixed: u64) {
        let word = self.word(mixed);
        if self.words.get().is_none() {
            self.words = self.no_bits().into();
        }
        if let Some(words) = self.words.get_mut() {
            *words[word].get_mut() |= mask(mixed);
        }
    }

    fn no_bits(&self) -> Box<[AtomicU64]> {
        // The system hands out zeroed pages lazily: no time is spent, and pages never written use
        // no memory.
        bytemuck::zeroed_slice_box(self.len as usize)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.words.get().map_or(0, |words| size_of_val(&**words))
    }
}

/// Selects three bits of a word, using hash bits that do not select the word.
#[inline]
fn mask(mixed: u64) -> u64 {
    (1 << ((mixed >> 24) & 63)) | (1 << ((mixed >> 30) & 63)) | (1 << ((mixed >> 36) & 63))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scramble(i: u64) -> u64 {
        (i ^ (i >> 31))
            .wrapping_mul(0xBF58_476D_1CE4_E5B9)
            .rotate_left(27)
            .wrapping_mul(0x94D0_49BB_1331_11EB)
    }

    #[test]
    fn what_was_inserted_is_held_and_little_else() {
        let filter = Filter::new(10_000);
        assert!(!filter.may_hold(0) && filter.heap_bytes() == 0);
        for i in 0..10_000 {
            filter.insert(scramble(i));
        }
        assert!((0..10_000).all(|i| filter.may_hold(scramble(i))));
        let wrong = (10_000..20_000).filter(|i| filter.may_hold(scramble(*i))).count();
        assert!(wrong < 300, "{wrong} of 10,000");
    }
}
