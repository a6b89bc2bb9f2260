//! The index in the file, with any byte changed, any part missing, or without a barrier that names
//! it. Every key is read correctly, absent keys are absent, deleted keys do not come back, and the
//! store goes on working, also in the process that wrote the index.

#![cfg(unix)]

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, FormatError, OpenOptions};
use simd_r_drive_entry_handle::{Barrier, BarrierTables, Checkpoint, Identity, Seal};
use simd_r_drive_writer::{Access, Appender, FileSystem, OsFileSystem};

use crate::errors::typed;
use crate::shown::{Shown, keys};
use crate::support::hooks::Hooked;
use crate::support::{keys_of_one_hash, new_path};

const PAGE: usize = 4096;

const MAX: u64 = u64::MAX;

/// Makes a closed store with live, superseded and deleted entries of all kinds before a checkpoint,
/// and some more after it. Returns where the payload of the index slot is.
fn build(path: &Path) -> Range<usize> {
    let store = DataStore::open(path).unwrap();
    let twins = keys_of_one_hash(3);
    for round in [b"old", b"new"] {
        for key in &keys()[..10] {
            store.write(key, &[&key[..], round].concat()).unwrap();
        }
        for twin in &twins {
            store.write(twin, round).unwrap();
        }
    }
    store.batch_write_with_key_hashes(vec![(5, b"bare 5"), (6, b"bare 6")], false).unwrap();
    store.batch_delete(&[b"k1", b"k2", &twins[1]]).unwrap();
    store.batch_delete_key_hashes(&[6]).unwrap();
    let start = store.stats().tail as usize;
    store.checkpoint().unwrap();
    let len = store.stats().frozen_bytes as usize;
    store.batch_write(&[(b"k1", b"back"), (b"k3", b"newest"), (&twins[2], b"newest")]).unwrap();
    store.batch_delete(&[b"k4", &twins[0]]).unwrap();
    store.close().unwrap();
    start..start + len
}

/// A closed store, on which flushes take no time.
struct Scene {
    _directory: tempfile::TempDir,
    path: PathBuf,
    original: Vec<u8>,
    table: Range<usize>,
    expected: Shown,
    options: OpenOptions,
}

impl Scene {
    fn new() -> Self {
        let (_directory, path) = new_path();
        let table = build(&path);
        let original = fs::read(&path).unwrap();
        let options = OpenOptions::new().file_system(Hooked::without_flushes());
        let store = options.open(&path).unwrap();
        assert!(store.recovery_report().is_index_used);
        let expected = Shown::of(&store);
        drop(store);
        assert!(original == fs::read(&path).unwrap());
        Self { _directory, path, original, table, expected, options }
    }

    /// Opens the file with these bytes in this place, for reading and for writing, and reads
    /// everything. Returns whether the index was used, and whether it had to be rebuilt.
    #[track_caller]
    fn check(&self, at: usize, bytes: &[u8]) -> (bool, bool) {
        let file = fs::OpenOptions::new().write(true).open(&self.path).unwrap();
        file.write_all_at(bytes, at as u64).unwrap();
        let changed = fs::read(&self.path).unwrap();
        let mut is_clean = true;
        let mut found = Vec::new();
        for read_only in [true, false] {
            let store = self.options.clone().read_only(read_only).open(&self.path).unwrap();
            assert_eq!(Shown::of(&store), self.expected, "{} bytes at {at}", bytes.len());
            let report = store.recovery_report();
            assert!(report.damaged.is_empty() && report.saved_to.is_none(), "{report:?}");
            is_clean &= report.was_clean;
            found.push((report.is_index_used, store.stats().is_frozen_rebuilt));
        }
        let is_unchanged = fs::read(&self.path).unwrap() == changed;
        assert!(is_unchanged || !is_clean, "nobody has written anything");
        assert_eq!(found[0], found[1], "{} bytes at {at}", bytes.len());
        found[0]
    }

    /// Makes the file as it was.
    fn restore(&self) {
        fs::write(&self.path, &self.original).unwrap();
    }

