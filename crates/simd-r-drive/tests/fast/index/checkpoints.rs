//! When the index is written to the file: on request, when the store is closed or compacted, and
//! when it has grown. How tables are added and merged, and what `stats` and the recovery report
//! show.

use std::path::Path;
use std::time::Duration;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions, StoreStats};

use crate::support::{keys_of_one_hash, new_path, within};

/// Writes since the last checkpoint from which closing makes one.
const CLOSE_MIN: u64 = 4096;

/// Writes since the last checkpoint from which one is made while the store is open.
const AUTOMATIC_MIN: u64 = 32_768;

/// The value that belongs to a hash: in its first life, or a later one.
fn value(hash: u64, life: u64) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&hash.to_le_bytes());
    value[8..].copy_from_slice(&life.to_le_bytes());
    value
}

/// Writes hashes without keys, a thousand in a commit.
fn load(store: &DataStore, hashes: std::ops::Range<u64>, life: u64) {
    for start in hashes.clone().step_by(1000) {
        let chunk = start..hashes.end.min(start + 1000);
        let values: Vec<_> = chunk.clone().map(|hash| value(hash, life)).collect();
        let entries = chunk.zip(&values).map(|(hash, value)| (hash, &value[..])).collect();
        store.batch_write_with_key_hashes(entries, false).unwrap();
    }
}

/// Checks that every hash below `end` has the value of the life that `life` returns, or none, and
/// that other hashes have none.
#[track_caller]
fn check(store: &DataStore, end: u64, life: impl Fn(u64) -> Option<u64>) {
    let hashes: Vec<u64> = (0..2 * end).collect();
    let life = |hash: u64| if hash < end { life(hash) } else { None };
    let batch = store.batch_read_hashed_keys(&hashes, None).unwrap();
    for (hash, found) in hashes.iter().zip(&batch) {
        let expected = life(*hash).map(|life| value(*hash, life));
        assert_eq!(found.as_deref(), expected.as_ref().map(|value| &value[..]), "hash {hash}");
    }
    for hash in (0..2 * end).step_by(7) {
        let found = store.read_with_key_hash(hash).unwrap();
        let expected = life(hash).map(|life| value(hash, life));
        assert_eq!(found.as_deref(), expected.as_ref().map(|value| &value[..]), "hash {hash}");
    }
    let live: Vec<u64> = hashes.into_iter().filter(|hash| life(*hash).is_some()).collect();
    let mut iterated: Vec<u64> = store.iter_entries().map(|entry| entry.key_hash()).collect();
    iterated.sort_unstable();
    assert!(iterated == live, "{} entries instead of {}", iterated.len(), live.len());
    assert_eq!(store.len().unwrap(), live.len());
}

/// Hashes in memory and in the file, tables, checkpoints.
fn figures(stats: &StoreStats) -> (u64, u64, u64, u64) {
    (stats.index_hashes, stats.frozen_hashes, stats.frozen_tables, stats.checkpoints)
}

/// Closes and opens again: whether the index in the file was used, and how many slots were read.
fn reopen(store: DataStore, path: &Path) -> (DataStore, bool, u64) {
    store.close().unwrap();
    drop(store);
    let store = DataStore::open(path).unwrap();
    let report = store.recovery_report();
    assert_eq!(report.is_index_used, store.stats().is_index_used);
    let (is_used, slots) = (report.is_index_used, report.slots_replayed);
    (store, is_used, slots)
}

