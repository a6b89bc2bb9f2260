//! Incremental backups: what is appended, what is refused, and what a crash leaves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Foreign, FormatError, OpenOptions, StoreError, WriteError};
use tempfile::TempDir;

/// The identity, two checkpoints, the published tail.
const HEADER_LEN: usize = 16 << 10;

fn open() -> io::Result<(TempDir, DataStore, PathBuf)> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(&directory.path().join("store.srd"))?;
    for number in 0..50_u8 {
        store.write(&[number], &[number; 100])?;
    }
    let backup = directory.path().join("backup.srd");
    Ok((directory, store, backup))
}

fn write_more(store: &DataStore) -> io::Result<()> {
    for number in 40..60_u8 {
        store.write(&[number], &[number; 1000])?;
    }
    store.delete(&[3])?;
    store.batch_write(&[(b"x", b"1"), (b"y", b"2")])?;
    Ok(())
}

fn check_equal(store: &DataStore, backup: &Path) -> io::Result<()> {
    let copy = OpenOptions::new().read_only(true).verify_reads(true).open(backup)?;
    assert!(copy.recovery_report().was_clean);
    assert_eq!(copy.len()?, store.len()?);
    for entry in store {
        assert_eq!(copy.read(entry.key().unwrap())?.unwrap(), entry.to_vec());
    }
    Ok(())
}

fn refusal<E: std::error::Error + 'static>(store: &DataStore, backup: &Path) -> io::Result<E> {
    let before = fs::read(backup)?;
    let error = store.backup(backup).unwrap_err();
    assert!(fs::read(backup)? == before, "what is refused is not changed");
    let text = error.to_string();
    let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
    Ok(*inner.unwrap_or_else(|| panic!("{text}")))
}

#[test]
fn only_what_is_new_is_copied() -> io::Result<()> {
    let (_directory, store, backup) = open()?;
    let first = store.backup(&backup)?;
    for round in 0..5 {
        write_more(&store)?;
        let report = store.backup(&backup)?;
        assert!(report.is_incremental && report.is_store_flushed, "round {round}");
        assert_eq!(report.tail, store.file_size()?);
        assert!(report.copied_slots >= 23 && report.copied_slots <= 25, "{report:?}");
        assert!(report.copied_bytes < first.copied_bytes * 4);
        check_equal(&store, &backup)?;
    }
    let before = fs::read(&backup)?;
    let report = store.backup(&backup)?;
    assert_eq!((report.copied_slots, report.copied_bytes), (0, 0), "nothing was written since");
    assert!(fs::read(&backup)? == before);

    // Another process, and another session, go on with it.
    store.close()?;
    let path = store.get_path();
    drop(store);
    let store = DataStore::open_existing(&path)?;
    write_more(&store)?;
    assert!(store.backup(&backup)?.is_incremental);
    check_equal(&store, &backup)
}

#[test]
fn after_a_compaction_a_new_path_is_needed() -> io::Result<()> {
    let (directory, store, backup) = open()?;
    store.backup(&backup)?;
    write_more(&store)?;
    store.compact()?;
    let error: StoreError = refusal(&store, &backup)?;
    assert!(matches!(error, StoreError::BackupOutdated { .. }), "{error}");
    let new = directory.path().join("new.srd");
    store.backup(&new)?;
    write_more(&store)?;
    assert!(store.backup(&new)?.is_incremental);
    check_equal(&store, &new)
}

#[test]
fn a_backup_that_was_written_to_is_refused() -> io::Result<()> {
    let (directory, store, backup) = open()?;
    store.backup(&backup)?;
    let copy = DataStore::open_existing(&backup)?;
    copy.write(b"key", b"written to the backup")?;
    let error: WriteError = refusal(&store, &backup)?;
    assert!(matches!(error, WriteError::Locked), "{error}");
    // As a killed process leaves it, with a commit behind the last checkpoint.
    let killed = directory.path().join("killed.srd");
    fs::copy(&backup, &killed)?;
    copy.close()?;
    drop(copy);
    // Once behind the backup's tail, once further than it.
    for round in 0..2 {
        for path in [&backup, &killed] {
            let error: StoreError = refusal(&store, path)?;
            assert!(matches!(error, StoreError::BackupDiverged { .. }), "{round}: {error}");
        }
        write_more(&store)?;
    }
    let copy = DataStore::open_existing(&backup)?;
    assert_eq!(copy.read(b"key")?.unwrap(), b"written to the backup".as_slice());
    let new = directory.path().join("new.srd");
    store.backup(&new)?;
    check_equal(&store, &new)
}

