//! A forked child inherits the memory, the locks and the file of a store, and must not use them.

#![cfg(unix)]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Durability, OpenOptions, WriteError};

use crate::errors::typed;
use crate::support::hooks::{Call, Hooked};
use crate::support::{child, new_path};

/// Runs `action` in a forked child, and says whether it came back `true` in good time.
#[expect(unsafe_code, reason = "fork, and what belongs to it, has no safe face")]
fn forked(action: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child only calls `action` and then exits with `_exit`. There are no threads of
    // other tests, since this is called in processes that run one test.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action));
        // SAFETY: leaves at once, without running anything that belongs to the parent.
        unsafe { libc::_exit(if result.unwrap_or(false) { 0 } else { 1 }) };
    }
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for the call.
        let done = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
        if done == child {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0;
        }
        if Instant::now() > until {
            // SAFETY: the child has not been waited for, so the number is still its own.
            unsafe { libc::kill(child, libc::SIGKILL) };
            // SAFETY: as above.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            eprintln!("the forked child hangs");
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn is_foreign<T>(result: std::io::Result<T>) -> bool {
    let Err(error) = result else { return false };
    error.kind() == std::io::ErrorKind::PermissionDenied
        && matches!(typed(&error), WriteError::ForeignProcess { owner } if *owner != std::process::id())
}

#[test]
#[ignore = "a process that another test starts"]
fn forking_process() {
    let Some((path, _)) = child::orders() else { return };
    let store = DataStore::open(&path).unwrap();
    let (_other_directory, other_path) = new_path();
    let other = DataStore::open(&other_path).unwrap();
    store.write(b"key", b"value").unwrap();
    let before = fs::read(&path).unwrap();
    let mut slot = Some(store);
    assert!(forked(|| {
        let store = slot.take().unwrap();
        // Reading goes on, every kind of write is refused.
        assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
        assert_eq!(store.len().unwrap(), 1);
        let refused = [
            is_foreign(store.write(b"key", b"from the child")),
            is_foreign(store.write_with_key_hash(1, b"x")),
            is_foreign(store.batch_write(&[(b"a", b"1")])),
            is_foreign(store.batch_write_with_key_hashes(vec![(1, b"1")], false)),
            is_foreign(store.write_stream(b"s", &mut &b"stream"[..])),
            is_foreign(store.write_stream_with_key_hash(3, &mut &b"stream"[..])),
            is_foreign(store.rename(b"key", b"other")),
            is_foreign(store.copy(b"key", &other)),
            is_foreign(store.transfer(b"key", &other)),
            is_foreign(store.delete(b"key")),
            is_foreign(store.batch_delete(&[b"key"])),
            is_foreign(store.batch_delete_key_hashes(&[simd_r_drive::compute_hash(b"key")])),
            is_foreign(store.sync()),
            is_foreign(store.close()),
        ];
        assert_eq!(refused, [true; 14]);
        let _ = store.stats();
        drop(store);
        true
    }));
    let store = slot.unwrap();
    assert!(fs::read(&path).unwrap() == before, "the child, or its drop, changed the file");
    // The lock is still the parent's.
    let error = DataStore::open(&path).unwrap_err();
    assert!(matches!(typed(&error), WriteError::Locked { .. }));
    store.write(b"key", b"from the parent").unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"from the parent".as_slice());
    drop(store);
    let store = DataStore::open(&path).unwrap();
    assert!(store.recovery_report().was_clean);
    // A child may open the store for itself once its parent has closed it.
    drop(store);
    assert!(forked(|| {
        let store = DataStore::open(&path).unwrap();
        store.write(b"child", b"wrote").unwrap();
        store.close().is_ok()
    }));
    let store = DataStore::open(&path).unwrap();
    assert_eq!(store.read(b"child").unwrap().unwrap(), b"wrote".as_slice());
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"from the parent".as_slice());
}

/// Forks while another thread is in the middle of a write, and thus holds all locks of a write.
#[test]
#[ignore = "a process that another test starts"]
fn process_forking_in_the_middle_of_a_write() {
    let Some((path, _)) = child::orders() else { return };
    let is_armed = Arc::new(AtomicBool::new(false));
    let (entered, released) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let hook = {
        let (is_armed, entered, released) =
            (Arc::clone(&is_armed), Arc::clone(&entered), Arc::clone(&released));
        move |call| {
            if matches!(call, Call::WriteAt(_)) && is_armed.swap(false, Ordering::AcqRel) {
                entered.wait();
                released.wait();
            }
            Ok(true)
        }
    };
    let options = OpenOptions::new().file_system(Hooked::new(hook));
    drop(DataStore::open(&path).unwrap());
    let store = Arc::new(options.open(&path).unwrap());
    is_armed.store(true, Ordering::Release);
    let writer = {
        let store = Arc::clone(&store);
        thread::spawn(move || store.write(b"key", b"slowly").unwrap())
    };
    entered.wait();
    // The writer's reference does not exist for the child, so that it really drops the store.
    let raw = Arc::clone(&store);
    let came_back = forked(move || {
        let refused = is_foreign(raw.write(b"x", b"y"));
        let _ = raw.stats();
        let _ = raw.close();
        drop(raw);
        refused
    });
    released.wait();
    writer.join().unwrap();
    assert!(came_back, "the child waits for a lock that nobody will give back");
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"slowly".as_slice());
}

/// The parent's threads, which flush its stores, do not exist in the child.
#[test]
#[ignore = "a process that another test starts"]
fn forking_process_whose_stores_are_flushed() {
    let Some((path, _)) = child::orders() else { return };
    let interval = Durability::Interval(Duration::from_millis(5));
    let options = OpenOptions::new().create(true).durability(interval);
    let is_flushed = |store: &DataStore| {
        let until = Instant::now() + Duration::from_secs(10);
        while store.stats().flushed_commits == 0 && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        store.stats().flushed_commits == 1
    };
    let store = options.open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    assert!(is_flushed(&store));
    for number in 0..20 {
        // Whatever the thread is at.
        store.write(b"key", b"newer").unwrap();
        thread::sleep(Duration::from_millis(number / 2));
        assert!(forked(|| {
            let own = options.open(path.with_extension(number.to_string())).unwrap();
            own.write(b"key", b"value").unwrap();
            is_flushed(&own) && own.close().is_ok()
        }));
    }
}

#[test]
fn a_forked_child_has_its_own_stores_flushed() {
    let (_directory, path) = new_path();
    child::run(forking_process_whose_stores_are_flushed, &path, "");
}

#[test]
fn a_forked_child_reads_but_writes_nothing() {
    let (_directory, path) = new_path();
    child::run(forking_process, &path, "");
}

#[test]
fn a_child_forked_within_a_write_does_not_hang() {
    let (_directory, path) = new_path();
    child::run(process_forking_in_the_middle_of_a_write, &path, "");
}