#[test]
fn a_checkpoint_is_made_on_request_if_there_is_news() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let empty = store.stats();
    store.checkpoint().unwrap();
    assert_eq!(store.stats().tail, empty.tail, "nothing to write down");
    load(&store, 0..3000, 0);
    assert_eq!(figures(&store.stats()), (3000, 0, 0, 0));
    let heap = store.stats().index_heap_bytes;

    store.checkpoint().unwrap();
    let stats = store.stats();
    assert_eq!(figures(&stats), (0, 3000, 1, 1));
    assert!(stats.index_heap_bytes < heap, "{} of {heap} bytes", stats.index_heap_bytes);
    assert!((30_000..45_000).contains(&stats.frozen_bytes), "{stats:?}");
    assert!(!stats.is_frozen_rebuilt);
    store.checkpoint().unwrap();
    assert_eq!(store.stats(), stats, "nothing has been written since");

    load(&store, 2990..3010, 1);
    assert_eq!(figures(&store.stats()), (20, 3000, 1, 1));
    let (store, is_index_used, slots) = reopen(store, &path);
    assert!(is_index_used);
    assert_eq!(slots, 22, "20 values, and barriers of the checkpoint and of closing");
    assert_eq!(figures(&store.stats()), (20, 3000, 1, 0));
    check(&store, 3010, |hash| Some((hash >= 2990).into()));
    let reader = OpenOptions::new().read_only(true).open(&path).unwrap();
    reader.checkpoint().unwrap();
    assert_eq!(figures(&reader.stats()), (20, 3000, 1, 0), "a reader writes nothing");
    store.checkpoint().unwrap();
    assert_eq!(figures(&store.stats()), (0, 3010, 1, 1));
    check(&store, 3010, |hash| Some((hash >= 2990).into()));
}

#[test]
fn closing_makes_one_if_a_replay_would_take_long() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    load(&store, 0..CLOSE_MIN - 1, 0);
    let (store, is_index_used, slots) = reopen(store, &path);
    assert!(!is_index_used);
    assert_eq!(slots, CLOSE_MIN, "every value, and the barrier of closing");
    // Few were written since it was opened, but many since there was a checkpoint: never.
    store.write_with_key_hash(CLOSE_MIN - 1, &value(CLOSE_MIN - 1, 0)).unwrap();
    store.close().unwrap();
    assert_eq!(figures(&store.stats()), (0, CLOSE_MIN, 1, 1));
    let (store, is_index_used, slots) = reopen(store, &path);
    assert!(is_index_used);
    assert_eq!(slots, 1, "the barrier of closing");
    check(&store, CLOSE_MIN, |_| Some(0));

    let (_directory, path) = new_path();
    let options = OpenOptions::new().create(true).automatic_checkpoints(false);
    let store = options.open(&path).unwrap();
    load(&store, 0..2 * CLOSE_MIN, 0);
    store.close().unwrap();
    assert_eq!(store.stats().checkpoints, 0, "nobody asked");
    let (_, is_index_used, _) = reopen(store, &path);
    assert!(!is_index_used);
}

#[test]
fn compaction_makes_one_for_many_keys() {
    for (keys, expected) in [(CLOSE_MIN - 2, 0), (CLOSE_MIN, 1)] {
        let (_directory, path) = new_path();
        let store = DataStore::open(&path).unwrap();
        load(&store, 0..keys, 0);
        load(&store, 0..keys, 1);
        store.batch_delete_key_hashes(&[0]).unwrap();
        store.write_with_key_hash(keys, &value(keys, 1)).unwrap();
        store.compact().unwrap();
        let stats = store.stats();
        assert_eq!((stats.checkpoints, stats.frozen_tables), (expected, expected), "{keys} keys");
        let (in_memory, in_file) = if expected == 1 { (0, keys) } else { (keys, 0) };
        assert_eq!((stats.index_hashes, stats.frozen_hashes), (in_memory, in_file));
        check(&store, keys + 1, |hash| (hash > 0).then_some(1));
        let (store, is_index_used, _) = reopen(store, &path);
        assert_eq!(is_index_used, expected == 1);
        check(&store, keys + 1, |hash| (hash > 0).then_some(1));
    }
}

