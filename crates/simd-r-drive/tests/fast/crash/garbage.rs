//! Bytes after the last commit that are not part of the store.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::{Random, names_in, new_path};

const KEYS: u32 = 20;

fn value(key: u32, round: u8) -> Vec<u8> {
    vec![round; 30 * key as usize]
}

/// A store of 20 keys, three rounds; its bytes.
fn build(path: &Path, is_closed: bool) -> Vec<u8> {
    let store = DataStore::open(path).unwrap();
    for round in 1..=3 {
        for key in 0..KEYS {
            store.write(&key.to_le_bytes(), &value(key, round)).unwrap();
        }
    }
    if is_closed {
        store.close().unwrap();
    }
    let mut bytes = fs::read(path).unwrap();
    bytes.truncate(store.file_size().unwrap() as usize);
    bytes
}

fn check(store: &DataStore, what: &str) {
    assert_eq!(store.len().unwrap(), KEYS as usize, "{what}");
    for key in 0..KEYS {
        let entry = store.read(&key.to_le_bytes()).unwrap().unwrap();
        assert_eq!(entry, value(key, 3), "{what}: key {key}");
    }
    assert_eq!(store.iter_entries().count(), KEYS as usize, "{what}");
}

/// What is found after the tail of `bytes`.
fn kinds_of_garbage(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (_directory, path) = new_path();
    let other = build(&path, true);
    let header = 16 << 10;
    let third = (bytes.len() - header) / 3 / 64 * 64;
    let mut zeros_between = vec![0; 5000];
    zeros_between.extend(Random(4).bytes(100));
    zeros_between.extend(vec![0; 3000]);
    vec![
        ("zeros", vec![0; 100_000]),
        ("a few zeros", vec![0; 7]),
        ("random bytes", Random(1).bytes(30_000)),
        ("a random byte", vec![1]),
        ("random bytes in zeros", zeros_between),
        ("another store's slots", other[header..].to_vec()),
        ("its own older slots", bytes[header..header + third].to_vec()),
        ("all of its own slots", bytes[header..].to_vec()),
        ("its own last slot", bytes[bytes.len() - 64..].to_vec()),
        ("a whole nested store", other),
        ("itself", bytes.to_vec()),
    ]
}

#[test]
fn garbage_is_cut_saved_and_costs_no_key() {
    for is_closed in [true, false] {
        let (_directory, path) = new_path();
        let bytes = build(&path, is_closed);
        for (name, garbage) in kinds_of_garbage(&bytes) {
            let what = format!("{name}, closed: {is_closed}");
            let (directory, path) = new_path();
            let whole = [&bytes[..], &garbage].concat();
            fs::write(&path, &whole).unwrap();
            // What counts is the last byte that is not zero.
            let data_len = garbage.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            {
                let reader = OpenOptions::new().read_only(true).open(&path).unwrap();
                check(&reader, &what);
                let report = reader.recovery_report();
                assert_eq!(report.uncommitted_bytes, data_len as u64, "{what}");
                assert_eq!(report.saved_to, None, "{what}");
            }
            assert!(fs::read(&path).unwrap() == whole, "{what}: a reader changed the file");
            let store = DataStore::open(&path).unwrap();
            check(&store, &what);
            let report = store.recovery_report().clone();
            assert_eq!(report.tail, bytes.len() as u64, "{what}");
            assert_eq!(report.uncommitted_bytes, data_len as u64, "{what}");
            match &report.saved_to {
                None => assert_eq!(data_len, 0, "{what}: nothing was saved"),
                Some(saved) => {
                    assert!(fs::read(saved).unwrap() == garbage[..data_len], "{what}");
                    let mode = fs::metadata(saved).unwrap().permissions().mode();
                    assert_eq!(mode & 0o777, 0o600, "{what}: only its owner may read it");
                    assert_eq!(saved.parent(), path.parent(), "{what}");
                    let name = saved.file_name().unwrap().to_str().unwrap();
                    assert!(name.starts_with("store.srd"), "{what}: {name}");
                }
            }
            let names = names_in(directory.path());
            assert_eq!(names.len(), 1 + usize::from(data_len > 0), "{what}: {names:?}");
            store.write(b"next", b"write").unwrap();
            drop(store);
            let store = DataStore::open(&path).unwrap();
            assert!(store.recovery_report().was_clean, "{what}");
            assert_eq!(store.recovery_report().uncommitted_bytes, 0, "{what}");
            assert_eq!(store.read(b"next").unwrap().unwrap(), b"write".as_slice(), "{what}");
            store.delete(b"next").unwrap();
            check(&store, &what);
            drop(store);
            assert_eq!(names_in(directory.path()), names, "{what}: saved once");
        }
    }
}
