//! The few keys, hashes and values that all tests use, so that operations often hit the same key.

use std::sync::{Arc, OnceLock};

use simd_r_drive::compute_hash;

use crate::colliding::colliding_keys;

/// Names a key; see [`key`].
pub type KeyId = usize;

/// Names a hash for calls without a key; see [`hash`].
pub type HashId = usize;

/// Hashes that belong to no key.
const NUMBERS: [u64; 4] = [0, 1, 2, u64::MAX];

/// The key `id`: there are the empty one, short ones, three with the same hash, and the longest.
pub fn key(id: KeyId) -> &'static [u8] {
    &keys()[id]
}

/// How many keys there are. The last one is the longest.
pub fn key_count() -> usize {
    keys().len()
}

/// The hash `id`: those of the keys come first, then numbers that a caller might use as hashes.
pub fn hash(id: HashId) -> u64 {
    match keys().get(id) {
        Some(key) => compute_hash(key),
        None => NUMBERS[id - key_count()],
    }
}

/// How many hashes there are.
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

/// A value, described by its length and its filling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    /// Length in bytes.
    pub len: usize,
    /// 0 for zeros; any other seed determines the bytes.
    pub seed: u8,
}

impl Value {
    /// The bytes of the value.
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
