//! The hash of a key.

use xxhash_rust::xxh3::xxh3_64;

/// XXH3-64, seed 0, of the key bytes: the hash under which the store files a key.
#[inline]
pub(crate) fn hash_of_key(key: &[u8]) -> u64 {
    xxh3_64(key)
}