    /// What is left goes on: writes, a checkpoint, a compaction.
    #[track_caller]
    fn go_on(&self) {
        for compacts in [false, true] {
            // The hooked file system cannot compact.
            let options = if compacts { OpenOptions::new() } else { self.options.clone() };
            let store = options.open(&self.path).unwrap();
            store.write(b"k9", b"after the damage").unwrap();
            if compacts {
                store.compact().unwrap();
            }
            let shown = Shown::of(&store);
            store.checkpoint().unwrap();
            assert_eq!(store.stats().frozen_tables, 1);
            assert!(!store.stats().is_frozen_rebuilt, "the new one is sound");
            assert_eq!(Shown::of(&store), shown);
            drop(store);
            let store = options.open(&self.path).unwrap();
            assert!(store.recovery_report().is_index_used);
            assert_eq!(Shown::of(&store), shown);
            assert!(!store.stats().is_frozen_rebuilt);
        }
        self.restore();
    }
}

/// A line that changes on the medium after its check can make a key look absent, but only for as
/// long as the store is open: what is stored for good is checked when it is stored. A compaction
/// once left out the entries that changed lines no longer led to, a checkpoint copied the lines
/// into a new table with right checks, and a deletion of a key that looked absent deleted nothing.
#[test]
fn a_change_after_the_check_is_not_kept() {
    let scene = Scene::new();
    let twins = keys_of_one_hash(3);
    for name in ["compaction", "checkpoint", "overwriting", "deletion"] {
        scene.restore();
        let store = OpenOptions::new().open(&scene.path).unwrap();
        assert_eq!(Shown::of(&store), scene.expected);
        // So that there is something to merge the table with. Nothing that is shown changes.
        store.write(&twins[2], b"newest").unwrap();
        let file = fs::OpenOptions::new().write(true).open(&scene.path).unwrap();
        for line in scene.table.clone().step_by(64).skip(1) {
            let tags = line + 8..line + 16;
            let changed: Vec<u8> = scene.original[tags].iter().map(|byte| byte ^ 0x5A).collect();
            file.write_all_at(&changed, line as u64 + 8).unwrap();
        }
        match name {
            "compaction" => store.compact().unwrap(),
            "checkpoint" => store.checkpoint().unwrap(),
            "overwriting" => assert!(store.write(b"k5", b"k5new").is_ok()),
            _ => assert!(store.delete(b"k5").is_ok()),
        }
        store.close().unwrap();
        let store = OpenOptions::new().open(&scene.path).unwrap();
        if name == "deletion" {
            assert!(store.read(b"k5").unwrap().is_none());
        } else {
            assert_eq!(store.read(b"k5").unwrap().unwrap(), b"k5new".as_slice(), "{name}");
        }
        store.write(b"k5", b"k5new").unwrap();
        assert_eq!(store.len().unwrap(), scene.expected.entries().len(), "{name}");
        assert_eq!(store.entries().count(), scene.expected.entries().len(), "{name}");
        for (key, value) in scene.expected.entries() {
            let found = match key {
                Ok(key) => store.read(key),
                Err(hash) => store.read_with_key_hash(*hash),
            };
            assert_eq!(found.unwrap().as_deref(), Some(&value[..]), "{key:?} after {name}");
        }
    }
}

#[test]
fn any_byte_of_the_index_can_change() {
    let scene = Scene::new();
    let (mut unused, mut rebuilt) = (0, 0);
    for at in scene.table.clone() {
        for flip in [1, 0x80] {
            let (is_used, is_rebuilt) = scene.check(at, &[scene.original[at] ^ flip]);
            unused += u32::from(!is_used);
            rebuilt += u32::from(is_rebuilt);
            if at % 512 == 201 && flip == 1 {
                scene.go_on();
            }
        }
        scene.check(at, &scene.original[at..=at]);
    }
    assert_eq!(unused, 2 * 64, "its header is one line");
    assert!(rebuilt > 8 * 64, "{rebuilt} changes were met in a line that was looked at");
}

