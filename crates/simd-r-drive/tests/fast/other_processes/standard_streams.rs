//! If a process has closed a standard stream, the next file that it opens gets its descriptor.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "closing a descriptor that nobody owns has no safe face")]

use std::fs;
use std::io::{self, Write as _};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::{child, new_path};

/// A store that was opened while a standard stream was closed once got its descriptor, and output
/// went to the store's file.
#[test]
fn a_store_never_gets_what_goes_to_a_closed_stream() {
    for stream in ["0", "1", "2"] {
        let (_directory, path) = new_path();
        DataStore::open(&path).unwrap().write(b"old", b"value").unwrap();
        child::run(prints_to_a_closed_stream, &path, stream);
        let store = DataStore::open_existing(&path).unwrap();
        assert!(store.recovery_report().was_clean, "{stream}: {:?}", store.recovery_report());
        assert!(store.verify().unwrap().is_sound(), "{stream}");
        assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
        let backup = DataStore::open_existing(path.with_extension("backup")).unwrap();
        assert_eq!(backup.len().unwrap(), 3, "{stream}");
    }
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn prints_to_a_closed_stream() {
    let Some((path, stream)) = child::orders() else { return };
    let stream: i32 = stream.parse().unwrap();
    // SAFETY: a standard stream of this process, which ends without using it for anything else.
    unsafe { libc::close(stream) };
    let shout = || {
        let _ = io::stdout().write_all(&[b'!'; 200]);
        let _ = io::stdout().flush();
        let _ = io::stderr().write_all(&[b'!'; 200]);
    };
    let store = DataStore::open_existing(&path).unwrap();
    shout();
    store.write(b"key", &[1; 1000]).unwrap();
    store.write(b"key", b"value").unwrap();
    store.write_stream(b"stream", &mut &vec![3; 3 << 20][..]).unwrap();
    shout();
    store.compact().unwrap();
    shout();
    store.backup(&path.with_extension("backup")).unwrap();
    shout();
    let reader = OpenOptions::new().read_only(true).open(&path).unwrap();
    // The harness has the other two.
    let taken = fs::read_link(format!("/proc/self/fd/{stream}"));
    let is_free = taken.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    // Not an assertion: what it prints may have nowhere to go.
    if !is_free {
        std::process::exit(1);
    }
    drop(reader);
    store.close().unwrap();
    // Not through the harness, which prints.
    std::process::exit(0);
}
