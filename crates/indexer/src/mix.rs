//! How hashes are mixed before they choose a place.

use std::hash::{BuildHasher, Hasher, RandomState};

use simd_r_drive_entry_handle::Layout;

/// Mixes the 64-bit hashes of callers with secrets: of the file for tables, and of the process for
/// layers in memory.
///
/// Callers may use any `u64` as a hash: page numbers 1, 2, 3, or values chosen for an attack. A
/// layer takes the shard from the high bits and the bucket from the low ones, a table takes the
/// bucket from the high bits and a tag from those below. So each bit must depend on every input
/// bit.
///
/// A bijection: equal mixed hashes are equal hashes. It has the shape of the finalizers of
/// MurmurHash3 and SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014), with secret multipliers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixer {
    mask: u64,
    first: u64,
    second: u64,
}

impl Mixer {
    /// The mixer of a file's tables.
    pub(crate) fn of_file(layout: &Layout) -> Self {
        let purposes: [&[u8]; 3] = [b"index mask", b"index first", b"index second"];
        Self::new(purposes.map(|purpose| layout.derived_secret(purpose)))
    }

    /// A mixer with secrets of its own.
    pub(crate) fn random() -> Self {
        let random = RandomState::new();
        Self::new([0_u64, 1, 2].map(|number| random.hash_one(number)))
    }

    fn new([mask, first, second]: [u64; 3]) -> Self {
        // Odd, so that no bit is shifted out of a product.
        Self { mask, first: first | 1, second: second | 1 }
    }

    #[inline]
    pub(crate) fn mix(&self, hash: u64) -> u64 {
        let mut mixed = hash ^ self.mask;
        mixed = (mixed ^ (mixed >> 32)).wrapping_mul(self.first);
        mixed = (mixed ^ (mixed >> 29)).wrapping_mul(self.second);
        mixed ^ (mixed >> 32)
    }
}

impl BuildHasher for Mixer {
    type Hasher = MixHasher;

    #[inline]
    fn build_hasher(&self) -> MixHasher {
        MixHasher { mixer: *self, state: 0 }
    }
}

/// The [`Hasher`] for [`Mixer`]. The tables of this crate feed it exactly one `u64`.
pub(crate) struct MixHasher {
    mixer: Mixer,
    state: u64,
}

impl Hasher for MixHasher {
    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.state = self.mixer.mix(self.state ^ value);
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.state
    }
}
