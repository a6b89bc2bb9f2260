//! Stores on file systems that lack something.

mod support;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Durability, OpenOptions, PoisonCause, WriteError};
use support::odd::{Odd, OddFileSystem};

fn options(odd: Odd) -> OpenOptions {
    OpenOptions::new().create(true).file_system(Arc::new(OddFileSystem(odd)))
}

/// Creation once left the check out: the store was made, and refused when it was opened again.
#[test]
fn a_network_file_system_is_refused_before_a_store_is_created() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let options = options(Odd { is_on_network: true, ..Odd::default() });
    let refused = options.open(&path).unwrap_err();
    let inner = refused.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(matches!(inner, Some(WriteError::NetworkFileSystem { .. })), "{refused}");
    assert_eq!(std::fs::read_dir(directory.path())?.count(), 0, "something was left behind");

    let options = options.allow_network_file_system(true);
    options.open(&path)?.write(b"key", b"value")?;
    assert_eq!(options.open(&path)?.read(b"key")?.unwrap(), b"value".as_slice());
    Ok(())
}

/// A store whose file had no space allocated ahead, and whose last commit had been flushed by hand, was once
/// not marked as closed.
#[test]
fn a_flushed_store_is_closed_cleanly_where_space_cannot_be_allocated() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let options = options(Odd { cannot_allocate: true, ..Odd::default() });
    let store = options.open(&path)?;
    store.write(b"key", b"value")?;
    store.sync()?;
    store.close()?;
    drop(store);

    let store = options.open(&path)?;
    assert!(store.recovery_report().was_clean, "{:?}", store.recovery_report());
    let before = std::fs::read(&path)?;
    store.close()?;
    assert_eq!(std::fs::read(&path)?, before, "closing what did not change wrote something");
    Ok(())
}

/// A barrier that found no space once ended the thread that flushes: what was written later stayed unflushed.
#[test]
fn a_store_goes_on_flushing_when_a_barrier_finds_no_space() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let odd = Odd { refuses_background_writes: true, ..Odd::default() };
    let interval = Durability::Interval(Duration::from_millis(5));
    let store = options(odd).durability(interval).open(&path)?;
    // So much that a barrier is due at once.
    store.write(b"large", &vec![1; 33 << 20])?;
    let started = Instant::now();
    for number in 0_u32..5 {
        let flushes = store.stats().flushes;
        store.write(b"small", &number.to_le_bytes())?;
        while store.stats().flushes == flushes {
            assert!(started.elapsed() < Duration::from_secs(60), "write {number} is never flushed");
            thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

/// The store once went on in the old file, which had lost its name: all later writes were gone after closing.
#[test]
fn nothing_is_written_to_a_file_that_compaction_has_replaced() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let odd = Odd { cannot_flush_directories: true, ..Odd::default() };
    let store = options(odd).open(&path)?;
    store.write(b"key", b"old")?;
    store.write(b"key", b"value")?;
    assert_eq!(store.compact().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(store.read(b"key")?.unwrap(), b"value".as_slice());
    let refused = store.write(b"key", b"lost").unwrap_err();
    let inner = refused.get_ref().and_then(|inner| inner.downcast_ref());
    let cause = PoisonCause::SyncFailed;
    assert!(matches!(inner, Some(WriteError::Poisoned { cause: c }) if *c == cause), "{refused}");
    drop(store);

    let store = options(Odd::default()).open(&path)?;
    assert_eq!(store.read(b"key")?.unwrap(), b"value".as_slice());
    store.write(b"key", b"newer")?;
    assert_eq!(store.stats().dead_slots, 1, "the old version was compacted away");
    Ok(())
}
