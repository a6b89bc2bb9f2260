//! How a hash picks a shard and a bucket.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Mixes the 64-bit hashes of callers with a secret of this index.
///
/// Callers may use any `u64` as a hash: page numbers 1, 2, 3, or values chosen for an attack. The
/// table takes the shard from the high bits and the bucket from the low ones, so both must depend
/// on every input bit. Each round folds the two halves of a 128-bit product together. Two rounds
/// are needed: after one, evenly spaced hashes are still nearly evenly spaced, and about one secret
/// in a hundred crowds them into a few shards.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    first: u64,
    second: u64,
    multiplier: u64,
}

impl Mix {
    pub(crate) fn new() -> Self {
        let random = RandomState::new();
        Self {
            first: random.hash_one(0_u64),
            second: random.hash_one(1_u64),
            // Odd, so that no input bit is shifted out of the product.
            multiplier: random.hash_one(2_u64) | 1,
        }
    }

    #[inline]
    pub(crate) fn mix(self, hash: u64) -> u64 {
        let once = folded_product(hash ^ self.first, self.multiplier);
        folded_product(once ^ self.second, self.multiplier)
    }
}

#[inline]
fn folded_product(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

impl BuildHasher for Mix {
    type Hasher = MixHasher;

    #[inline]
    fn build_hasher(&self) -> MixHasher {
        MixHasher { mix: *self, state: 0 }
    }
}

/// The [`Hasher`] for [`Mix`]. The tables of this crate feed it exactly one `u64`.
pub(crate) struct MixHasher {
    mix: Mix,
    state: u64,
}

impl Hasher for MixHasher {
    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.state = self.mix.mix(self.state ^ value);
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
