//! Stores on file systems that lack a feature or space.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Durability, OpenOptions, PoisonCause, WriteError};

use crate::support::hooks::{Call, Hooked};

fn options(hook: impl Fn(Call) -> io::Result<bool> + Send + Sync + 'static) -> OpenOptions {
    OpenOptions::new().create(true).file_system(Hooked::new(hook))
}

/// Space cannot be allocated ahead.
fn without_allocation(call: Call) -> io::Result<bool> {
    if call == Call::Allocate { Err(io::ErrorKind::Unsupported.into()) } else { Ok(true) }
}

/// No space is left for what the store's own thread writes.
fn full_for_the_background(call: Call) -> io::Result<bool> {
    let is_background = thread::current().name() == Some("simd-r-drive");
    if is_background && matches!(call, Call::WriteAt(_)) {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(true)
}

/// A directory in which a file has been replaced cannot be flushed.
fn without_flushes_of_directories() -> impl Fn(Call) -> io::Result<bool> + Send + Sync + 'static {
    let has_replacement = AtomicBool::new(false);
    move |call| {
        match call {
            Call::CreateReplacement => has_replacement.store(true, Ordering::Relaxed),
            Call::SyncDirectory if has_replacement.load(Ordering::Relaxed) => {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            _ => {}
        }
        Ok(true)
    }
}

/// Creation once left the check out: the store was made, and refused when it was opened again.
#[test]
fn a_network_file_system_is_refused_at_once() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let options = options(|call| Ok(call != Call::IsOnNetwork));
    let refused = options.open(&path).unwrap_err();
    let inner = refused.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(matches!(inner, Some(WriteError::NetworkFileSystem { .. })), "{refused}");
    assert_eq!(std::fs::read_dir(directory.path())?.count(), 0, "something was left behind");

    let options = options.allow_network_file_system(true);
    options.open(&path)?.write(b"key", b"value")?;
    assert_eq!(options.open(&path)?.read(b"key")?.unwrap(), b"value".as_slice());
    Ok(())
}

/// A store was once not marked as closed if its file had no space allocated ahead and its last
/// commit had been flushed by an explicit `sync`.
#[test]
fn a_store_is_closed_cleanly_without_allocation() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let options = options(without_allocation);
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

/// The thread that flushes once ended if there was no space for a barrier. Later writes were then
/// not flushed.
#[test]
fn flushes_go_on_when_a_barrier_finds_no_space() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let interval = Durability::Interval(Duration::from_millis(5));
    let store = options(full_for_the_background).durability(interval).open(&path)?;
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

/// The store once went on using the old file, which had lost its name. All later writes were gone
/// after closing.
#[test]
fn nothing_is_written_to_a_replaced_file() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = options(without_flushes_of_directories()).open(&path)?;
    store.write(b"key", b"old")?;
    store.write(b"key", b"value")?;
    assert_eq!(store.compact().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(store.read(b"key")?.unwrap(), b"value".as_slice());
    let refused = store.write(b"key", b"lost").unwrap_err();
    let inner = refused.get_ref().and_then(|inner| inner.downcast_ref());
    let cause = PoisonCause::SyncFailed;
    assert!(matches!(inner, Some(WriteError::Poisoned { cause: c }) if *c == cause), "{refused}");
    drop(store);

    let store = OpenOptions::new().open(&path)?;
    assert_eq!(store.read(b"key")?.unwrap(), b"value".as_slice());
    store.write(b"key", b"newer")?;
    assert_eq!(store.stats().dead_slots, 1, "the old version was compacted away");
    Ok(())
}
