//! The secret hash that tells the keys of one group apart.

use std::hash::{BuildHasher, RandomState};

/// Where in a group a key belongs.
///
/// The keys of a group share their XXH3 hash, by chance or because someone searched for such keys.
/// A second public hash could be attacked the same way, so this one is SipHash with a random secret
/// of this index. It is slower than XXH3, but runs only for keys that collide.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    secret: RandomState,
    #[cfg(test)]
    mask: u64,
}

impl Fingerprints {
    pub(crate) fn new() -> Self {
        Self {
            secret: RandomState::new(),
            #[cfg(test)]
            mask: u64::MAX,
        }
    }

    /// Fingerprints of a few bits, so that tests meet colliding fingerprints too.
    #[cfg(test)]
    pub(crate) fn with_mask(mask: u64) -> Self {
        Self { secret: RandomState::new(), mask }
    }

    #[cfg(not(test))]
    pub(crate) fn of(&self, key: &[u8]) -> u64 {
        self.secret.hash_one(key)
    }

    #[cfg(test)]
    pub(crate) fn of(&self, key: &[u8]) -> u64 {
        self.secret.hash_one(key) & self.mask
    }
}
