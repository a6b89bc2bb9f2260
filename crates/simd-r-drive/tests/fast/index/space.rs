//! The space of an index is returned to the file system two merges later. Readers that still use
//! it, in this process or another one, keep reading correctly.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::hooks::Hooked;
use crate::support::{new_path, within};

const HASHES: u64 = 3000;

fn write(store: &DataStore, life: u64) {
    let value = life.to_le_bytes();
    let entries = (0..HASHES).map(|hash| (hash, &value[..])).collect();
    store.batch_write_with_key_hashes(entries, false).unwrap();
    store.batch_delete_key_hashes(&[life]).unwrap();
}

/// All that was written in this life is there, and no more.
#[track_caller]
fn check(store: &impl DataStoreReader<EntryHandleType = simd_r_drive::EntryHandle>, life: u64) {
    let hashes: Vec<u64> = (0..2 * HASHES).collect();
    let found = store.batch_read_hashed_keys(&hashes, None).unwrap();
    for (hash, found) in hashes.into_iter().zip(found) {
        let expected = (hash < HASHES && hash != life).then_some(life.to_le_bytes());
        assert_eq!(found.as_deref(), expected.as_ref().map(|value| &value[..]), "hash {hash}");
    }
    assert_eq!(store.len().unwrap() as u64, HASHES - 1);
}

/// Writes everything anew, makes a checkpoint, and returns where its index slot starts and ends.
fn next(store: &DataStore, life: u64) -> std::ops::Range<u64> {
    write(store, life);
    let start = store.stats().tail;
    store.checkpoint().unwrap();
    start..start + store.stats().frozen_bytes
}

/// Whether the pages inside this part of the file are zeros.
fn is_given_back(path: &Path, part: &std::ops::Range<u64>) -> bool {
    let (start, end) = (part.start.next_multiple_of(4096), part.end / 4096 * 4096);
    let mut bytes = vec![1; (end - start) as usize];
    fs::File::open(path).unwrap().read_exact_at(&mut bytes, start).unwrap();
    bytes.iter().all(|byte| *byte == 0)
}

#[test]
fn readers_whose_index_has_gone_ask_the_log() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let first = next(&store, 1);
    let options = OpenOptions::new().read_only(true);
    let [untouched, warm, follower] = [0; 3].map(|_| options.open(&path).unwrap());
    check(&warm, 1);

    let second = next(&store, 2);
    assert!(!is_given_back(&path, &first), "readers may use the index before this one");
    for reader in [&untouched, &warm, &follower] {
        assert!(reader.recovery_report().is_index_used && !reader.stats().is_frozen_rebuilt);
    }
    let third = next(&store, 3);
    assert!(is_given_back(&path, &first));
    assert!(!is_given_back(&path, &second) && !is_given_back(&path, &third));

    check(&untouched, 1);
    check(&warm, 1);
    for reader in [&untouched, &warm] {
        assert!(reader.stats().is_frozen_rebuilt, "there was nothing else to read");
    }
    let before = follower.snapshot();
    assert!(follower.refresh().unwrap());
    check(&follower, 3);
    check(&before, 1);
    assert!(untouched.refresh().unwrap() && warm.refresh().unwrap());
    check(&untouched, 3);
    check(&warm, 3);
    next(&store, 4);
    for reader in [untouched, warm, follower] {
        assert!(reader.refresh().unwrap());
        check(&reader, 4);
    }
    check(&options.open(&path).unwrap(), 4);
}

#[test]
fn what_a_snapshot_of_the_writer_uses_is_kept() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let first = next(&store, 1);
    let snapshot = store.snapshot();
    let second = next(&store, 2);
    for life in 3..6 {
        next(&store, life);
    }
    assert!(!is_given_back(&path, &first), "the snapshot reads it");
    assert!(is_given_back(&path, &second));
    check(&snapshot, 1);
    drop(snapshot);
    next(&store, 6);
    assert!(is_given_back(&path, &first));
    check(&store, 6);
}

