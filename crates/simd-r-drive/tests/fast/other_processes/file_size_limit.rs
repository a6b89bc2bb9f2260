//! A process may have a limit on the size of files. Writing beyond it raises a signal that ends the
//! process.

#![cfg(target_os = "linux")]

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, WriteError};

use crate::errors::typed;
use crate::support::{child, new_path};

/// Space that was allocated ahead once crossed the limit, and its signal ended the process.
#[test]
fn a_limit_of_file_size_is_met_by_written_data_alone() {
    let (_directory, path) = new_path();
    child::run(writes_up_to_a_limit, &path, "");
    let store = DataStore::open_existing(&path).unwrap();
    assert!(store.len().unwrap() > 10, "what was written before the limit is there");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn writes_up_to_a_limit() {
    // Some slots of 4 KiB, and a small one.
    const LIMIT: u64 = (100 << 10) + 1000;
    let Some((path, _)) = child::orders() else { return };
    let limit = Rlimit { current: Some(LIMIT), maximum: Some(LIMIT) };
    setrlimit(Resource::Fsize, limit).unwrap();
    let store = DataStore::open(&path).unwrap();
    let mut written = 0_u32;
    let error = loop {
        match store.write(&written.to_le_bytes(), &[1; 4000]) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert!(matches!(typed(&error), WriteError::FileSizeLimit { limit: LIMIT }), "{error}");
    assert!(written > 15, "{written}");
    assert_eq!(store.len().unwrap(), written as usize);
    store.write(b"small", b"value").unwrap();
    let too_long = vec![1; 2 << 20];
    assert!(store.write(b"large", &too_long).is_err());
    assert!(store.write_stream_sized(b"large", &mut &too_long[..], 2 << 20).is_err());
    assert!(store.write_stream(b"large", &mut &too_long[..]).is_err());
    store.close().unwrap();
}
