//! One trailer in 256 ends with a zero byte. If a store was not closed and its last trailer did,
//! its data once seemed to end in the middle of a slot, and the store could not be opened any more.

use std::fs;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::new_path;

#[test]
fn a_store_is_recovered_whatever_its_last_byte_is() {
    let (_directory, path) = new_path();
    let (_copy_directory, copy) = new_path();
    let store = DataStore::open(&path).unwrap();
    let mut seen = 0;
    for number in 1..20_000_u32 {
        let tail = store.write(b"key", &number.to_le_bytes()).unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(tail as usize);
        if bytes.last() != Some(&0) {
            continue;
        }
        // With space allocated ahead, and without.
        for allocated in [0, 4096] {
            bytes.resize(tail as usize + allocated, 0);
            fs::write(&copy, &bytes).unwrap();
            for options in [OpenOptions::new().read_only(true), OpenOptions::new()] {
                let recovered = options.open(&copy).unwrap();
                let entry = recovered.read(b"key").unwrap().unwrap();
                assert_eq!(entry, number.to_le_bytes().as_slice());
                assert_eq!(recovered.recovery_report().tail, tail);
                assert_eq!(recovered.recovery_report().uncommitted_bytes, 0);
            }
        }
        seen += 1;
        if seen == 3 {
            return;
        }
    }
    panic!("no trailer ended in a zero byte: the seal is not what it is thought to be");
}
