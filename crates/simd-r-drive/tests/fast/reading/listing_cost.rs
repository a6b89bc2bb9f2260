//! How many bytes opening a store of large values and listing its keys read from the medium.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::Advice;
use simd_r_drive::traits::DataStoreWriter;
use simd_r_drive::{DataStore, OpenOptions};

use crate::own_process;

const ENTRIES: u64 = 400;
const VALUE_LEN: usize = 100_000;

/// Bytes that this process has had read from media.
fn bytes_read() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.parse().ok()
}

/// Asks the system to forget what it has of the file.
fn drop_from_cache(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
}

/// How many bytes an action reads from the medium, with the file at `path` not in the cache before.
fn cost(path: &Path, action: impl FnOnce()) -> Option<u64> {
    drop_from_cache(path);
    let before = bytes_read()?;
    action();
    Some(bytes_read()? - before)
}

/// Opening read a MiB before each of its slots, and listing what the system read ahead around each
/// of its keys: all of the file.
#[test]
fn opening_and_listing_read_the_pages_with_keys() {
    // Only what a whole process has read is counted.
    if own_process::took_over(opening_and_listing_read_the_pages_with_keys) {
        return;
    }
    // Not in memory, as the system's directory for temporary files may be.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path).unwrap();
    for number in 0..ENTRIES {
        store.write(&number.to_le_bytes(), &vec![number as u8; VALUE_LEN]).unwrap();
    }
    // One is dead, so that the index is asked about the others.
    store.delete(&7_u64.to_le_bytes()).unwrap();
    store.sync().unwrap();
    store.close().unwrap();
    drop(store);

    let len = fs::metadata(&path).unwrap().len();
    let whole = cost(&path, || drop(fs::read(&path).unwrap()));
    let Some(whole) = whole.filter(|whole| *whole >= len / 2) else {
        println!("skipped: this file system does not forget files, or nobody counts what is read");
        return;
    };
    let open = || OpenOptions::new().read_only(true).open(&path).unwrap();
    let opening = cost(&path, || drop(open())).unwrap();
    let store = open();
    let listing = cost(&path, || {
        let keys = store.keys().map(|info| info.unwrap().value_len);
        assert!(keys.eq((0..ENTRIES - 1).map(|_| VALUE_LEN as u64)));
    });
    let listing = listing.unwrap();
    println!("{whole} bytes in all, {opening} to open, {listing} to list");
    // Two pages an entry, and some for the header.
    let limit = 2 * 4096 * ENTRIES + (1 << 20);
    assert!(opening <= limit, "opening read {opening} of {whole} bytes");
    assert!(listing <= limit, "listing read {listing} of {whole} bytes");
}
