//! The README says that a store of any size opens in well under a millisecond, because opening
//! reads very little of it. A store of a few thousand large values once had no index in its file,
//! and took half a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::hooks::{Call, Hooked};
use crate::support::new_path;

/// Most that opening may read: the header, and what is not worth an index.
const MAX_READ: u64 = 512 << 10;

#[test]
fn opening_reads_little_whatever_the_values_are() {
    for (values, len) in [(200, 128 << 10), (1000, 16 << 10), (3000, 1000), (100_000, 8)] {
        let (_directory, path) = new_path();
        let store = DataStore::open(&path).unwrap();
        let value = vec![7; len];
        for number in 0_u32..values {
            store.write(&number.to_le_bytes(), &value).unwrap();
        }
        store.close().unwrap();
        drop(store);
        let read = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&read);
        let file_system = Hooked::new(move |call| {
            if let Call::ReadAt(len) = call {
                counter.fetch_add(len as u64, Ordering::Relaxed);
            }
            Ok(true)
        });
        let store = OpenOptions::new().file_system(file_system).open(&path).unwrap();
        let read = read.load(Ordering::Relaxed);
        assert!(read <= MAX_READ, "{read} bytes of {values} values of {len} bytes");
        assert!(store.recovery_report().is_index_used);
        assert_eq!(store.len().unwrap(), values as usize);
    }
}
