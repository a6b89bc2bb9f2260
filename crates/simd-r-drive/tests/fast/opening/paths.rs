//! A store keeps using the file that it was opened with, even if its path leads to another file
//! later.

#![cfg(unix)]

use std::env;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, NameState, OpenOptions, StoreError, WriteError};

use crate::errors::typed;
use crate::support::child;
use crate::support::{names_in, new_path, state_of};

/// A store in which something is dead, so that compaction has something to do.
fn store_with(path: &Path, value: &[u8]) -> DataStore {
    let store = DataStore::open(path).unwrap();
    store.write(b"key", &[0; 1000]).unwrap();
    store.write(b"key", value).unwrap();
    store
}

#[track_caller]
fn assert_name_lost(error: &io::Error, taken: bool) {
    match typed::<WriteError>(error) {
        WriteError::NameLost { is_taken, .. } => assert_eq!(*is_taken, taken, "{error}"),
        other => panic!("{other:?}"),
    }
}

/// Compaction once replaced the other store, which was open and locked, and returned `Ok`. Later
/// writes went there.
#[test]
fn compaction_replaces_no_store_that_took_the_name() {
    let (directory, path) = new_path();
    let moved = directory.path().join("moved.srd");
    let store = store_with(&path, b"ours");
    fs::rename(&path, &moved).unwrap();
    assert_eq!(store.stats().name, NameState::Gone);
    assert_name_lost(&store.compact().unwrap_err(), false);

    let other = store_with(&path, b"theirs");
    assert_eq!(store.stats().name, NameState::Taken);
    assert_name_lost(&store.compact().unwrap_err(), true);
    store.write(b"after", b"ours").unwrap();
    other.write(b"after", b"theirs").unwrap();
    assert_eq!(other.read(b"key").unwrap().unwrap(), b"theirs".as_slice());
    drop((store, other));

    for (path, value) in [(&path, b"theirs".as_slice()), (&moved, b"ours")] {
        let store = DataStore::open_existing(path).unwrap();
        assert_eq!(store.read(b"key").unwrap().unwrap(), value);
        assert_eq!(store.read(b"after").unwrap().unwrap(), value);
    }
    assert_eq!(names_in(directory.path()), ["moved.srd", "store.srd"]);
}

#[test]
fn a_name_lost_within_a_compaction_is_not_replaced() {
    let (directory, path) = new_path();
    let moved = directory.path().join("moved.srd");
    let store = store_with(&path, b"ours");
    let mut other = None;
    let result = store.compact_with(|_| {
        if other.is_none() {
            fs::rename(&path, &moved).unwrap();
            other = Some(store_with(&path, b"theirs"));
        }
        ControlFlow::Continue(())
    });
    assert_name_lost(&result.unwrap_err(), true);
    store.write(b"after", b"ours").unwrap();
    drop((store, other));
    let store = DataStore::open_existing(&moved).unwrap();
    assert_eq!(store.read(b"after").unwrap().unwrap(), b"ours".as_slice());
    let store = DataStore::open_existing(&path).unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"theirs".as_slice());
    assert_eq!(names_in(directory.path()), ["moved.srd", "store.srd"]);
}

#[test]
fn a_link_is_not_followed_again() {
    let (directory, path) = new_path();
    let (other_path, link) =
        (directory.path().join("other.srd"), directory.path().join("link.srd"));
    store_with(&path, b"ours").close().unwrap();
    symlink(&path, &link).unwrap();
    let store = DataStore::open(&link).unwrap();
    let other = store_with(&other_path, b"theirs");
    fs::remove_file(&link).unwrap();
    symlink(&other_path, &link).unwrap();

    store.compact().unwrap();
    store.write(b"after", b"ours").unwrap();
    drop((store, other));
    let store = DataStore::open_existing(&path).unwrap();
    assert_eq!(store.read(b"after").unwrap().unwrap(), b"ours".as_slice());
    let other = DataStore::open_existing(&other_path).unwrap();
    assert_eq!(other.read(b"key").unwrap().unwrap(), b"theirs".as_slice());
    assert!(!other.exists(b"after").unwrap());
}

