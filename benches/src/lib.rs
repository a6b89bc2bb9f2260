//! Code that the benchmarks share: keys, values, and stores to read from.
//!
//! Every read benchmark checks the value that it reads. Every figure is compared with that of a
//! plain in-process map of the same data, measured in the same run.

use std::collections::HashMap;
use std::path::Path;

use simd_r_drive::DataStore;
use simd_r_drive::traits::DataStoreWriter;
use tempfile::TempDir;

/// How many entries the read benchmarks work on.
pub const ENTRIES: u64 = 1_000_000;

/// The 20-byte key of entry `number`.
pub fn key(number: u64) -> [u8; 20] {
    let mut key = *b"key:0000000000000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// The 8-byte value of entry `number`.
pub fn value(number: u64) -> [u8; 8] {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
}

/// An endless sequence of numbers below `limit` that looks random and is the same in every run
/// (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub fn random_below(limit: u64) -> impl Iterator<Item = u64> {
    let mut state = 42_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    })
}

/// A store of `entries` entries, in a directory of its own.
///
/// # Panics
/// If the temporary directory cannot be written.
pub fn filled_store(entries: u64) -> (TempDir, DataStore) {
    let directory = tempfile::tempdir().expect("temporary directory");
    let store = filled_store_at(&directory.path().join("bench.srd"), entries);
    (directory, store)
}

/// A new store of `entries` entries at `path`.
///
/// # Panics
/// If the store cannot be written.
pub fn filled_store_at(path: &Path, entries: u64) -> DataStore {
    let store = DataStore::open(path).expect("new store");
    let numbers: Vec<u64> = (0..entries).collect();
    for chunk in numbers.chunks(4096) {
        let keys: Vec<_> = chunk.iter().map(|number| (key(*number), value(*number))).collect();
        let batch: Vec<(&[u8], &[u8])> =
            keys.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        store.batch_write(&batch).expect("batch write");
    }
    store
}

/// The same entries in a plain map.
pub fn filled_map(entries: u64) -> HashMap<Vec<u8>, Vec<u8>> {
    (0..entries).map(|number| (key(number).to_vec(), value(number).to_vec())).collect()
}
