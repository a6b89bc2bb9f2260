//! What recovery found is flushed as if it had just been written, also if nobody writes any more.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Durability, OpenOptions};

use crate::support::hooks::{Call, Hooked};
use crate::support::new_path;

/// A store as a process leaves it that is killed after a commit.
fn killed_store() -> (tempfile::TempDir, PathBuf) {
    let (directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    let killed = fs::read(&path).unwrap();
    store.close().unwrap();
    fs::write(&path, killed).unwrap();
    (directory, path)
}

fn with(durability: Durability) -> OpenOptions {
    OpenOptions::new().durability(durability)
}

/// Waits for the first flush, and says when it came.
fn wait_for_flush(store: &DataStore, limit: Duration) -> Duration {
    let started = Instant::now();
    while store.stats().flushed_commits == 0 {
        assert!(started.elapsed() < limit, "what recovery found is never flushed");
        thread::sleep(Duration::from_millis(1));
    }
    started.elapsed()
}

#[test]
fn what_was_recovered_is_flushed_at_sync() {
    let (_directory, path) = killed_store();
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let file_system = Hooked::new(move |call| {
        seen.lock().unwrap().push(call);
        Ok(true)
    });
    let store = with(Durability::Sync).file_system(file_system).open(&path).unwrap();
    let calls = std::mem::take(&mut *calls.lock().unwrap());
    // Pages whose write-back failed in the killed process look clean: they are written again.
    let last_write = calls.iter().rposition(|call| matches!(call, Call::WriteAt(_))).unwrap();
    assert!(calls[last_write..].contains(&Call::Synced), "{calls:?}");
    assert_eq!((store.stats().flushes, store.stats().flushed_commits), (1, 1));
    store.sync().unwrap();
    assert_eq!(store.stats().flushes, 1, "once is enough");
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
}

#[test]
fn at_sync_a_store_whose_flush_fails_does_not_open() {
    let (_directory, path) = killed_store();
    let file_system = Hooked::new(|call| match call {
        Call::Sync => Err(io::Error::other("the medium is gone")),
        _ => Ok(true),
    });
    let error = with(Durability::Sync).file_system(file_system).open(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: the medium is gone", path.display()));
    let store = with(Durability::Sync).open(&path).unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
}

#[test]
fn what_was_recovered_is_flushed_after_an_interval() {
    let (_directory, path) = killed_store();
    let store = with(Durability::Interval(Duration::from_millis(50))).open(&path).unwrap();
    let waited = wait_for_flush(&store, Duration::from_secs(20));
    assert!(waited < Duration::from_secs(3), "{waited:?} instead of 50 ms");
    assert_eq!(store.stats().flushed_commits, 1);
}

#[test]
fn what_was_recovered_is_flushed_at_process_as_any() {
    let (_directory, path) = killed_store();
    let store = DataStore::open(&path).unwrap();
    let waited = wait_for_flush(&store, Duration::from_secs(30));
    assert!(waited > Duration::from_secs(4), "{waited:?} instead of 5 s");
    // And a barrier follows.
    let started = Instant::now();
    while store.stats().barriers == 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "no barrier");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_closed_is_not_flushed_again() {
    let (_directory, path) = new_path();
    DataStore::open(&path).unwrap().write(b"key", b"value").unwrap();
    let store = with(Durability::Sync).open(&path).unwrap();
    assert_eq!(store.stats().flushes, 0);
    drop(store);
    let store = with(Durability::Interval(Duration::from_millis(1))).open(&path).unwrap();
    thread::sleep(Duration::from_millis(200));
    assert_eq!(store.stats().flushes, 0);
}

/// If such a store had been flushed, and had no space allocated ahead, it was once recovered at
/// each open until somebody wrote to it.
#[test]
fn a_store_that_was_recovered_and_closed_is_clean() {
    let (_directory, path) = killed_store();
    let tail = OpenOptions::new().read_only(true).open(&path).unwrap().stats().tail;
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(tail).unwrap();
    let store = DataStore::open(&path).unwrap();
    assert!(!store.recovery_report().was_clean);
    store.sync().unwrap();
    store.close().unwrap();
    drop(store);
    let before = fs::read(&path).unwrap();
    let store = DataStore::open(&path).unwrap();
    assert!(store.recovery_report().was_clean, "{:?}", store.recovery_report());
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    store.close().unwrap();
    assert!(fs::read(&path).unwrap() == before, "closing what did not change wrote something");
}

/// If a barrier reached the medium before its table, a loss of power could leave a barrier that
/// names a table which is not there. The index was then rebuilt in memory, and `verify` reported it
/// as damaged.
#[test]
fn a_table_is_flushed_before_a_barrier_names_it() {
    let (_directory, path) = new_path();
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let seen = Arc::clone(&calls);
    let file_system = Hooked::new(move |call| {
        seen.lock().unwrap().push(call);
        Ok(true)
    });
    let options = OpenOptions::new().create(true).file_system(file_system);
    let taken = || std::mem::take(&mut *calls.lock().unwrap());
    // A barrier with one table, and nothing else that is written, has this length.
    let is_barrier = |call: &Call| matches!(call, Call::WriteAt(128));
    let is_write_or_flush = |call: &&Call| matches!(call, Call::WriteAt(_) | Call::Synced);
    let check = |what: &str| {
        let calls: Vec<Call> = taken();
        let barrier = calls.iter().position(is_barrier).unwrap_or_else(|| panic!("{what}"));
        let before = calls[..barrier].iter().rfind(is_write_or_flush);
        assert_eq!(before, Some(&Call::Synced), "{what}: {calls:?}");
        calls[barrier + 1..].iter().filter(|call| **call == Call::Synced).count()
    };

    let write = |store: &DataStore, value: u8| {
        let keys: Vec<[u8; 4]> = (0..10_000_u32).map(u32::to_le_bytes).collect();
        let entries: Vec<(&[u8], &[u8])> =
            keys.iter().map(|key| (&key[..], std::slice::from_ref(&value))).collect();
        store.batch_write(&entries).unwrap();
        taken();
    };
    let store = options.open(&path).unwrap();
    write(&store, 1);
    store.checkpoint().unwrap();
    check("a checkpoint");
    write(&store, 2);
    store.compact().unwrap();
    assert!(check("a compaction") > 0, "the barrier of the new file is flushed too");
    write(&store, 3);
    store.close().unwrap();
    assert!(check("closing") > 0, "the barrier is flushed before the file says that it is closed");
}