#[test]
fn a_relative_path_stays_that_of_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    child::run(opens_here_and_works_there, directory.path(), "");
}

#[test]
#[ignore = "run by the test above, in a process of its own"]
fn opens_here_and_works_there() {
    let Some((directory, _)) = child::orders() else { return };
    let (here, there) = (directory.join("here"), directory.join("there"));
    fs::create_dir(&here).unwrap();
    fs::create_dir(&there).unwrap();
    env::set_current_dir(&here).unwrap();
    let store = store_with(Path::new("store.srd"), b"ours");
    let reader = OpenOptions::new().read_only(true).open("store.srd").unwrap();
    env::set_current_dir(&there).unwrap();
    let other = store_with(Path::new("store.srd"), b"theirs");
    let before = state_of(Path::new("store.srd"));

    store.compact().unwrap();
    // Longer than what is kept in memory.
    store.write_stream(b"stream", &mut &vec![1; 3 << 20][..]).unwrap();
    assert!(reader.refresh().unwrap());
    assert_eq!(reader.read(b"key").unwrap().unwrap(), b"ours".as_slice());
    assert!(reader.exists(b"stream").unwrap());
    assert!(state_of(Path::new("store.srd")) == before, "the other store was changed");
    drop(other);
    assert_eq!(names_in(&here), ["store.srd"]);
}

#[test]
fn a_directory_may_be_renamed_while_its_store_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let (before, after) = (directory.path().join("before"), directory.path().join("after"));
    fs::create_dir(&before).unwrap();
    let store = store_with(&before.join("store.srd"), b"value");
    let reader = OpenOptions::new().read_only(true).open(before.join("store.srd")).unwrap();
    fs::rename(&before, &after).unwrap();
    store.compact().unwrap();
    store.write(b"after", b"value").unwrap();
    assert!(reader.refresh().unwrap());
    assert!(reader.exists(b"after").unwrap());
    drop(store);
    assert!(DataStore::open_existing(after.join("store.srd")).unwrap().exists(b"after").unwrap());
    assert!(!before.exists());
}

/// A reader once went over to whatever store it found under the path.
#[test]
fn a_reader_goes_over_to_its_own_store_alone() {
    let (directory, path) = new_path();
    let (moved, copy) = (directory.path().join("moved.srd"), directory.path().join("copy.srd"));
    let store = store_with(&path, b"ours");
    store.backup(&copy).unwrap();
    store.write(b"newer", b"ours").unwrap();
    let reader = OpenOptions::new().read_only(true).open(&path).unwrap();

    fs::rename(&path, &moved).unwrap();
    assert!(!reader.refresh().unwrap(), "what has no successor stays");
    store_with(&path, b"theirs").close().unwrap();
    let refused = reader.refresh().unwrap_err();
    assert!(matches!(typed(&refused), StoreError::ReplacedByOther { .. }), "{refused}");
    fs::rename(&copy, &path).unwrap();
    let refused = reader.refresh().unwrap_err();
    assert!(matches!(typed(&refused), StoreError::ReplacedByOlder { .. }), "{refused}");
    assert_eq!(reader.read(b"newer").unwrap().unwrap(), b"ours".as_slice());

    // A copy that goes on from what the reader has shown is a newer state.
    store.write(b"newest", b"ours").unwrap();
    store.backup(&copy).unwrap();
    fs::rename(&copy, &path).unwrap();
    assert!(reader.refresh().unwrap());
    assert!(reader.exists(b"newest").unwrap());
}

