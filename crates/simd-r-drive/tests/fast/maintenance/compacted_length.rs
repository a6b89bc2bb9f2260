//! A compaction never makes a store longer. Small ones once became longer by a barrier or an index.

use std::fs;

use simd_r_drive::DataStore;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};

use crate::support::new_path;

#[test]
fn a_compacted_store_is_no_longer_open_or_closed() {
    // How many keys, how many of them are written again, and how many deleted.
    let shapes = [
        (0, 0, 0),
        (1, 0, 0),
        (1, 1, 0),
        (1, 0, 1),
        (2, 1, 1),
        (50, 1, 0),
        (50, 0, 1),
        (5000, 0, 0),
        (5000, 1, 0),
        (5000, 5000, 10),
    ];
    for (keys, again, deleted) in shapes {
        for is_reopened in [false, true] {
            let what = format!("{keys} keys, {again} again, {deleted} gone, {is_reopened}");
            let (_directory, path) = new_path();
            let mut store = DataStore::open(&path).unwrap();
            for key in (0_u32..keys).chain(0..again) {
                store.write(&key.to_le_bytes(), b"value").unwrap();
            }
            for key in 0_u32..deleted {
                store.delete(&key.to_le_bytes()).unwrap();
            }
            if is_reopened {
                drop(store);
                store = DataStore::open(&path).unwrap();
            }
            let closed_len = is_reopened.then(|| fs::metadata(&path).unwrap().len());
            let before = store.stats();
            store.compact().unwrap();
            let after = store.stats();
            assert!(after.tail <= before.tail, "{what}: from {} to {}", before.tail, after.tail);
            assert_eq!(after.dead_slots, 0, "{what}: something dead is left");
            assert_eq!(store.len().unwrap(), (keys - deleted) as usize, "{what}");
            drop(store);
            if let Some(closed_len) = closed_len {
                let len = fs::metadata(&path).unwrap().len();
                assert!(len <= closed_len, "{what}: closed, from {closed_len} to {len}");
            }
        }
    }
}
