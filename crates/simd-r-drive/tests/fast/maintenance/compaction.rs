//! Compaction: what it keeps, what it drops, and what others notice of it.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, FormatError, OpenOptions, compute_hash};

fn key(number: u64) -> Vec<u8> {
    format!("key {number}").into_bytes()
}

/// Values long enough that a store of some thousand of them takes several stretches and flushes.
fn value(number: u64, version: u64) -> Vec<u8> {
    let mut value = format!("{number}:{version}:").into_bytes();
    value.resize(20 + (number % 700) as usize, b'.');
    value
}

#[test]
fn live_values_survive_and_dead_bytes_go() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    for version in 0..3 {
        for number in 0..2000 {
            store.write(&key(number), &value(number, version))?;
        }
    }
    for number in (0..2000).step_by(4) {
        store.delete(&key(number))?;
    }
    store.write_with_key_hash(compute_hash(b"bare"), b"by hash")?;
    store.write(b"last", b"the newest entry")?;
    let before: Vec<Vec<u8>> = store.iter_entries().map(|entry| entry.to_vec()).collect();
    let held = store.read(&key(1))?.unwrap();
    let snapshot = store.snapshot();
    let iterator = store.iter_entries();
    let size_before = store.file_size()?;
    let savings = store.estimate_compaction_savings();
    assert!(savings > size_before / 2);

    store.compact()?;

    assert_eq!(store.estimate_compaction_savings(), 0);
    // The new file has an index, which the old one had in memory alone, and ends with a barrier.
    let new = store.stats().frozen_bytes + 3 * 64;
    assert!(store.file_size()? <= size_before - savings + new, "what is estimated is saved");
    let after: Vec<Vec<u8>> = store.iter_entries().map(|entry| entry.to_vec()).collect();
    assert!(before == after, "the same values in the same order");
    assert_eq!(store.len()?, 1502);
    assert_eq!(store.read(b"bare")?.unwrap(), b"by hash".as_slice());
    assert_eq!(held, value(1, 2));
    assert_eq!(snapshot.read(&key(3))?.unwrap(), value(3, 2));
    assert_eq!(iterator.count(), 1502);

    // The handle is usable at once, and what it writes lasts.
    store.write(b"after", b"compaction")?;
    drop(store);
    let store = DataStore::open_existing(&path)?;
    assert_eq!(store.read(b"after")?.unwrap(), b"compaction".as_slice());
    assert_eq!(store.len()?, 1503);
    assert_eq!(std::fs::read_dir(directory.path())?.count(), 1, "no temporary file is left");
    Ok(())
}

#[test]
fn writes_beside_a_compaction_are_kept_whole() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    for number in 0..5_000 {
        store.write(&key(number), &value(number, 0))?;
    }
    let is_done = AtomicBool::new(false);
    let (written, compactions) = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = BTreeMap::new();
            let mut version = 1;
            while !is_done.load(Ordering::Relaxed) {
                let first = (version * 37) % 5_000;
                let batch: Vec<_> = (first..first + 4)
                    .map(|number| (key(number), value(number, version)))
                    .collect();
                let entries: Vec<(&[u8], &[u8])> =
                    batch.iter().map(|(key, value)| (&key[..], &value[..])).collect();
                store.batch_write(&entries).unwrap();
                written.extend(batch);
                if version % 5 == 0 {
                    store.delete(&key(first)).unwrap();
                    written.remove(&key(first));
                    written.insert(key(first), Vec::new());
                }
                version += 1;
            }
            written
        });
        let reader = scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                let keys = [key(4_998), key(4_999)];
                let found = store.batch_read(&[&keys[0], &keys[1]]).unwrap();
                assert_eq!(found.iter().flatten().count(), 2);
            }
        });
        let mut compactions = 0;
        for _ in 0..5 {
            store.compact().unwrap();
            compactions += 1;
        }
        is_done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        (writer.join().unwrap(), compactions)
    });
    assert_eq!(compactions, 5);
    assert!(!written.is_empty());
    let check = |store: &DataStore| -> io::Result<()> {
        for number in 0..5_000 {
            let expected = match written.get(&key(number)) {
                Some(deleted) if deleted.is_empty() => None,
                Some(newer) => Some(newer.clone()),
                None => Some(value(number, 0)),
            };
            let found = store.read(&key(number))?.map(|entry| entry.to_vec());
            assert!(found == expected, "key {number} differs");
        }
        Ok(())
    };
    check(&store)?;
    drop(store);
    check(&DataStore::open_existing(&path)?)
}

