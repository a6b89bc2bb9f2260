//! Hashes and checksums of keys and payloads.

use std::hash::{BuildHasher, Hasher};

use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// XXH3-64 of `key` with seed 0. It will never change, because users store these hashes.
///
/// Algorithm: XXH3 by Yann Collet,
/// <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>.
#[inline]
pub fn compute_hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}

/// [`compute_hash`] of every key, in order. Allocates the result.
pub fn compute_hash_batch(keys: &[&[u8]]) -> Vec<u64> {
    keys.iter().map(|key| compute_hash(key)).collect()
}

/// CRC-32 (IEEE 802.3) of `data`, little-endian, as stored in a trailer.
#[inline]
pub fn compute_checksum(data: &[u8]) -> [u8; 4] {
    crc32fast::hash(data).to_le_bytes()
}

/// Streaming XXH3-64 with seed 0 behind [`std::hash::Hasher`].
#[derive(Clone, Default)]
pub struct Xxh3Hasher(Xxh3Default);

impl Hasher for Xxh3Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.digest()
    }
}

/// Builds [`Xxh3Hasher`]s, for maps keyed by byte strings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Xxh3BuildHasher;

impl BuildHasher for Xxh3BuildHasher {
    type Hasher = Xxh3Hasher;

    fn build_hasher(&self) -> Xxh3Hasher {
        Xxh3Hasher::default()
    }
}

/// Passes a `u64` through unchanged, for maps whose keys are hashes already.
///
/// Do not use it for keys that an attacker can choose. The engine's own index mixes every hash with
/// a secret first. Anything but a `u64` is hashed with XXH3-64 and folded in.
#[derive(Debug, Clone, Copy, Default)]
pub struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Builds [`IdentityHasher`]s.
pub type IdentityBuildHasher = std::hash::BuildHasherDefault<IdentityHasher>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_hash_is_xxh3_64_with_seed_0() {
        // Test vector of the reference implementation: XXH3-64 of the empty string, seed 0.
        assert_eq!(compute_hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(compute_hash_batch(&[b"", b"a"]), [compute_hash(b""), compute_hash(b"a")]);
    }

    #[test]
    fn checksum_is_the_ieee_crc_32_check_value() {
        assert_eq!(compute_checksum(b"123456789"), 0xcbf4_3926_u32.to_le_bytes());
    }

    #[test]
    fn streaming_hasher_agrees_with_one_shot() {
        let mut hasher = Xxh3BuildHasher.build_hasher();
        hasher.write(b"abc");
        hasher.write(b"def");
        assert_eq!(hasher.finish(), compute_hash(b"abcdef"));
        let mut identity = IdentityBuildHasher::default().build_hasher();
        identity.write_u64(42);
        assert_eq!(identity.finish(), 42);
    }
}
