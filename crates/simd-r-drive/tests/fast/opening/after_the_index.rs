//! A store that was not closed has many entries that are newer than its index. It opens with all of
//! them, and with the same totals as its writer had, and as a replay of the whole log gives.

use std::io;
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::keys_of_one_hash;

const KEYS: u64 = 50_000;

fn options() -> OpenOptions {
    OpenOptions::new().automatic_checkpoints(false)
}

/// Values for `numbers`, in batches.
fn put(store: &DataStore, numbers: impl Iterator<Item = u64>, version: u8) -> io::Result<()> {
    let numbers: Vec<_> = numbers.map(u64::to_le_bytes).collect();
    let value = [version; 9];
    for batch in numbers.chunks(777) {
        let entries: Vec<_> =
            batch.iter().map(|key| (&key[..], &value[..usize::from(key[0] % 9)])).collect();
        store.batch_write(&entries)?;
    }
    Ok(())
}

/// New keys, new versions of old and of new ones, deletions, long values, values by hash.
fn go_on(store: &DataStore, version: u8) -> io::Result<()> {
    let new = KEYS * u64::from(version);
    put(store, new..new + KEYS, version)?;
    put(store, (0..new + KEYS).step_by(7), version)?;
    store.batch_write(&[(b"long", &[version; 100_000]), (b"short", &[version; 17_000])])?;
    // Of keys of one hash, one more each time.
    let keys = keys_of_one_hash(3);
    for key in &keys[..usize::from(version) + 1] {
        store.write(key, key)?;
    }
    store.batch_write_with_key_hashes(vec![(5, &[version]), (6, b"bare")], false)?;
    for number in (0..new + KEYS).step_by(1009) {
        store.delete(&number.to_le_bytes())?;
    }
    Ok(())
}

/// The store as a crash would leave it now.
fn check_image_of(store: &DataStore, path: &Path) -> io::Result<()> {
    let image = path.with_extension("image");
    std::fs::copy(path, &image)?;
    let opened = options().read_only(true).open(&image)?;
    let replayed = options().read_only(true).salvage(true).open(&image)?;
    let counts = |store: &DataStore| {
        let stats = store.stats();
        (stats.tail, stats.live_keys, stats.dead_slots, stats.dead_bytes)
    };
    assert_eq!(counts(&opened), counts(store));
    assert_eq!(counts(&replayed), counts(store));
    assert!(opened.recovery_report().is_index_used);
    let contents = |store: &DataStore| -> Vec<(u64, Vec<u8>)> {
        store.iter_entries().map(|entry| (entry.key_hash(), entry.to_vec())).collect()
    };
    let expected = contents(store);
    assert_eq!(expected.len() as u64, store.stats().live_keys);
    assert!(contents(&opened) == expected);
    assert!(contents(&replayed) == expected);
    for number in (0..KEYS * 3).step_by(101) {
        let read = |store: &DataStore| {
            store.read(&number.to_le_bytes()).map(|entry| entry.map(|entry| entry.to_vec()))
        };
        assert_eq!(read(&opened)?, read(store)?, "{number}");
    }
    for key in keys_of_one_hash(3) {
        assert_eq!(opened.exists(&key)?, store.exists(&key)?);
    }
    Ok(())
}

#[test]
fn many_slots_behind_the_index_and_the_durable_point() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = options().create(true).open(&path)?;
    put(&store, 0..KEYS, 0)?;
    store.write(&keys_of_one_hash(1)[0], b"before the index")?;
    store.checkpoint()?;
    check_image_of(&store, &path)?;
    go_on(&store, 1)?;
    // All of it follows the durable point.
    check_image_of(&store, &path)?;
    store.close()?;
    let store = options().open(&path)?;
    assert!(store.recovery_report().slots_replayed > KEYS);
    go_on(&store, 2)?;
    // The durable point is in the middle.
    check_image_of(&store, &path)
}

#[test]
fn a_commit_that_is_not_complete_counts_nothing() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = options().create(true).open(&path)?;
    put(&store, 0..100, 0)?;
    store.checkpoint()?;
    store.write(b"whole", b"commit")?;
    let (tail, live_keys) = (store.stats().tail, store.stats().live_keys);
    store.batch_write(&[(b"one", b"of three"), (b"two", b"of three"), (b"three", b"of three")])?;
    let image = directory.path().join("image.srd");
    for slots in [1, 2] {
        std::fs::copy(&path, &image)?;
        std::fs::File::options().write(true).open(&image)?.set_len(tail + slots * 64)?;
        let opened = options().read_only(true).open(&image)?;
        let report = opened.recovery_report();
        assert!(report.is_index_used);
        // The barrier behind the index, and the commit.
        assert_eq!((report.tail, report.slots_replayed), (tail, 2));
        assert_eq!(opened.stats().live_keys, live_keys);
        assert!(opened.read(b"one")?.is_none() && opened.exists(b"whole")?);
    }
    Ok(())
}
