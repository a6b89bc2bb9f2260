//! Recovery of a store that was not closed once read two windows of 1 MiB for each entry. It went
//! back from an entry's trailer to its payload, then forward to the next trailer, and kept nothing
//! of what it had read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::hooks::{Call, Hooked};
use crate::support::new_path;

const ENTRIES: u32 = 20_000;

/// Bytes that opening a store of `len`-byte values reads, and the length of its file.
fn bytes_read(len: usize) -> (u64, u64) {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let value = vec![3; len];
    for number in 0..ENTRIES {
        store.write(&number.to_le_bytes(), &value).unwrap();
    }
    let (_copy_directory, copy) = new_path();
    std::fs::copy(&path, &copy).unwrap();
    let read = Arc::new(AtomicU64::new(0));
    let hook = {
        let read = Arc::clone(&read);
        move |call| {
            if let Call::ReadAt(len) = call {
                read.fetch_add(len as u64, Ordering::Relaxed);
            }
            Ok(true)
        }
    };
    let options = OpenOptions::new().read_only(true).file_system(Hooked::new(hook));
    let recovered = options.open(&copy).unwrap();
    assert!(!recovered.recovery_report().was_clean);
    assert_eq!(recovered.len().unwrap(), ENTRIES as usize);
    (read.load(Ordering::Relaxed), std::fs::metadata(&copy).unwrap().len())
}

#[test]
fn opening_reads_the_searched_region_a_few_times() {
    for len in [0, 20, 100, 1000] {
        let (read, file) = bytes_read(len);
        assert!(read < 8 * file + (16 << 20), "values of {len} bytes: {read} of {file} bytes read");
    }
}