#[test]
fn other_stores_and_other_files_are_refused() -> io::Result<()> {
    let (directory, store, backup) = open()?;
    let other = DataStore::open(&backup)?;
    other.write(b"key", b"value")?;
    other.close()?;
    drop(other);
    let error: StoreError = refusal(&store, &backup)?;
    assert!(matches!(error, StoreError::BackupOfOtherStore { .. }), "{error}");
    let cases =
        [(&b"plain text"[..], Foreign::Text), (b"", Foreign::Empty), (&[0; 500], Foreign::Zeros)];
    for (bytes, kind) in cases {
        fs::write(&backup, bytes)?;
        let error: FormatError = refusal(&store, &backup)?;
        assert_eq!(error, FormatError::NotAStore(kind));
    }
    let error = store.backup(directory.path()).unwrap_err();
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert_eq!(cause, Some(&FormatError::NotAStore(Foreign::Directory)));
    fs::remove_file(&backup)?;
    store.backup(&backup)?;
    check_equal(&store, &backup)
}

#[test]
fn damage_in_what_is_new_leaves_the_older_backup() -> io::Result<()> {
    let (_directory, store, backup) = open()?;
    let first = store.backup(&backup)?;
    let damaged_at = store.write(b"new", &[5; 100])? as usize - 192 + 50;
    write_more(&store)?;
    let flip = || {
        let mut bytes = fs::read(store.get_path())?;
        bytes[damaged_at] ^= 1;
        let file = fs::OpenOptions::new().write(true).open(store.get_path())?;
        std::os::unix::fs::FileExt::write_all_at(
            &file,
            &bytes[damaged_at..=damaged_at],
            damaged_at as u64,
        )
    };
    flip()?;
    let error = store.backup(&backup).unwrap_err();
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(matches!(cause, Some(FormatError::Damaged { .. })), "{error}");
    let copy = OpenOptions::new().read_only(true).open(&backup)?;
    assert_eq!(copy.file_size()?, first.tail);
    assert_eq!(copy.len()?, 50);
    drop(copy);
    flip()?;
    assert!(store.backup(&backup)?.is_incremental);
    check_equal(&store, &backup)
}

#[test]
fn a_crash_on_the_way_leaves_a_commit_between_the_old_and_the_new_backup() -> io::Result<()> {
    let (directory, store, backup) = open()?;
    let older = store.backup(&backup)?;
    let before = fs::read(&backup)?;
    write_more(&store)?;
    let newer = store.backup(&backup)?;
    let after = fs::read(&backup)?;
    let (old_len, new_len) = (older.tail as usize, newer.tail as usize);

    // The data that reached the medium, and no checkpoint yet: cut off, or with a hole. The barrier at its end
    // is written after a flush of all else.
    let mut states = vec![[&before[..HEADER_LEN], &after[HEADER_LEN..]].concat()];
    let mut data = after.clone();
    data[new_len - 64..].fill(0);
    for len in (old_len..=new_len).step_by(64 * 5 + 13) {
        let mut state = data[..len].to_vec();
        state[..HEADER_LEN].copy_from_slice(&before[..HEADER_LEN]);
        states.push(state.clone());
        // The space is allocated, the rest was never written.
        state.resize(new_len, 0);
        states.push(state);
        let mut state = data.clone();
        state[..HEADER_LEN].copy_from_slice(&before[..HEADER_LEN]);
        state[len..(len + 4096).min(new_len)].fill(0);
        states.push(state);
    }
    // All of the data, and a torn checkpoint.
    for page in [1, 2] {
        let mut state = after.clone();
        state[page * 4096 + 512..(page + 1) * 4096]
            .copy_from_slice(&before[page * 4096 + 512..][..3584]);
        state[page * 4096 + 100..page * 4096 + 512].fill(0);
        states.push(state);
    }
    let crashed = directory.path().join("crashed.srd");
    for (number, state) in states.iter().enumerate() {
        fs::write(&crashed, state)?;
        let copy = OpenOptions::new().read_only(true).verify_reads(true).open(&crashed)?;
        let tail = copy.file_size()?;
        assert!((older.tail..=newer.tail).contains(&tail), "state {number}");
        assert!(copy.exists(&[10])? && copy.iter_entries().finish().is_ok());
        assert_eq!(copy.exists(b"x")?, copy.exists(b"y")?, "half a batch in state {number}");
        drop(copy);
        let report = store.backup(&crashed)?;
        assert!(report.is_incremental && report.tail == newer.tail, "state {number}");
        assert!(fs::read(&crashed)?[HEADER_LEN..] == after[HEADER_LEN..], "state {number}");
        check_equal(&store, &crashed)?;
        if let Some(aside) = report.saved_to {
            fs::remove_file(aside)?;
        }
    }
    assert!(states.len() > 100);
    Ok(())
}

/// A backup has the ids of its store, by which `copy` used to take the two for one.
#[test]
fn a_value_can_be_copied_back_from_a_backup() -> io::Result<()> {
    let (_directory, store, path) = open()?;
    store.backup(&path)?;
    store.write(&[7], b"overwritten by mistake")?;
    let backup = OpenOptions::new().read_only(true).open(&path)?;
    backup.copy(&[7], &store)?;
    assert_eq!(store.read(&[7])?.unwrap(), [7; 100].as_slice());
    assert!(store.copy(&[7], &store).is_err());
    Ok(())
}