/// `write`, `sync` and `close` once returned `Ok`, and all was gone.
#[test]
fn a_store_whose_file_was_deleted_says_so() {
    let (_directory, path) = new_path();
    let store = store_with(&path, b"value");
    store.sync().unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(store.stats().name, NameState::Deleted);
    store.write(b"more", b"value").unwrap();
    let told = store.sync().unwrap_err();
    assert!(matches!(typed(&told), StoreError::Deleted { .. }), "{told}");
    assert_eq!(store.read(b"more").unwrap().unwrap(), b"value".as_slice());
    assert_name_lost(&store.compact().unwrap_err(), false);
    let told = store.close().unwrap_err();
    assert!(matches!(typed(&told), StoreError::Deleted { .. }), "{told}");
}

/// After `cp` over an open file, `refresh` once returned that there was nothing new, and the next
/// look-up crashed.
#[test]
fn a_file_that_is_overwritten_in_place_is_noticed() {
    let (directory, path) = new_path();
    let other = directory.path().join("other.srd");
    store_with(&path, &[1; 100_000]).close().unwrap();
    store_with(&other, b"shorter").close().unwrap();
    let reader = OpenOptions::new().read_only(true).open(&path).unwrap();
    fs::copy(&other, &path).unwrap();
    let told = reader.refresh().unwrap_err();
    assert!(matches!(typed(&told), StoreError::Overwritten { .. }), "{told}");

    store_with(&other, &[2; 200_000]).close().unwrap();
    fs::copy(&other, &path).unwrap();
    let told = reader.refresh().unwrap_err();
    assert!(matches!(typed(&told), StoreError::Overwritten { .. }), "{told}");
}

/// The mode was once copied when the new file was begun, or from whatever had the path.
#[test]
fn what_is_closed_to_others_stays_so() {
    let (directory, path) = new_path();
    let (moved, backup) = (directory.path().join("moved.srd"), directory.path().join("backup.srd"));
    let store = store_with(&path, b"value");
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    set_mode(&path, 0o644);
    store
        .compact_with(|_| {
            set_mode(&path, 0o600);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(mode(&path), 0o600);

    fs::rename(&path, &moved).unwrap();
    fs::write(&path, b"anybody's").unwrap();
    set_mode(&path, 0o644);
    store.backup(&backup).unwrap();
    assert_eq!(mode(&backup), 0o600);
}

/// Recovery once could not save what it cuts off: the name for it was too long.
#[test]
fn a_store_with_the_longest_name_is_recovered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n".repeat(255));
    store_with(&path, b"value").close().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes.resize(bytes.len() + 100, 7);
    fs::write(&path, &bytes).unwrap();
    let store = DataStore::open(&path).unwrap();
    let saved = store.recovery_report().saved_to.clone().expect("saved");
    assert_eq!(fs::read(saved).unwrap(), [7; 100]);
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    store.write(b"more", b"value").unwrap();
}

/// A killed compaction once left a hidden file of the store's size for ever.
#[test]
fn what_a_killed_process_left_is_removed() {
    let (directory, path) = new_path();
    let orphan = directory.path().join(".simd-r-drive-0123456789Ab.tmp");
    let of_another = directory.path().join(".simd-r-drive-1123456789Ab.tmp");
    let notes = directory.path().join(".simd-r-drive-notes");
    let store = store_with(&path, b"value");
    store.sync().unwrap();
    fs::copy(&path, &orphan).unwrap();
    fs::copy(&path, &notes).unwrap();
    store_with(&of_another, b"value").close().unwrap();
    store.compact().unwrap();
    let left = [".simd-r-drive-1123456789Ab.tmp", ".simd-r-drive-notes", "store.srd"];
    assert_eq!(names_in(directory.path()), left);

    // Opening after a crash does the same.
    store.write(b"more", b"value").unwrap();
    let crashed = directory.path().join("crashed.srd");
    fs::copy(&path, &crashed).unwrap();
    fs::copy(&path, &orphan).unwrap();
    let recovered = DataStore::open(&crashed).unwrap();
    assert!(!recovered.recovery_report().was_clean);
    assert!(!orphan.exists());
    assert!(of_another.exists() && notes.exists());
}
