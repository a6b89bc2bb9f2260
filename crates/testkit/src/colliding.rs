//! Different keys with the same hash.

/// The first eight bytes of XXH3's default secret.
const SECRET_WORD: [u8; 8] = [0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe];

/// `count` different keys of 32 bytes with the same XXH3-64 (seed 0).
///
/// For 17 to 128 bytes, XXH3 sums, over lanes of 16 bytes, the folded products
/// `(low word ^ secret) * (high word ^ secret)`. A low word that equals its secret makes the
/// product zero and leaves the high word free.
pub fn colliding_keys(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            let mut key = Vec::with_capacity(32);
            key.extend_from_slice(&SECRET_WORD);
            key.extend_from_slice(&number.to_le_bytes());
            key.extend_from_slice(b"the same hash!!!");
            key
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use simd_r_drive::compute_hash;

    use super::*;

    #[test]
    fn colliding_keys_differ_and_share_their_hash() {
        let keys = colliding_keys(1000);
        let hashes: HashSet<u64> = keys.iter().map(|key| compute_hash(key)).collect();
        assert_eq!(hashes.len(), 1);
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1000);
    }
}
