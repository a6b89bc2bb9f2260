//! The secret hash that tells the keys of one group apart.

use std::hash::{BuildHasher, RandomState};

/// Where in a group a key belongs.
///
/// The keys of a group have the same XXH3 hash, by chance or because someone searched for them, so a
/// second public hash would help nobody: this one is SipHash under a random secret of this index. It is slow
/// next to XXH3, and only runs for keys that collide.
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

    /// Fingerprints of a few bits, so that tests meet keys whose fingerprints collide too.
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
