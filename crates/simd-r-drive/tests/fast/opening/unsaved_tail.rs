//! What a crash left beyond the last commit is saved before it is cut off. If that is not possible,
//! as on a full disk, the store once could not be opened for writing at all. Now it opens, and
//! writes are refused until there is room.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Durability, OpenOptions, StoreError};

use crate::errors::typed;
use crate::support::hooks::{Call, Hooked};
use crate::support::{names_in, new_path};

/// A store that was killed in a write, its bytes, and where its last commit ends.
fn torn_store() -> (tempfile::TempDir, std::path::PathBuf, Vec<u8>, usize) {
    let (directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let tail = store.write(b"key", b"value").unwrap() as usize;
    let mut bytes = fs::read(&path).unwrap();
    drop(store);
    bytes.truncate(tail);
    bytes.extend([7; 1000]);
    fs::write(&path, &bytes).unwrap();
    (directory, path, bytes, tail)
}

#[test]
fn a_store_takes_writes_when_there_is_room() {
    let (directory, path, torn, tail) = torn_store();
    let is_full = Arc::new(AtomicBool::new(true));
    let hook = Arc::clone(&is_full);
    // Of the length that is saved: nothing else has it.
    let file_system = Hooked::new(move |call| match call {
        Call::WriteAt(1000) if hook.load(Ordering::SeqCst) => {
            Err(io::ErrorKind::StorageFull.into())
        }
        _ => Ok(true),
    });
    let options = OpenOptions::new().file_system(file_system);
    let store = options.open(&path).unwrap();
    assert_eq!(store.recovery_report().uncommitted_bytes, 1000);
    assert!(store.recovery_report().saved_to.is_none());
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    store.sync().unwrap();
    for _ in 0..2 {
        let refused = store.write(b"more", b"value").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        assert!(matches!(typed(&refused), StoreError::RemainsNotSaved { bytes: 1000, .. }));
        assert!(store.compact().is_err() && store.checkpoint().is_err());
    }
    store.close().unwrap();
    drop(store);
    assert_eq!(fs::read(&path).unwrap()[tail..], torn[tail..], "nothing is cut off unsaved");
    assert_eq!(names_in(directory.path()), ["store.srd"]);

    let store = options.open(&path).unwrap();
    is_full.store(false, Ordering::SeqCst);
    store.write(b"more", b"value").unwrap();
    let saved: Vec<_> = names_in(directory.path())
        .into_iter()
        .filter(|name| name.starts_with("store.srd.cut-"))
        .collect();
    assert_eq!(saved.len(), 1);
    assert_eq!(fs::read(directory.path().join(&saved[0])).unwrap(), [7; 1000]);
    store.close().unwrap();
    drop(store);
    let store = DataStore::open_existing(&path).unwrap();
    assert!(store.recovery_report().was_clean);
    assert_eq!(store.len().unwrap(), 2);
}

/// What was found is made as durable as the store promises, though nothing can be appended yet.
#[test]
fn what_was_committed_is_flushed_meanwhile() {
    let (_directory, path, _, tail) = torn_store();
    let file_system = Hooked::new(|call| match call {
        Call::WriteAt(1000) => Err(io::ErrorKind::StorageFull.into()),
        _ => Ok(true),
    });
    let options = OpenOptions::new().durability(Durability::Sync).file_system(file_system);
    let store = options.open(&path).unwrap();
    assert_eq!(store.stats().tail, tail as u64);
    assert_eq!(store.stats().flushes, 1);
    assert!(store.sync().is_ok());
}