#[test]
fn any_part_of_the_index_can_be_gone() {
    let scene = Scene::new();
    let Range { start, end } = scene.table;
    let lines = (start..end).step_by(64).map(|at| at..at + 64);
    let pages = (start..end).step_by(PAGE).map(|at| at..end.min(at + PAGE));
    let from = (start..end).step_by(64).flat_map(|at| [at..end, start..at]);
    let (mut unused, mut rebuilt) = (0, 0);
    for (number, part) in lines.chain(pages).chain(from).enumerate() {
        let (is_used, is_rebuilt) = scene.check(part.start, &vec![0; part.len()]);
        unused += u32::from(!is_used);
        rebuilt += u32::from(is_rebuilt);
        if number % 16 == 0 { scene.go_on() } else { scene.restore() }
    }
    assert!(unused > 64 && rebuilt > 64, "{unused} unused, {rebuilt} rebuilt");
    assert_eq!(scene.check(start, &vec![0; end - start]), (false, false));
}

/// The hints on pages 1 to 3 only save time: the barrier that names the tables is found without
/// them.
#[test]
fn what_leads_to_the_index_can_be_torn_or_gone() {
    let scene = Scene::new();
    let page = |number: usize| number * PAGE..(number + 1) * PAGE;
    for part in [page(1), page(2), page(3), PAGE..3 * PAGE, PAGE..4 * PAGE] {
        for torn in [part.clone(), part.start + 144..part.end, part.start..part.start + 160] {
            let (is_used, is_rebuilt) = scene.check(torn.start, &vec![0; torn.len()]);
            assert!(is_used && !is_rebuilt, "{torn:?} zeroed");
            scene.go_on();
        }
    }
}

/// A file that ends inside its index has lost what came after it. It must not pass for complete.
#[test]
fn a_file_cut_off_in_its_index_is_no_shorter_store() {
    let scene = Scene::new();
    for len in scene.table.clone().step_by(97) {
        fs::write(&scene.path, &scene.original[..len]).unwrap();
        let error = scene.options.open(&scene.path).unwrap_err();
        assert!(matches!(typed(&error), FormatError::Truncated { .. }), "{len}: {error}");
        let store = scene.options.clone().read_only(true).open(&scene.path).unwrap();
        assert!(!store.recovery_report().is_index_used);
        for key in keys() {
            assert!(store.read(&key).is_err(), "a newer version of {key:?} may be lost");
        }
        assert_eq!(fs::metadata(&scene.path).unwrap().len(), len as u64);
    }
}

