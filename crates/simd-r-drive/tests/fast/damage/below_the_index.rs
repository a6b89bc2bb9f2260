//! Bit rot in the log below the index, which opening does not read. Reads of the damaged entry
//! return an error that names it, everything else is read correctly, nothing outdated or deleted
//! comes back, and nothing damaged is copied.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, EntryHandle, FormatError, OpenOptions, compute_hash};

use crate::errors::typed;
use crate::support::hooks::Hooked;
use crate::support::{keys_of_one_hash, new_path};

/// What a slot below the index is to readers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// The newest of its key: a value, or a deletion.
    Newest(Vec<u8>),
    /// A version that was superseded before the checkpoint, or after it.
    Superseded,
}

struct Scene {
    _directory: tempfile::TempDir,
    path: PathBuf,
    original: Vec<u8>,
    /// Where the index is.
    table: Range<usize>,
    slots: Vec<(Range<usize>, Role)>,
    expected: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    options: OpenOptions,
}

/// What a store is written like, one slot at a time; afterwards every slot's role is known.
struct Log {
    store: DataStore,
    slots: Vec<(Range<usize>, Vec<u8>)>,
    expected: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Log {
    fn step(&mut self, key: &[u8], value: Option<&[u8]>) {
        let start = self.store.stats().tail as usize;
        let end = match value {
            Some(value) => self.store.write(key, value).unwrap(),
            None => self.store.delete(key).unwrap(),
        };
        self.slots.push((start..end as usize, key.to_vec()));
        self.expected.insert(key.to_vec(), value.map(<[u8]>::to_vec));
    }
}

impl Scene {
    fn new() -> Self {
        let (_directory, path) = new_path();
        let twins = keys_of_one_hash(3);
        let store = DataStore::open(&path).unwrap();
        let mut log = Log { store, slots: Vec::new(), expected: BTreeMap::new() };
        log.step(b"oldest", Some(b"value"));
        log.step(b"twice", Some(b"first"));
        log.step(b"gone", Some(b"deleted"));
        log.step(&twins[0], Some(b"twin 0"));
        log.step(b"later", Some(b"superseded when the index is there"));
        log.step(b"gone later", Some(b"deleted when the index is there"));
        log.step(b"twice", Some(&[2; 100]));
        log.step(&twins[1], Some(b"twin 1"));
        log.step(b"gone", None);
        log.step(&twins[1], None);
        log.step(&twins[2], Some(b"twin 2"));
        log.step(b"back", Some(b"1"));
        log.step(b"back", None);
        log.step(b"back", Some(b"2"));
        let table = log.store.stats().tail as usize;
        log.store.checkpoint().unwrap();
        let table = table..table + log.store.stats().frozen_bytes as usize;
        let below = log.slots.len();
        log.step(b"later", Some(b"newest"));
        log.step(b"gone later", None);
        log.step(b"new", Some(b"above the index"));
        log.store.close().unwrap();

        let Log { slots, mut expected, .. } = log;
        let is_last =
            |number: usize| slots[number + 1..].iter().all(|(_, key)| *key != slots[number].1);
        let roles = slots.iter().enumerate().map(|(number, (range, key))| {
            let role = if is_last(number) { Role::Newest(key.clone()) } else { Role::Superseded };
            (range.clone(), role)
        });
        let slots = roles.take(below).collect();
        expected.insert(b"never there".to_vec(), None);
        let original = fs::read(&path).unwrap();
        let options = OpenOptions::new().verify_reads(true).file_system(Hooked::without_flushes());
        Self { _directory, path, original, table, slots, expected, options }
    }

    fn change(&self, at: usize, byte: u8) {
        let file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(&[byte], at as u64).unwrap();
    }

    /// Checks that every kind of read of every key returns the right value, or, if `may_fail`, an
    /// error that names a place in `damaged`. Returns the number of errors.
    #[track_caller]
    fn check(
        &self,
        store: &DataStore,
        damaged: &Range<usize>,
        may_fail: impl Fn(&[u8]) -> bool,
        what: &str,
    ) -> u64 {
        let mut errors = 0;
        let mut judge =
            |key: &[u8], value: Option<&[u8]>, got: io::Result<Option<EntryHandle>>| match got {
                Ok(found) => assert_eq!(found.as_deref(), value, "{what}: {key:?}"),
                Err(error) => {
                    assert_names(&error, damaged, what);
                    assert!(may_fail(key), "{what}: {key:?} is not damaged: {error}");
                    errors += 1;
                }
            };
        for (key, value) in &self.expected {
            let value = value.as_deref();
            judge(key, value, store.read(key));
            judge(key, value, store.batch_read(&[key]).map(|mut found| found.remove(0)));
            match store.exists(key) {
                Ok(exists) => assert_eq!(exists, value.is_some(), "{what}: {key:?}"),
                Err(error) => judge(key, value, Err(error)),
            }
            match store.view().get(key) {
                Ok(found) => assert_eq!(found, value, "{what}: {key:?}"),
                Err(error) => judge(key, value, Err(error)),
            }
        }
        let twins = keys_of_one_hash(3);
        let by_hash = store.read_with_key_hash(compute_hash(&twins[0]));
        judge(&twins[2], Some(b"twin 2"), by_hash);
        errors
    }