#[test]
fn the_file_holds_a_few_indexes_at_most() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let mut index_bytes = 0;
    for life in 1..20 {
        let index = next(&store, life);
        index_bytes += index.end - index.start;
    }
    store.close().unwrap();
    let (len, given_back) = {
        let file = fs::metadata(&path).unwrap();
        (file.len(), file.len().saturating_sub(file.blocks() * 512))
    };
    assert!(
        given_back > index_bytes * 3 / 4,
        "{given_back} of {len} bytes, {index_bytes} of indexes"
    );
    // Whoever opens it for the first time does without what has gone, too.
    let store = DataStore::open(&path).unwrap();
    assert!(store.recovery_report().is_index_used);
    check(&store, 19);
    assert_eq!(store.history(b"no key").unwrap().count(), 0);
}

/// Giving space back is a favour: what keeps it from being done does not make a checkpoint fail.
#[test]
fn a_checkpoint_stands_if_nothing_can_be_given_back() {
    let (_directory, path) = new_path();
    let options = OpenOptions::new().create(true).file_system(Hooked::without_flushes());
    let store = options.open(&path).unwrap();
    for life in 1..5 {
        next(&store, life);
        check(&store, life);
    }
    drop(store);

    let store = DataStore::open(&path).unwrap();
    let old = next(&store, 5);
    next(&store, 6);
    // The trailer of an index slot that nobody needs.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xFF; 16], old.end + 36).unwrap();
    for life in 7..10 {
        next(&store, life);
        check(&store, life);
    }
    assert_eq!(store.stats().checkpoints, 5);
    store.close().unwrap();
    let store = DataStore::open(&path).unwrap();
    assert!(store.recovery_report().is_index_used);
    check(&store, 9);
}

/// With a large alignment, the hole begins at the start of a unit whose end holds the trailer.
/// Recovery skips holes, and once looked at such a unit forever.
#[test]
fn recovery_reads_blocks_that_begin_with_a_hole() {
    let (_directory, path) = new_path();
    let store = OpenOptions::new().create(true).alignment(65_536).open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    let mut indexes = Vec::new();
    for number in 0..3_u8 {
        store.write(b"number", &[number]).unwrap();
        let start = store.stats().tail;
        store.checkpoint().unwrap();
        indexes.push(start..start + store.stats().frozen_bytes);
    }
    store.close().unwrap();
    assert!(is_given_back(&path, &indexes[0]));
    // Nothing says any more how far the log was flushed: all of it is gone through.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for hints in [4096 + 128..8192, 8192 + 128..12_288, 12_288..16_384] {
        file.write_all_at(&vec![0; hints.end - hints.start], hints.start as u64).unwrap();
    }
    let store = within(Duration::from_secs(60), "recovery", move || {
        DataStore::open_existing(&path).unwrap()
    });
    assert!(!store.recovery_report().was_clean);
    assert_eq!(*store.read(b"key").unwrap().unwrap(), *b"value");
    assert_eq!(*store.read(b"number").unwrap().unwrap(), [2]);
}

/// Old tables were once left out: half of what compaction freed had not been told.
#[test]
fn old_tables_count_among_the_dead_bytes() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let write = |value: u64| {
        let values: Vec<_> = (0..10_000_u64).map(|hash| (hash, value.to_le_bytes())).collect();
        let values = values.iter().map(|(hash, value)| (*hash, &value[..])).collect();
        store.batch_write_with_key_hashes(values, false).unwrap();
    };
    for round in 0..5 {
        write(round);
        store.checkpoint().unwrap();
    }
    let before = store.stats();
    assert_eq!(before.dead_bytes, before.dead_slots * 64);
    assert!(before.superseded_index_bytes > 3 * before.frozen_bytes, "{before:?}");
    let savings = store.estimate_compaction_savings();
    assert_eq!(savings, before.dead_bytes + before.superseded_index_bytes);
    store.compact().unwrap();
    let after = store.stats();
    assert_eq!(store.estimate_compaction_savings(), 0);
    let freed = before.tail - after.tail;
    // Barriers, and what the two indexes differ in.
    let rest = 10 * 64 + before.frozen_bytes.abs_diff(after.frozen_bytes);
    assert!(freed.abs_diff(savings) <= rest, "{freed} of {savings}");
}
