//! Stores that are not in memory, and advice on how they are read.

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Access, DataStore, OpenOptions};

const KEYS: u32 = 1000;

fn value(number: u32) -> Vec<u8> {
    // Some lie within a page, others take several.
    vec![number as u8; (number as usize * 37) % 9000 + 1]
}

/// Drops the file from the system's cache, where the file system has another place for it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn evict(path: &std::path::Path) {
    let file = std::fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn evict(_: &std::path::Path) {}

#[test]
fn answers_are_the_same_whatever_the_advice_and_wherever_the_pages_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path).unwrap();
    let keys: Vec<_> = (0..2 * KEYS).map(u32::to_be_bytes).collect();
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    for number in 0..KEYS {
        store.write(keys[number as usize], &value(number)).unwrap();
    }
    store.close().unwrap();
    for access in [Access::Normal, Access::Random, Access::Sequential] {
        for read_only in [false, true] {
            evict(&path);
            let options = OpenOptions::new().access(access).read_only(read_only);
            let store = options.open(&path).unwrap();
            let expected: Vec<_> =
                (0..2 * KEYS).map(|number| (number < KEYS).then(|| value(number))).collect();
            let view = store.view();
            let mut values = Vec::new();
            for _ in 0..3 {
                view.get_many(&keys, &mut values).unwrap();
                let values: Vec<_> = values.iter().map(|value| value.map(<[u8]>::to_vec)).collect();
                assert_eq!(values, expected, "{access:?}");
                let entries = store.batch_read(&keys).unwrap();
                let values: Vec<_> = entries
                    .iter()
                    .map(|entry| entry.as_ref().map(|entry| entry.to_vec()))
                    .collect();
                assert_eq!(values, expected, "{access:?}");
            }
            assert_eq!(store.entries().count(), KEYS as usize);
        }
    }
}
