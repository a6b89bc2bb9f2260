//! A process may have closed its standard streams. The next file that it opens gets the number of one.

#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "closing a descriptor that nobody owns has no safe face")]

mod support;

use std::fs;
use std::io::{self, Write as _};

use simd_r_drive::DataStore;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use support::{child, new_path};

/// A store that was opened while standard output was closed got its number, and whatever was printed went into its
/// file.
#[test]
fn what_is_printed_to_a_closed_stream_does_not_go_into_the_store() {
    let (_directory, path) = new_path();
    child::run("prints_to_closed_streams", &path, "");
    let store = DataStore::open_existing(&path).unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    assert!(store.recovery_report().was_clean);
    let backup = DataStore::open_existing(&path.with_extension("backup")).unwrap();
    assert_eq!(backup.len().unwrap(), 2);
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn prints_to_closed_streams() {
    let Some((path, _)) = child::orders() else { return };
    for descriptor in 0..3 {
        // SAFETY: the standard streams of this process, which ends without using them for anything else.
        unsafe { libc::close(descriptor) };
    }
    let shout = || {
        let _ = io::stdout().write_all(&[b'!'; 10_000]);
        let _ = io::stdout().flush();
        let _ = io::stderr().write_all(&[b'!'; 10_000]);
    };
    let store = DataStore::open(&path).unwrap();
    shout();
    store.write(b"key", &[1; 1000]).unwrap();
    store.write(b"key", b"value").unwrap();
    store.write_stream(b"stream", &mut &vec![3; 3 << 20][..]).unwrap();
    shout();
    store.compact().unwrap();
    shout();
    store.backup(&path.with_extension("backup")).unwrap();
    shout();
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    for descriptor in descriptors {
        let descriptor = descriptor.unwrap();
        let target = fs::read_link(descriptor.path()).unwrap_or_default();
        let is_standard = ["0", "1", "2"].iter().any(|name| descriptor.file_name() == *name);
        assert!(
            !is_standard || target.starts_with("/proc"),
            "{descriptor:?} is {}",
            target.display()
        );
    }
    store.close().unwrap();
    // Not through the harness, which prints.
    std::process::exit(0);
}