    /// Checks that every key can be written again. If the key, or one with the same hash, is the
    /// damaged one, the write may also fail. Leaves the file at `path` as it was.
    #[track_caller]
    fn check_writes(&self, path: &Path, damaged: &Range<usize>, role: &Role, what: &str) {
        let before = fs::read(path).unwrap();
        let store = self.options.open(path).unwrap();
        for key in self.expected.keys() {
            match store.write(key, b"mended") {
                Ok(_) => assert_eq!(*store.read(key).unwrap().unwrap(), *b"mended", "{what}"),
                Err(error) => {
                    assert_names(&error, damaged, what);
                    let Role::Newest(newest) = role else { panic!("{what}: {key:?}: {error}") };
                    assert_eq!(compute_hash(newest), compute_hash(key), "{what}: {error}");
                }
            }
        }
        drop(store);
        fs::write(path, before).unwrap();
    }

    /// Iteration shows all that is live, or ends with an error.
    #[track_caller]
    fn check_iteration(&self, store: &DataStore, damaged: &Range<usize>, what: &str) -> bool {
        let mut entries = store.iter_entries();
        let mut count = 0;
        for entry in entries.by_ref() {
            let expected = self.expected.get(entry.key().unwrap()).and_then(Option::as_deref);
            assert_eq!(Some(entry.as_slice()), expected, "{what}");
            count += 1;
        }
        let live = self.expected.values().flatten().count();
        match entries.error() {
            None => assert_eq!(count, live, "{what}"),
            Some(error) => assert_names(error, damaged, what),
        }
        entries.error().is_some()
    }
}

#[track_caller]
fn assert_names(error: &io::Error, damaged: &Range<usize>, what: &str) {
    match typed::<FormatError>(error) {
        FormatError::Damaged { offset, .. } => {
            let offset = *offset as usize;
            assert!((damaged.start..=damaged.end).contains(&offset), "{what}: {error}");
        }
        other => panic!("{what}: {other:?}"),
    }
}

fn copy_of(path: &Path) -> PathBuf {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).unwrap();
    copy
}

#[test]
fn a_damaged_slot_is_named_and_all_others_read() {
    let scene = Scene::new();
    let (mut errors, mut iterations_ended, mut compactions_failed, mut compacted_away) =
        (0, 0, 0, 0);
    for (range, role) in &scene.slots {
        let may_fail = |key: &[u8]| matches!(role, Role::Newest(newest) if newest == key);
        let mut errors_here = 0;
        for at in range.clone() {
            let what = format!("byte {} of {range:?}, {role:?}", at - range.start);
            scene.change(at, scene.original[at] ^ 0x10);
            for read_only in [true, false] {
                let store = scene.options.clone().read_only(read_only).open(&scene.path).unwrap();
                assert!(store.recovery_report().is_index_used, "{what}");
                errors_here += scene.check(&store, range, may_fail, &what);
                let is_ended = scene.check_iteration(&store, range, &what);
                iterations_ended += u32::from(is_ended);
            }
            if at % 8 == 3 {
                let copy = copy_of(&scene.path);
                let store = DataStore::open(&copy).unwrap();
                let compacted = store.compact();
                drop(store);
                scene.check_writes(&copy, range, role, &what);
                let store = scene.options.open(&copy).unwrap();
                match compacted {
                    Ok(()) => {
                        // What was damaged was superseded, or between payload and key, and is gone.
                        scene.check(&store, range, |_| false, &what);
                        store.iter_entries().finish().unwrap();
                        compacted_away += 1;
                    }
                    Err(error) => {
                        assert_names(&error, range, &what);
                        scene.check(&store, range, may_fail, &what);
                        compactions_failed += 1;
                    }
                }
            }
            scene.change(at, scene.original[at]);
        }
        assert_eq!(errors_here > 0, *role != Role::Superseded, "{range:?}, {role:?}");
        errors += errors_here;
    }
    assert!(fs::read(&scene.path).unwrap() == scene.original, "nothing was written");
    println!(
        "{errors} errors, {iterations_ended} iterations ended, {compactions_failed} compactions failed"
    );
    assert!(iterations_ended > 500 && compactions_failed > 20 && compacted_away > 20);
}

/// Where the index is damaged too, the log is all there is to ask.
#[test]
fn with_a_damaged_index_answers_are_right_or_errors() {
    let scene = Scene::new();
    let mut errors = 0;
    // A slot of unknown length can take those before it along.
    let up_to = |end: usize| scene.slots[0].0.start..end;
    // All lines but the header: every look-up meets one.
    let mut without_lines = scene.original.clone();
    without_lines[scene.table.start + 128..scene.table.end].fill(0);
    let mut without_header = scene.original.clone();
    without_header[scene.table.start..scene.table.start + 128].fill(0);
    for (number, image) in [without_lines, without_header].iter().enumerate() {
        fs::write(&scene.path, image).unwrap();
        for (range, role) in &scene.slots {
            for at in range.clone().step_by(3) {
                let what =
                    format!("image {number}, byte {} of {range:?}, {role:?}", at - range.start);
                scene.change(at, image[at] ^ 0x10);
                for read_only in [true, false] {
                    let store = match scene.options.clone().read_only(read_only).open(&scene.path) {
                        Ok(store) => store,
                        Err(error) => {
                            assert!(!read_only, "{what}: {error}");
                            assert_names(&error, &up_to(range.end), &what);
                            continue;
                        }
                    };
                    errors += scene.check(&store, &up_to(range.end), |_| true, &what);
                    scene.check_iteration(&store, &up_to(range.end), &what);
                }
                scene.change(at, image[at]);
            }
        }
    }
    assert!(errors > 1000, "{errors} errors");
}
