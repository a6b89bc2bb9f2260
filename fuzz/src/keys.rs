//! A few keys, so that operations often hit the same one: ordinary ones, the shortest, the longest,
//! one that is too long, and some with the same hash.

use std::sync::LazyLock;

use simd_r_drive::compute_hash;
use simd_r_drive_testkit::colliding_keys;

/// The keys that [`key`] tells apart.
pub static ALL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut keys = vec![Vec::new(), vec![b'k'; u16::MAX as usize]];
    // One byte longer than the format allows.
    keys.push(vec![b'k'; u16::MAX as usize + 1]);
    keys.extend((3..=8).map(|number| format!("key {number}").into_bytes()));
    keys.extend(colliding_keys(7));
    keys
});

/// The key of this number.
pub fn key(number: u8) -> &'static [u8] {
    &ALL[usize::from(number) % ALL.len()]
}

/// The bare hash of this number: the hash of a key, or a small integer.
pub fn hash(number: u8) -> u64 {
    let number = usize::from(number) % (ALL.len() + 4);
    ALL.get(number).map_or(number as u64, |key| compute_hash(key))
}
