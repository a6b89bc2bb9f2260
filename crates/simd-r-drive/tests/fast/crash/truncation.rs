//! A closed store is truncated at every byte, and one that was not closed at every byte of its
//! tail.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, EntryIterator, Foreign, FormatError, OpenOptions};

use crate::errors::{assert_names_damage, typed};
use crate::support::hooks::Hooked;
use crate::support::{names_in, new_path};

type Contents = BTreeMap<Vec<u8>, Vec<u8>>;

fn contents(store: &DataStore) -> Contents {
    let contents: Contents =
        store.iter_entries().map(|entry| (entry.key().unwrap().to_vec(), entry.to_vec())).collect();
    for (key, value) in &contents {
        assert_eq!(store.read(key).unwrap().unwrap(), *value);
    }
    assert_eq!(store.len().unwrap(), contents.len());
    contents
}

fn options() -> OpenOptions {
    OpenOptions::new().create(true).verify_reads(true).file_system(Hooked::without_flushes())
}

/// Commits of all kinds, and after each, its end and what the store holds.
fn history(store: &DataStore) -> Vec<(u64, Contents)> {
    let mut history = vec![(store.file_size().unwrap(), contents(store))];
    let mut note = |tail| history.push((tail, contents(store)));
    note(store.write(b"a", b"1").unwrap());
    note(store.write(b"long", &[7; 300]).unwrap());
    note(store.batch_write(&[(b"a", b"2"), (b"b", &[0; 100]), (b"c", b"")]).unwrap());
    note(store.delete(b"a").unwrap());
    note(store.rename(b"b", b"d").unwrap());
    note(store.write(b"a", b"3").unwrap());
    note(store.write_stream(b"s", &mut &[9; 130][..]).unwrap());
    note(store.batch_delete(&[b"c", b"d"]).unwrap());
    history
}

#[test]
fn a_closed_store_that_is_cut_anywhere_is_left_alone() {
    let (directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let expected = history(&store).pop().unwrap().1;
    drop(store);
    let whole = fs::read(&path).unwrap();
    assert_eq!(contents(&options().open(&path).unwrap()), expected);
    assert_eq!(fs::read(&path).unwrap(), whole, "opening and closing changes nothing");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for len in (1..whole.len()).rev() {
        file.set_len(len as u64).unwrap();
        let what = format!("cut to {len} of {} bytes", whole.len());
        match options().open(&path) {
            Err(error) => judge_refusal(&error, len, whole.len(), &what),
            Ok(store) => panic!("{what}: opened: {:?}", store.recovery_report()),
        }
        // A reader gets what is certain, or is refused as well.
        match options().create(false).read_only(true).open(&path) {
            Err(error) => judge_refusal(&error, len, whole.len(), &what),
            Ok(store) => {
                assert!(!store.recovery_report().damaged.is_empty(), "{what}: nothing is missing?");
                assert_names_damage(&store.len().unwrap_err(), &what);
                for key in [&b"a"[..], b"long", b"b", b"c", b"d", b"s", b"never"] {
                    match store.read(key) {
                        Ok(entry) => {
                            let value = entry.map(|entry| entry.to_vec());
                            assert_eq!(value.as_ref(), expected.get(key), "{what}: outdated");
                        }
                        Err(error) => assert_names_damage(&error, &what),
                    }
                }
                assert_names_damage(&store.iter_entries().finish_all(), &what);
            }
        }
        assert!(fs::read(&path).unwrap() == whole[..len], "{what}: the file was changed");
    }
    assert_eq!(names_in(directory.path()), ["store.srd"]);
    fs::write(&path, &whole).unwrap();
    assert_eq!(contents(&options().open(&path).unwrap()), expected, "restored");
}

/// The error that a walk over all entries ends with.
trait FinishAll {
    fn finish_all(self) -> io::Error;
}

impl FinishAll for EntryIterator {
    fn finish_all(mut self) -> io::Error {
        self.by_ref().for_each(drop);
        self.finish().unwrap_err()
    }
}

fn judge_refusal(error: &io::Error, len: usize, whole: usize, what: &str) {
    match typed(error) {
        // Too short to tell what it was.
        FormatError::NotAStore { found: Foreign::Unknown | Foreign::Text, .. } => {
            assert!(len < 20, "{what}: {error}");
        }
        FormatError::Truncated { len: got, expected, .. } => {
            assert_eq!(*got, len as u64, "{what}");
            assert!(*expected > *got && *expected <= whole as u64, "{what}");
        }
        _ => assert_names_damage(error, what),
    }
}

/// A copy of the store's file, made while the store is open, and without the space allocated ahead.
fn copy_of_open(store: &DataStore, path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes.truncate(store.file_size().unwrap() as usize);
    bytes
}

#[test]
fn an_open_store_cut_in_its_tail_keeps_whole_commits() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let history = history(&store);
    let whole = copy_of_open(&store, &path);
    drop(store);
    let first = history[0].0 as usize;
    for len in first..=whole.len() {
        let what = format!("cut to {len} of {} bytes", whole.len());
        let (directory, path) = new_path();
        fs::write(&path, &whole[..len]).unwrap();
        let (tail, expected) = history.iter().rfind(|(tail, _)| *tail <= len as u64).unwrap();
        let reader = options().create(false).read_only(true).open(&path).unwrap();
        assert_eq!(contents(&reader), *expected, "{what}, read-only");
        assert_eq!(fs::read(&path).unwrap(), whole[..len], "{what}: a reader changed the file");
        let store = options().open(&path).unwrap();
        assert_eq!(contents(&store), *expected, "{what}");
        let report = store.recovery_report();
        assert_eq!(report.tail, *tail, "{what}");
        let saved = report.saved_to.clone();
        assert_eq!(saved.is_some(), report.uncommitted_bytes > 0, "{what}");
        // What was cut off is still there, but for zeros at its end.
        let cut = &whole[*tail as usize..len];
        let data_len = cut.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        assert_eq!(report.uncommitted_bytes, data_len as u64, "{what}");
        if let Some(saved) = &saved {
            assert_eq!(fs::read(saved).unwrap(), cut[..data_len], "{what}");
        }
        let files = 1 + usize::from(saved.is_some());
        assert_eq!(names_in(directory.path()).len(), files, "{what}");
        // Opening again gives the same, and the next write stays.
        drop(store);
        let store = options().open(&path).unwrap();
        assert!(store.recovery_report().was_clean, "{what}");
        assert_eq!(contents(&store), *expected, "{what}, again");
        store.write(b"next", b"write").unwrap();
        drop(store);
        let store = options().open(&path).unwrap();
        let mut expected = expected.clone();
        expected.insert(b"next".to_vec(), b"write".to_vec());
        assert_eq!(contents(&store), expected, "{what}, written to");
        assert_eq!(names_in(directory.path()).len(), files, "{what}");
    }
}