/// The same for tables that stand on one another.
#[test]
fn any_part_of_any_table_can_be_gone() {
    const OLD: u64 = 60_000;
    const NEW: u64 = 4200;
    let (_directory, path) = new_path();
    let mut tables = Vec::new();
    let load = |store: &DataStore, hashes: Range<u64>, value: &[u8]| {
        let entries = hashes.map(|hash| (hash, value)).collect();
        store.batch_write_with_key_hashes(entries, false).unwrap();
    };
    // By itself a checkpoint would come at any time.
    let options = OpenOptions::new().create(true).automatic_checkpoints(false);
    let store = options.open(&path).unwrap();
    load(&store, 0..OLD, b"old");
    tables.push(store.stats().tail as usize);
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let store = DataStore::open(&path).unwrap();
    load(&store, OLD - NEW / 2..OLD + NEW / 2, b"new");
    store.batch_delete_key_hashes(&[1, 2, OLD]).unwrap();
    tables.push(store.stats().tail as usize);
    store.close().unwrap();
    assert_eq!(store.stats().frozen_tables, 2);
    drop(store);
    let original = fs::read(&path).unwrap();
    let value = |hash: u64| match hash {
        1 | 2 | OLD => None,
        _ if hash < OLD - NEW / 2 => Some(&b"old"[..]),
        _ if hash < OLD + NEW / 2 => Some(&b"new"[..]),
        _ => None,
    };
    let options = OpenOptions::new().file_system(Hooked::without_flushes());
    let check = |store: &DataStore, what: &str| {
        let hashes: Vec<u64> = (0..OLD + NEW).collect();
        for hash in hashes.iter().step_by(29) {
            let found = store.read_with_key_hash(*hash).unwrap();
            assert_eq!(found.as_deref(), value(*hash), "{what}: hash {hash}");
        }
        let batch = store.batch_read_hashed_keys(&hashes, None).unwrap();
        for (hash, found) in hashes.iter().zip(batch) {
            assert_eq!(found.as_deref(), value(*hash), "{what}: hash {hash} in a batch");
        }
    };
    // The header, the first line of buckets, all pages, one of them, from the middle on.
    let parts = [0..128, 128..192, 4096..40_000, 8192..12_288, 20_000..40_000, 0..40_000];
    for (number, start) in tables.iter().enumerate() {
        for part in &parts {
            let what = format!("{part:?} of table {number}");
            let mut changed = original.clone();
            changed[start + part.start..start + part.end].fill(0);
            fs::write(&path, &changed).unwrap();
            let reader = options.clone().read_only(true).open(&path).unwrap();
            check(&reader, &what);
            let is_headless = part.start == 0;
            // Without the newer table, the one that an older checkpoint names is used.
            let is_used = !is_headless || number == 1;
            assert_eq!(reader.recovery_report().is_index_used, is_used, "{what}");
            assert_eq!(reader.stats().is_frozen_rebuilt, !is_headless, "{what}");
            let store = options.open(&path).unwrap();
            load(&store, OLD + NEW..OLD + 2 * NEW, b"more");
            check(&store, &what);
            // A third table is too many for a closed store, so all are merged, including the
            // rebuilt ones.
            store.close().unwrap();
            assert_eq!(store.stats().frozen_tables, 1, "{what}");
            drop(store);
            let store = options.open(&path).unwrap();
            assert!(store.recovery_report().is_index_used);
            check(&store, &what);
            assert!(!store.stats().is_frozen_rebuilt);
        }
    }
}

/// A program that knows the secret of a file can seal any barrier. Its figures were once added up
/// without a check for overflow.
#[test]
fn absurd_figures_of_a_forged_barrier_do_no_harm() {
    let (_directory, path) = new_path();
    let table = build(&path);
    let bytes = fs::read(&path).unwrap();
    let identity = Identity::decode(&bytes).unwrap().unwrap();
    let layout = identity.layout();
    let pages = bytes.chunks(PAGE).skip(1).take(2);
    let newest = pages.filter_map(|page| Checkpoint::decode(page, &identity));
    let newest = newest.max_by_key(|checkpoint| checkpoint.sequence).unwrap();
    let (tail, seal) = (newest.durable_tail, newest.durable_seal);
    let table_end = table.start as u64 + layout.slot_len(table.len(), 0).unwrap();
    let tables = BarrierTables { dead_slots: MAX, all_hashes: MAX, ends: vec![table_end] };
    let (live_keys, dead_bytes) = (MAX, MAX);
    let tables = Some(tables);
    let barrier = Barrier { durable_tail: tail, durable_seal: seal, live_keys, dead_bytes, tables };
    let file = OsFileSystem.locate(&path).unwrap().open(Access::ReadWrite).unwrap();
    Appender::new(file, layout, tail, Seal(seal)).unwrap().append_barrier(&barrier).unwrap();

    for round in [b"first", b"later"] {
        let store = DataStore::open_existing(&path).unwrap();
        assert!(store.recovery_report().is_index_used, "the forged barrier leads to the table");
        assert_eq!(store.read(b"k3").unwrap().unwrap(), b"newest".as_slice());
        assert!(!store.exists(b"k2").unwrap());
        store.write(b"k4", round).unwrap();
        store.delete(b"k5").unwrap();
        store.checkpoint().unwrap();
        store.estimate_compaction_savings();
        store.stats();
        assert_eq!(store.read(b"k4").unwrap().unwrap(), round.as_slice());
        store.close().unwrap();
    }
    let store = DataStore::open_existing(&path).unwrap();
    assert!(!store.verify().unwrap().is_sound(), "the counts are wrong");
    store.compact().unwrap();
    assert!(store.verify().unwrap().is_sound());
    assert_eq!(store.read(b"k4").unwrap().unwrap(), b"later".as_slice());
}
