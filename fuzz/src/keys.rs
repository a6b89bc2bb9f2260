//! A few keys, so that operations often hit the same one: ordinary ones, the shortest, the longest,
//! one that is too long, and some with the same hash.

use simd_r_drive::compute_hash;

/// The number of keys that [`key`] distinguishes.
pub const COUNT: u8 = 16;

/// The key with this number.
pub fn key(number: u8) -> Vec<u8> {
    match number % COUNT {
        0 => Vec::new(),
        1 => vec![b'k'; u16::MAX as usize],
        // One byte longer than the format allows.
        2 => vec![b'k'; u16::MAX as usize + 1],
        number @ 3..=8 => format!("key {number}").into_bytes(),
        number => colliding(u64::from(number)),
    }
}

/// The bare hash with this number: a small integer, or the hash of a key.
pub fn hash(number: u8) -> u64 {
    match number % (COUNT + 4) {
        number if number < COUNT => compute_hash(&key(number)),
        number => u64::from(number),
    }
}

/// A key of 32 bytes; all of them have the same XXH3-64. The hash multiplies two halves of 8 bytes,
/// each XORed with a constant. The first half makes its factor zero.
pub fn colliding(number: u64) -> Vec<u8> {
    // The first bytes of XXH3's default secret.
    const ZERO_FACTOR: [u8; 8] = [0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe];
    let mut key = ZERO_FACTOR.to_vec();
    key.extend(number.to_le_bytes());
    key.extend(*b"the other sixteen");
    key.truncate(32);
    key
}

#[test]
fn colliding_keys_do_collide() {
    assert_ne!(colliding(1), colliding(2));
    assert_eq!(compute_hash(&colliding(1)), compute_hash(&colliding(2)));
}
