//! A reader once read the length of the file first, and then the checkpoints. If a writer wrote and
//! closed in between, they named a durable point beyond that length, and the store seemed to be
//! truncated.

use std::sync::Mutex;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::hooks::{Call, Hooked};
use crate::support::new_path;

#[test]
fn a_store_that_grows_while_it_is_opened_is_whole() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    store.close().unwrap();
    drop(store);
    let writer = Mutex::new(Some(DataStore::open(&path).unwrap()));
    let hook = move |call| {
        if matches!(call, Call::ReadAt(_))
            && let Some(writer) = writer.lock().unwrap().take()
        {
            writer.write(b"large", &[7; 1 << 20]).unwrap();
            writer.close().unwrap();
        }
        Ok(true)
    };
    let reader =
        OpenOptions::new().read_only(true).file_system(Hooked::new(hook)).open(&path).unwrap();
    assert!(reader.recovery_report().damaged.is_empty(), "{:?}", reader.recovery_report());
    assert_eq!(reader.read(b"key").unwrap().unwrap(), b"value".as_slice());
    assert_eq!(reader.read(b"large").unwrap().unwrap(), vec![7; 1 << 20]);
}
