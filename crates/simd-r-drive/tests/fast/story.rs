//! The life of a store, as a user sees it.

use std::io;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

#[test]
fn what_is_written_is_read_back_also_after_reopening() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let big: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    {
        let store = DataStore::open(&path)?;
        store.write(b"a", b"one")?;
        store.write(b"b", b"")?;
        store.write(b"big", &big)?;
        store.batch_write(&[(b"a", b"two"), (b"c", b"three"), (b"c", b"four")])?;
        store.delete(b"b")?;
        store.write_stream(b"stream", &mut &big[..])?;
        assert_eq!(store.len()?, 4);
    }
    let store = DataStore::open_existing(&path)?;
    assert!(store.recovery_report().was_clean, "{:?}", store.recovery_report());
    assert_eq!(store.read(b"a")?.unwrap(), b"two".as_slice());
    assert!(store.read(b"b")?.is_none());
    assert_eq!(store.read(b"c")?.unwrap(), b"four".as_slice());
    assert_eq!(store.read(b"big")?.unwrap(), big);
    assert_eq!(store.read(b"stream")?.unwrap(), big);
    assert_eq!(store.len()?, 4);
    for entry in &store {
        assert_eq!(entry.as_ptr().addr() % 64, 0);
        assert!(entry.is_valid_checksum());
    }
    assert_eq!(store.iter_entries().count(), 4);
    store.rename(b"a", b"z")?;
    assert_eq!(store.read(b"z")?.unwrap(), b"two".as_slice());
    assert!(!store.exists(b"a")?);
    assert_eq!(store.file_size()?, store.read_last_entry()?.unwrap().slot_end());
    store.close()?;
    assert_eq!(store.file_size()?, std::fs::metadata(&path)?.len());
    Ok(())
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_welcome() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    store.write(b"key", b"value")?;
    let refused = DataStore::open(&path).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy);
    let reader = OpenOptions::new().read_only(true).open(&path)?;
    assert_eq!(reader.read(b"key")?.unwrap(), b"value".as_slice());
    assert!(reader.write(b"key", b"other").is_err());
    let handle = store.read(b"key")?.unwrap();
    drop(store);
    // A handle outlives its store and keeps nobody out.
    let store = DataStore::open(&path)?;
    store.write(b"key", b"newer")?;
    assert_eq!(handle, b"value".as_slice());
    Ok(())
}