#[test]
fn an_open_store_that_has_grown_makes_one_by_itself() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    load(&store, 0..AUTOMATIC_MIN - 1, 0);
    assert_eq!(figures(&store.stats()), (AUTOMATIC_MIN - 1, 0, 0, 0));
    let snapshot = store.snapshot();
    let wait_for = |checkpoints: u64, store: DataStore| {
        within(Duration::from_secs(60), "a checkpoint", move || {
            while store.stats().checkpoints < checkpoints {
                std::thread::sleep(Duration::from_millis(1));
            }
            store
        })
    };
    store.write_with_key_hash(AUTOMATIC_MIN - 1, &value(AUTOMATIC_MIN - 1, 0)).unwrap();
    let store = wait_for(1, store);
    assert_eq!(figures(&store.stats()), (0, AUTOMATIC_MIN, 1, 1));
    load(&store, 1000..1000 + AUTOMATIC_MIN, 1);
    let store = wait_for(2, store);
    let end = AUTOMATIC_MIN + 1000;
    assert_eq!(store.stats().frozen_tables, 1, "merged with the first, which is no larger");
    check(&store, end, |hash| Some((hash >= 1000).into()));
    assert_eq!(snapshot.len().unwrap() as u64, AUTOMATIC_MIN - 1);
    assert_eq!(*snapshot.read_with_key_hash(1000).unwrap().unwrap(), value(1000, 0));
    let (store, is_index_used, _) = reopen(store, &path);
    assert!(is_index_used);
    check(&store, end, |hash| Some((hash >= 1000).into()));

    let (_directory, path) = new_path();
    let options = OpenOptions::new().create(true).automatic_checkpoints(false);
    let store = options.open(&path).unwrap();
    load(&store, 0..2 * AUTOMATIC_MIN, 0);
    assert_eq!(figures(&store.stats()), (2 * AUTOMATIC_MIN, 0, 0, 0), "nobody asked");
}

#[test]
fn what_is_little_has_a_table_of_its_own_for_a_while() {
    const OLD: u64 = 80_000;
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let twins = keys_of_one_hash(3);
    load(&store, 0..OLD, 0);
    store.batch_write(&[(&twins[0], b"old"), (&twins[1], b"old")]).unwrap();
    store.checkpoint().unwrap();
    assert_eq!(store.stats().frozen_tables, 1);

    let twin =
        |store: &DataStore, number: usize| store.read(&twins[number]).unwrap().map(|v| v.to_vec());
    // The first close adds a table to the large one. The second merges both, so that the closed
    // store can be read quickly.
    let mut store = store;
    for (life, tables) in [(1, 2), (2, 1)] {
        // Some again, some no more, some new.
        load(&store, life * 3000..life * 3000 + 4000, life);
        let deleted: Vec<u64> = (life * 20_000..life * 20_000 + 90).collect();
        store.batch_delete_key_hashes(&deleted).unwrap();
        load(&store, OLD + life * 100..OLD + life * 100 + 100, life);
        store.write(&twins[life as usize], b"new").unwrap();
        store.close().unwrap();
        assert_eq!(store.stats().frozen_tables, tables);
        assert_eq!(*store.read_with_key_hash(1).unwrap().unwrap(), value(1, 0), "reads go on");
        let (reopened, is_index_used, slots) = reopen(store, &path);
        store = reopened;
        assert!(is_index_used && slots == 1, "{slots} slots");
        assert_eq!(store.stats().frozen_tables, tables);
        assert_eq!(store.stats().frozen_hashes, OLD + 1 + life * 100);
    }
    let life_of = |hash: u64| match hash {
        3000..6000 => Some(1),
        6000..10_000 => Some(2),
        20_000..20_090 | 40_000..40_090 => None,
        0..OLD => Some(0),
        _ => (hash >= OLD + 100).then(|| (hash - OLD) / 100),
    };
    // The twins are no business of `check`.
    let check_all = |store: &DataStore| {
        let found = [0, 1, 2].map(|number| twin(store, number));
        assert_eq!(
            found.each_ref().map(Option::as_deref),
            [Some(&b"old"[..]), Some(b"new"), Some(b"new")]
        );
        assert!(!store.stats().is_frozen_rebuilt);
        for hash in 0..OLD + 400 {
            let expected = if hash < OLD + 300 { life_of(hash) } else { None };
            let found = store.read_with_key_hash(hash).unwrap();
            let expected = expected.map(|life| value(hash, life));
            assert_eq!(found.as_deref(), expected.as_ref().map(|value| &value[..]), "hash {hash}");
        }
        assert_eq!(store.len().unwrap(), store.iter_entries().count());
    };
    check_all(&store);
    let before = store.snapshot();

    // Now much is newer than the oldest table.
    load(&store, 10_000..20_000, 0);
    load(&store, 40_090..OLD, 0);
    let (later, is_index_used, _) = reopen(store, &path);
    assert!(is_index_used);
    assert_eq!(later.stats().frozen_tables, 1, "merged");
    check_all(&later);
    assert_eq!(*before.read_with_key_hash(3000).unwrap().unwrap(), value(3000, 1));
    assert_eq!(before.len().unwrap(), later.len().unwrap());
}
