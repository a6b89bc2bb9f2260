//! Snapshots, views, history and cursors.

use std::io;
use std::time::{Duration, SystemTime};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Cursor, DataStore, StoreError, compute_hash};

fn open() -> io::Result<(tempfile::TempDir, DataStore)> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(directory.path().join("store.srd"))?;
    Ok((directory, store))
}

#[test]
fn a_snapshot_stays_as_it_was() -> io::Result<()> {
    let (_directory, store) = open()?;
    store.batch_write(&[(b"a", b"1"), (b"b", b"1")])?;
    store.write_with_key_hash(7, b"bare")?;
    let snapshot = store.snapshot();
    let view = store.view();
    store.write(b"a", b"2")?;
    store.delete(b"b")?;
    store.write(b"c", b"2")?;
    store.batch_delete_key_hashes(&[7])?;

    assert_eq!(snapshot.len()?, 3);
    assert_eq!(snapshot.read(b"a")?.unwrap(), b"1".as_slice());
    assert_eq!(snapshot.read(b"b")?.unwrap(), b"1".as_slice());
    assert!(snapshot.read(b"c")?.is_none() && !snapshot.exists(b"c")?);
    assert_eq!(snapshot.read_with_key_hash(7)?.unwrap(), b"bare".as_slice());
    assert!(snapshot.exists_with_key_hash(7)? && !store.exists_with_key_hash(7)?);
    let found = snapshot.batch_read(&[b"c", b"b", b"a"])?;
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(snapshot.iter_entries().count(), 3);
    assert_eq!(snapshot.read_last_entry()?.unwrap(), b"bare".as_slice());
    assert!(!snapshot.is_empty()? && snapshot.file_size()? < store.file_size()?);
    assert_eq!((view.get(b"b")?, view.get(b"c")?), (Some(b"1".as_slice()), None));
    assert_eq!(view.get_with_key_hash(7)?, Some(b"bare".as_slice()));
    let mut values = Vec::new();
    view.get_many(&[b"c", b"b"], &mut values)?;
    assert_eq!(values, [None, Some(b"1".as_slice())]);
    let entries: Vec<_> = view.entries().collect::<io::Result<_>>()?;
    let entries: Vec<_> = entries.iter().map(|entry| (entry.key, entry.payload)).collect();
    let b: (Option<&[u8]>, &[u8]) = (Some(b"b"), b"1");
    assert_eq!(entries, [(None, b"bare".as_slice()), b, (Some(b"a"), b"1")]);

    assert_eq!(store.len()?, 2);
    assert_eq!(store.view().get(b"a")?, Some(b"2".as_slice()));
    drop(store);
    assert_eq!(snapshot.read(b"b")?.unwrap(), b"1".as_slice(), "a snapshot outlives its store");
    Ok(())
}

#[test]
fn history_lists_values_and_deletions_newest_first() -> io::Result<()> {
    let (_directory, store) = open()?;
    store.write(b"key", b"one")?;
    store.write(b"other", b"x")?;
    store.delete(b"key")?;
    store.write_with_key_hash(compute_hash(b"key"), b"by hash")?;
    store.write(b"key", b"two")?;
    let history: Vec<Option<Vec<u8>>> = store
        .history(b"key")?
        .map(|version| version.map(|version| version.into_value().map(|value| value.to_vec())))
        .collect::<io::Result<_>>()?;
    let expected =
        [Some(b"two".to_vec()), None, Some(b"by hash".to_vec()), None, Some(b"one".to_vec())];
    assert_eq!(history, expected);
    assert_eq!(store.history(b"never written")?.count(), 0);
    store.compact()?;
    assert_eq!(store.history(b"key")?.count(), 1);
    Ok(())
}

#[test]
fn a_value_can_be_read_as_of_a_time() -> io::Result<()> {
    let (_directory, store) = open()?;
    store.write(b"key", b"old")?;
    std::thread::sleep(Duration::from_millis(30));
    let between = SystemTime::now();
    std::thread::sleep(Duration::from_millis(30));
    store.write(b"key", b"new")?;
    assert_eq!(store.read_at(b"key", between)?.unwrap(), b"old".as_slice());
    assert_eq!(store.read_at(b"key", SystemTime::now())?.unwrap(), b"new".as_slice());
    assert!(store.read_at(b"key", SystemTime::UNIX_EPOCH)?.is_none());
    // Compaction drops the older version, and keeps the time of the newer one.
    store.compact()?;
    assert!(store.read_at(b"key", between)?.is_none());
    assert_eq!(store.read_at(b"key", SystemTime::now())?.unwrap(), b"new".as_slice());
    Ok(())
}

#[test]
fn a_follower_sees_every_change_once_and_in_order() -> io::Result<()> {
    let (_directory, store) = open()?;
    let mut cursor: Option<Cursor> = None;
    let mut follower = std::collections::BTreeMap::new();
    for round in 0..5_u8 {
        for number in 0..20_u8 {
            match (number + round) % 3 {
                0 => store.delete(&[number])?,
                _ => store.write(&[number], &[round, number])?,
            };
        }
        let changes = store.entries_since(cursor)?;
        let next = changes.cursor();
        for change in changes {
            let change = change?;
            let key = change.key().unwrap().to_vec();
            match change.value() {
                Some(value) => follower.insert(key, value.to_vec()),
                None => follower.remove(&key),
            };
        }
        cursor = Some(next);
        assert_eq!(cursor, Some(store.cursor()));
        let found: std::collections::BTreeMap<_, _> = store
            .iter_entries()
            .map(|entry| (entry.key().unwrap().to_vec(), entry.to_vec()))
            .collect();
        assert_eq!(found, follower, "round {round}");
    }
    assert_eq!(store.entries_since(cursor)?.count(), 0);
    assert_eq!(cursor.map(|cursor| Cursor::from_bytes(cursor.to_bytes())), cursor);
    assert!(store.entries_since(Some(Cursor::from_bytes([7; 24]))).is_err());
    let wrong = Cursor { tail: store.cursor().tail - 1, ..store.cursor() };
    assert!(store.entries_since(Some(wrong)).is_err(), "a tail that never was");
    store.compact()?;
    let error = store.entries_since(cursor).unwrap_err();
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(matches!(inner, Some(StoreError::CursorExpired)), "{error}");
    Ok(())
}
