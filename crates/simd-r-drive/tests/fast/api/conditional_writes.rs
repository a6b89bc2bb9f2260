//! Conditional writes.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use simd_r_drive::DataStore;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};

#[test]
fn write_if_absent_writes_once() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(directory.path().join("store.srd"))?;
    let wins = AtomicU64::new(0);
    thread::scope(|scope| {
        for number in 0..8_u8 {
            let (store, wins) = (&store, &wins);
            scope.spawn(move || {
                if store.write_if_absent(b"key", &[number]).unwrap() {
                    wins.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(wins.into_inner(), 1);
    store.delete(b"key")?;
    assert!(store.write_if_absent(b"key", b"again")?);
    Ok(())
}

#[test]
fn no_increment_is_lost_with_compare_and_write() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(directory.path().join("store.srd"))?;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    loop {
                        let read = store.read(b"counter").unwrap();
                        let count = read
                            .as_deref()
                            .map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
                        let next = (count + 1).to_le_bytes();
                        if store.compare_and_write(b"counter", read.as_ref(), &next).unwrap() {
                            break;
                        }
                    }
                }
            });
        }
    });
    assert_eq!(store.read(b"counter")?.unwrap(), 800_u64.to_le_bytes().as_slice());
    Ok(())
}

#[test]
fn an_equal_value_counts_as_a_change() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(directory.path().join("store.srd"))?;
    store.write(b"key", b"value")?;
    let read = store.read(b"key")?;
    store.write(b"key", b"value")?;
    let tail = store.file_size()?;
    assert!(!store.compare_and_write(b"key", read.as_ref(), b"new")?);
    assert!(!store.compare_and_write(b"key", None, b"new")?);
    assert_eq!(store.file_size()?, tail, "nothing was appended");
    let read = store.read(b"key")?;
    assert!(store.compare_and_write(b"key", read.as_ref(), b"new")?);
    let read = store.read(b"key")?;
    store.compact()?;
    assert!(!store.compare_and_write(b"key", read.as_ref(), b"newer")?);
    Ok(())
}
