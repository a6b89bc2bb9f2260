//! Single files that are mounted into a container, and overlay file systems, which containers use.
//!
//! The tests mount file systems in a namespace of their own. If that is not allowed, they say so
//! and pass.

#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions, WriteError};

use crate::errors::typed;
use crate::support::child;

/// Runs the ignored test `test` where it may mount.
fn run_in_namespace<T>(test: T) {
    let directory = tempfile::tempdir().unwrap();
    let unshare = |program: &Path| {
        let mut command = Command::new("unshare");
        command.arg("--mount").arg(program);
        command
    };
    if !unshare(Path::new("true")).status().is_ok_and(|status| status.success()) {
        eprintln!("skipped, since mounting is not allowed here");
        return;
    }
    let mut command = unshare(&child::this_binary());
    child::order(&mut command, test, directory.path(), "");
    child::finish(command);
}

/// Returns whether it worked.
fn mount(arguments: &[&str]) -> bool {
    let is_mounted = Command::new("mount").args(arguments).status().is_ok_and(|it| it.success());
    if !is_mounted {
        eprintln!("skipped: mount {arguments:?} does not work here");
    }
    is_mounted
}

/// Compaction once copied everything, and failed to rename it with a bare "resource busy".
#[test]
fn a_file_that_is_mounted_by_itself_is_not_compacted() {
    run_in_namespace(compacts_a_mounted_file);
}

#[test]
#[ignore = "run by the test above, in a namespace of its own"]
fn compacts_a_mounted_file() {
    let Some((directory, _)) = child::orders() else { return };
    let (outside, inside) = (directory.join("outside.srd"), directory.join("inside.srd"));
    let store = DataStore::open(&outside).unwrap();
    store.write(b"key", b"older").unwrap();
    store.write(b"key", b"value").unwrap();
    drop(store);
    fs::write(&inside, b"").unwrap();
    if !mount(&["--bind", outside.to_str().unwrap(), inside.to_str().unwrap()]) {
        return;
    }
    let store = DataStore::open(&inside).unwrap();
    let mut calls = 0;
    let refused = store.compact_with(|_| {
        calls += 1;
        std::ops::ControlFlow::Continue(())
    });
    let refused = refused.unwrap_err();
    assert!(matches!(typed(&refused), WriteError::MountPoint { .. }), "{refused}");
    assert_eq!(calls, 0, "nothing was copied first");
    store.write(b"more", b"value").unwrap();
    assert_eq!(store.len().unwrap(), 2);
}

/// If a reader had opened the file before its first writer, its reads showed the new file, but its
/// map the old one. It reported damage that was not there, and then received a fatal signal.
#[test]
fn a_reader_on_an_overlay_follows_the_first_writer() {
    run_in_namespace(follows_on_an_overlay);
}

#[test]
#[ignore = "run by the test above, in a namespace of its own"]
fn follows_on_an_overlay() {
    let Some((directory, _)) = child::orders() else { return };
    let [lower, upper, work, merged] = ["lower", "upper", "work", "merged"].map(|name| {
        let path = directory.join(name);
        fs::create_dir(&path).unwrap();
        path
    });
    DataStore::open(lower.join("store.srd")).unwrap().write(b"old", b"value").unwrap();
    // An overlay's upper layer may not lie on another overlay; memory will do.
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    if !mount(&["-t", "overlay", "overlay", "-o", &layers, merged.to_str().unwrap()]) {
        return;
    }
    let path = merged.join("store.srd");
    let reader = OpenOptions::new().read_only(true).open(&path).unwrap();
    let store = DataStore::open_existing(&path).unwrap();
    for number in 0..1000_u32 {
        store.write(&number.to_le_bytes(), &[7; 1000]).unwrap();
        if number % 100 == 0 {
            assert!(reader.refresh().unwrap());
            assert_eq!(reader.read(&number.to_le_bytes()).unwrap().unwrap(), [7; 1000].as_slice());
        }
    }
    assert!(reader.refresh().unwrap());
    assert_eq!(reader.len().unwrap(), 1001);
    assert_eq!(reader.read(b"old").unwrap().unwrap(), b"value".as_slice());
    store.write(&0_u32.to_le_bytes(), b"newer").unwrap();
    store.compact().unwrap();
    assert!(reader.refresh().unwrap());
    assert_eq!(reader.len().unwrap(), 1001);
}
