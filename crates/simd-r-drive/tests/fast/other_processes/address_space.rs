//! If a process may use little address space (`ulimit -v`), stores take a small part of it, and
//! more as they grow.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Durability, OpenOptions, StoreError};

use crate::errors::typed;
use crate::support::child;
use crate::support::hooks::Hooked;

/// For this process, and for good.
fn limit_address_space(bytes: u64) {
    let Rlimit { maximum, .. } = getrlimit(Resource::As);
    setrlimit(Resource::As, Rlimit { current: Some(bytes), maximum }).unwrap();
}

/// Address space that this process uses, in bytes.
fn used() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Allocates `bytes` bytes in large pieces, or fails as the process would.
#[track_caller]
fn allocate(bytes: usize) {
    let pieces: Vec<Vec<u8>> = (0..bytes >> 20)
        .map(|number| {
            let mut piece = Vec::new();
            let result = piece.try_reserve_exact(1 << 20);
            assert!(result.is_ok(), "{number} MiB of {bytes} bytes were left");
            piece
        })
        .collect();
    drop(pieces);
}

/// Stores that hold an entry and space allocated ahead.
fn open(directory: &Path, count: u32, options: &OpenOptions) -> Vec<DataStore> {
    let open = |number: u32| {
        let store = options.open(directory.join(format!("{number}.srd"))).unwrap();
        store.write(b"key", &number.to_le_bytes()).unwrap();
        store
    };
    (0..count).map(open).collect()
}

#[test]
#[ignore = "a process that another test starts"]
fn process_with_four_stores_in_a_gibibyte() {
    let Some((directory, alignment)) = child::orders() else { return };
    limit_address_space(1 << 30);
    let options = OpenOptions::new().create(true).alignment(alignment.parse().unwrap());
    let before = used();
    let stores = open(&directory, 4, &options);
    // The thread that flushes has a stack and a heap of its own.
    assert!(used() - before < 256 << 20, "four stores take {} bytes", used() - before);
    allocate(512 << 20);
    // They grow as ever.
    for _ in 0..20 {
        stores[0].write(b"large", &vec![1; 4 << 20]).unwrap();
    }
    assert_eq!(stores[0].read(b"large").unwrap().unwrap().len(), 4 << 20);
    allocate(256 << 20);
}

/// They once took all of it: the next allocation ended the process.
#[test]
fn four_small_stores_leave_most_of_a_gibibyte() {
    for alignment in ["64", "65536"] {
        let directory = tempfile::tempdir().unwrap();
        child::run(process_with_four_stores_in_a_gibibyte, directory.path(), alignment);
    }
}

/// Raises the number of files that this process may open, as far as it is allowed to.
fn allow_files() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(4096, |maximum| maximum.min(4096));
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
    wanted
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
#[ignore = "a process that another test starts"]
fn process_with_a_thousand_stores_in_four_gibibytes() {
    let Some((directory, interval)) = child::orders() else { return };
    if allow_files() < 1100 {
        return;
    }
    limit_address_space(4 << 30);
    let mut options = OpenOptions::new().create(true).file_system(Hooked::without_flushes());
    if interval == "interval" {
        options = options.durability(Durability::Interval(Duration::from_millis(20)));
    }
    let before = threads();
    let stores = open(&directory, 1000, &options);
    // All of them are flushed, in the background.
    let started = Instant::now();
    let mut most_threads = 0;
    while stores.iter().any(|store| store.stats().flushes == 0) {
        assert!(started.elapsed() < Duration::from_secs(60), "a store is never flushed");
        most_threads = most_threads.max(threads() - before);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(most_threads < 50, "{most_threads} threads flush a thousand stores");
    allocate(1 << 30);
    for (number, store) in (0_u32..).zip(&stores) {
        assert_eq!(store.read(b"key").unwrap().unwrap(), number.to_le_bytes().as_slice());
        store.write(b"key", b"newer").unwrap();
    }
    drop(stores);
    // Nothing is left to do.
    let started = Instant::now();
    while threads() > before {
        assert!(started.elapsed() < Duration::from_secs(60), "{} threads are left", threads());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Each store once had a thread and a map of gigabytes.
#[test]
fn a_thousand_stores_leave_most_of_four_gibibytes() {
    for interval in ["process", "interval"] {
        let directory = tempfile::tempdir().unwrap();
        // Copies of one: creating a thousand takes a minute, for its flushes.
        let path = |number: u32| directory.path().join(format!("{number}.srd"));
        drop(DataStore::open(path(0)).unwrap());
        for number in 1..1000 {
            fs::copy(path(0), path(number)).unwrap();
        }
        child::run(process_with_a_thousand_stores_in_four_gibibytes, directory.path(), interval);
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn process_without_space_for_a_thread() {
    let Some((directory, _)) = child::orders() else { return };
    let path = directory.join("store.srd");
    let interval = OpenOptions::new().durability(Durability::Interval(Duration::from_millis(20)));
    // Less than a stack, and enough for a map.
    let limits = getrlimit(Resource::As);
    limit_address_space(used() + (1800 << 10));
    let error = interval.open(&path).unwrap_err();
    assert!(matches!(typed(&error), StoreError::NoFlushThread { .. }), "{error:?}");
    assert!(error.to_string().contains("another durability"), "{error}");
    // Without a promise there is nothing to break.
    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"newer").unwrap();
    store.sync().unwrap();
    drop(store);
    setrlimit(Resource::As, limits).unwrap();
    let store = interval.open(&path).unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"newer".as_slice());
}

/// It once went on without one, and flushed every 64 MiB.
#[test]
fn a_store_without_its_thread_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = DataStore::open(directory.path().join("store.srd")).unwrap();
    store.write(b"key", b"value").unwrap();
    drop(store);
    child::run(process_without_space_for_a_thread, directory.path(), "");
}
