//! The few keys, hashes and values that all tests use, so that they meet again and again.

use std::sync::{Arc, OnceLock};

use simd_r_drive::compute_hash;

use crate::colliding::colliding_keys;

/// Names a key; see [`key`].
pub type KeyId = usize;

/// Names a hash for calls without a key; see [`hash`].
pub type HashId = usize;

/// Hashes that are no key's.
const NUMBERS: [u64; 4] = [0, 1, 2, u64::MAX];

/// A key: the empty one, short ones, three of one hash, the longest.
pub fn key(id: KeyId) -> &'static [u8] {
    &keys()[id]
}

/// How many keys there are. The last one is the longest.
pub fn key_count() -> usize {
    keys().len()
}

/// A hash: that of a key, or a number that somebody might use as one.
pub fn hash(id: HashId) -> u64 {
    match keys().get(id) {
        Some(key) => compute_hash(key),
        None => NUMBERS[id - key_count()],
    }
}

/// How many hashes there are: of keys first.
pub fn hash_count() -> usize {
    key_count() + NUMBERS.len()
}

fn keys() -> &'static [Vec<u8>] {
    static KEYS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys = vec![Vec::new(), b"a".to_vec(), b"a key of 24 bytes, padded".to_vec()];
        keys.extend(colliding_keys(3));
        keys.push(b"one more key".to_vec());
        keys.push(vec![b'k'; u16::MAX.into()]);
        keys
    })
}

/// A value, by its length and what it is filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// Length in bytes.
    pub len: usize,
    /// 0 for zeros, else bytes that follow from it.
    pub seed: u8,
}

impl Value {
    /// Its bytes.
    pub fn bytes(self) -> Arc<[u8]> {
        let seed = u32::from(self.seed);
        (0..self.len as u32)
            .map(|at| match seed {
                0 => 0,
                _ => (at.wrapping_add(seed).wrapping_mul(0x9e37_79b1) >> 24) as u8,
            })
            .collect()
    }
}
