//! Where a process may use little address space (`ulimit -v`), stores take a small part of it, and grow by need.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};
use support::child;

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

/// Allocates so many bytes in large pieces, or fails as the process would.
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
        child::run("process_with_four_stores_in_a_gibibyte", directory.path(), alignment);
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn process_with_less_space_than_a_map_wishes() {
    let Some((directory, _)) = child::orders() else { return };
    let path = directory.join("store.srd");
    let store = DataStore::open(&path).unwrap();
    store.write(b"large", &vec![1; 64 << 20]).unwrap();
    store.close().unwrap();
    drop(store);
    // Enough for the file, not for twice the file.
    let left = 120 << 20;
    limit_address_space(used() + left);
    let store = DataStore::open(&path).unwrap();
    assert_eq!(store.read(b"large").unwrap().unwrap().len(), 64 << 20);
    allocate(32 << 20);
}

#[test]
fn a_large_store_that_hardly_fits_takes_no_more_than_it_needs() {
    let directory = tempfile::tempdir().unwrap();
    child::run("process_with_less_space_than_a_map_wishes", directory.path(), "");
}