#[test]
fn a_cancelled_compaction_changes_nothing() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    for number in 0..100 {
        store.write(&key(number % 10), &value(number, 0))?;
    }
    let size = store.file_size()?;
    let error = store.compact_with(|_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert_eq!(store.file_size()?, size);
    assert_eq!(std::fs::read_dir(directory.path())?.count(), 1, "no temporary file is left");
    for share in [f64::NAN, -0.1, 1.1, 30.0, f64::INFINITY] {
        let error = store.compact_if(share, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{share}");
    }
    assert!(!store.compact_if(0.99, 0)?);
    assert!(store.compact_if(0.5, 1000)?);
    assert!(store.file_size()? < size);
    Ok(())
}

#[test]
fn damage_is_not_copied() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    store.write(b"key", &[7; 1000])?;
    let offset = store.read(b"key")?.unwrap().start_offset();
    {
        use std::os::unix::fs::FileExt as _;
        let file = std::fs::OpenOptions::new().write(true).open(&path)?;
        file.write_all_at(&[8], offset as u64 + 500)?;
    }
    let error = store.compact().unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(
        matches!(inner, Some(FormatError::Damaged { offset: at, .. }) if *at == offset as u64),
        "{error}"
    );
    store.write(b"other", b"goes on")?;
    assert_eq!(store.read(b"other")?.unwrap(), b"goes on".as_slice());
    Ok(())
}

#[cfg(unix)]
#[test]
fn mode_links_and_identity_are_kept() -> io::Result<()> {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let link = directory.path().join("link.srd");
    symlink(&path, &link)?;
    let store = DataStore::open(&path)?;
    let id = store.stats().store_id;
    store.write(b"key", b"older")?;
    store.write(b"key", b"value")?;
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?;

    let store = DataStore::open_existing(&link)?;
    let cursor = store.cursor();
    store.compact()?;
    assert!(fs::symlink_metadata(&link)?.file_type().is_symlink(), "the link is still a link");
    assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o640);
    assert_eq!(store.stats().store_id, id);
    assert_ne!(store.cursor().file_id, cursor.file_id);
    assert!(store.entries_since(Some(cursor)).is_err(), "a cursor ends with its file");
    let refused = DataStore::open(&path).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy, "the new file is locked");

    fs::hard_link(&path, directory.path().join("second name"))?;
    let error = store.compact().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    store.write(b"more", b"value")?;
    assert_eq!(store.len()?, 2);
    Ok(())
}

#[test]
fn a_reader_that_was_there_before_keeps_the_old_file() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    store.write(b"key", b"old")?;
    let reader = OpenOptions::new().read_only(true).open(&path)?;
    store.write(b"key", b"new")?;
    store.compact()?;
    assert_eq!(reader.read(b"key")?.unwrap(), b"old".as_slice());
    let reader = OpenOptions::new().read_only(true).open(&path)?;
    assert_eq!(reader.read(b"key")?.unwrap(), b"new".as_slice());
    Ok(())
}

/// The last few commits are copied under the writer's lock; the callback was once called there.
#[test]
fn the_callback_may_write() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(directory.path().join("store.srd"))?;
    store.write(b"key", b"value")?;
    let mut calls = 0_u32;
    store.compact_with(|_| {
        calls += 1;
        store.write(b"callback", &calls.to_le_bytes()).unwrap();
        ControlFlow::Continue(())
    })?;
    assert!(calls > 0);
    assert_eq!(store.read(b"callback")?.unwrap(), calls.to_le_bytes().as_slice());
    Ok(())
}
