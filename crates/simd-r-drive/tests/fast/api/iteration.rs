//! `entries` returns damage as an item. The older iterators end, and report it only if asked.

use std::fs;
use std::path::PathBuf;

use simd_r_drive::traits::DataStoreWriter;
use simd_r_drive::{DataStore, FormatError, OpenOptions};

use crate::errors::typed;
use crate::support::{new_path, new_store};

/// Five entries, the third of which has lost a bit of its value; and where they end.
fn damaged_store() -> (tempfile::TempDir, PathBuf, Vec<u64>) {
    let (directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let ends: Vec<u64> = (0..5_u8).map(|n| store.write(&[n], &[n; 100]).unwrap()).collect();
    store.close().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[ends[1] as usize + 50] ^= 1;
    fs::write(&path, &bytes).unwrap();
    (directory, path, ends)
}

#[test]
fn entries_are_those_of_the_older_iterator() {
    let (_directory, store) = new_store();
    assert_eq!(store.entries().count(), 0);
    for number in 0..100_u8 {
        store.write(&[number % 40], &[number]).unwrap();
    }
    let snapshot = store.snapshot();
    store.delete(&[7]).unwrap();
    let older: Vec<_> = store.iter_entries().map(|entry| entry.to_vec()).collect();
    let newer: Vec<_> = store.entries().map(|entry| entry.unwrap().to_vec()).collect();
    assert_eq!(newer, older);
    assert_eq!((older.len(), snapshot.entries().count()), (39, 40));
}

#[test]
fn damage_is_the_last_item() {
    let (_directory, path, _) = damaged_store();
    let store = OpenOptions::new().verify_reads(true).open(&path).unwrap();
    for mut entries in [store.entries(), store.snapshot().entries()] {
        let items: Vec<_> = entries.by_ref().collect();
        let [Ok(_), Ok(_), Err(error)] = &*items else { panic!("{items:?}") };
        assert!(matches!(typed(error), FormatError::Damaged { .. }), "{error}");
        assert!(entries.next().is_none());
    }
}

/// It left out the damaged entry and all behind it.
#[cfg(feature = "parallel")]
#[test]
fn damage_concerns_one_item_of_a_parallel_iteration() {
    use rayon::iter::ParallelIterator;

    let (_directory, path, ends) = damaged_store();
    let store = OpenOptions::new().verify_reads(true).open(&path).unwrap();
    let (sound, damaged): (Vec<_>, Vec<_>) = store.par_entries().partition(Result::is_ok);
    assert_eq!((sound.len(), damaged.len()), (4, 1));
    assert_eq!(store.par_iter_entries().count(), 4);
    drop(store);
    // With a slot lost, nobody can tell of what lies below.
    let mut bytes = fs::read(&path).unwrap();
    bytes[ends[3] as usize - 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let store = OpenOptions::new().read_only(true).open(&path).unwrap();
    assert!(!store.recovery_report().damaged.is_empty());
    assert!(store.par_entries().any(|entry| entry.is_err()));
}
