//! Stores that the published crate has written can be read by the present one after a migration.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use published::traits::DataStoreWriter as _;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions, compute_hash, migrate};

/// Everything that the published crate finds in its store, by hash.
fn contents(path: &Path) -> BTreeMap<u64, Vec<u8>> {
    let store = published::DataStore::open(path).unwrap();
    store.iter_entries().map(|entry| (entry.key_hash(), entry.as_slice().to_vec())).collect()
}

#[test]
fn every_value_is_found_under_its_key_and_the_old_file_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old.bin"), directory.path().join("new.srd"));
    let store = published::DataStore::open(&old).unwrap();
    let large: Vec<u8> = (0..5_000_000_u32).map(|number| (number >> 3) as u8).collect();
    for number in 0..500_u32 {
        let value = vec![number as u8 | 1; number as usize % 130 + 1];
        store.write(format!("key {number}").as_bytes(), &value).unwrap();
    }
    for number in (0..500_u32).step_by(3) {
        store.delete(format!("key {number}").as_bytes()).unwrap();
    }
    for number in (0..500_u32).step_by(9) {
        store.write(format!("key {number}").as_bytes(), b"written again").unwrap();
    }
    store.batch_write(&[(b"a", b"1"), (b"b", b"22"), (b"a", b"333")]).unwrap();
    store.rename(b"b", b"renamed").unwrap();
    store.write_stream(b"large", &mut large.as_slice()).unwrap();
    store.delete(b"a").unwrap();
    drop(store);
    let before = (fs::read(&old).unwrap(), fs::metadata(&old).unwrap().modified().unwrap());
    let expected = contents(&old);

    let report = migrate(&old, &new).unwrap();
    assert_eq!(report.entries, expected.len() as u64);
    assert!(report.damaged.is_empty() && report.unreadable.is_empty());
    assert_eq!(report.old_bytes, before.0.len() as u64);
    assert_eq!(report.new_bytes, fs::metadata(&new).unwrap().len());
    assert!((fs::read(&old).unwrap(), fs::metadata(&old).unwrap().modified().unwrap()) == before);

    let store = OpenOptions::new().verify_reads(true).open(&new).unwrap();
    assert!(store.recovery_report().was_clean);
    assert_eq!(store.len().unwrap(), expected.len());
    for (hash, value) in &expected {
        let entry = store.read_with_key_hash(*hash).unwrap().unwrap();
        assert_eq!(&entry, value);
        assert_eq!((entry.key_hash(), entry.key()), (*hash, None));
    }
    assert_eq!(store.read(b"large").unwrap().unwrap(), large);
    assert_eq!(store.read(b"key 9").unwrap().unwrap(), b"written again".as_slice());
    assert_eq!(store.read(b"renamed").unwrap().unwrap(), b"22".as_slice());
    for gone in [&b"a"[..], b"b", b"key 3", b"never there"] {
        assert!(store.read(gone).unwrap().is_none());
    }
    // The order in which they were written.
    let newest = store.iter_entries().next().unwrap();
    assert_eq!(newest.key_hash(), compute_hash(b"large"));

    // And it goes on under keys.
    store.write(b"renamed", b"by key").unwrap();
    assert_eq!(store.len().unwrap(), expected.len());
    assert_eq!(store.read(b"renamed").unwrap().unwrap().key(), Some(&b"renamed"[..]));
    store.delete(b"large").unwrap();
    store.close().unwrap();
    let store = DataStore::open_existing(&new).unwrap();
    assert_eq!(store.len().unwrap(), expected.len() - 1);
}

#[test]
fn compacted_and_empty_stores_are_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let store = published::DataStore::open(&path("empty")).unwrap();
    drop(store);
    assert_eq!(migrate(&path("empty"), &path("empty.srd")).unwrap().entries, 0);
    assert!(DataStore::open_existing(&path("empty.srd")).unwrap().is_empty().unwrap());

    let mut store = published::DataStore::open(&path("old")).unwrap();
    for number in 0..50_u8 {
        store.write(&[number % 20], &[number; 64]).unwrap();
    }
    store.delete(&[3]).unwrap();
    store.compact().unwrap();
    drop(store);
    let expected = contents(&path("old"));
    migrate(&path("old"), &path("new")).unwrap();
    let store = DataStore::open_existing(&path("new")).unwrap();
    assert_eq!(store.len().unwrap(), expected.len());
    assert!(expected.iter().all(|(hash, value)| {
        store.read_with_key_hash(*hash).unwrap().is_some_and(|entry| entry == *value)
    }));
}
