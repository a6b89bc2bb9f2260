//! Incremental backups: what is appended, what is refused, and what a crash leaves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Foreign, FormatError, OpenOptions, StoreError, WriteError};
use simd_r_drive_entry_handle::{Checkpoint, Identity};
use tempfile::TempDir;

/// The identity, two checkpoints, the published tail.
const HEADER_LEN: usize = 16 << 10;

fn open() -> io::Result<(TempDir, DataStore, PathBuf)> {
    let directory = tempfile::tempdir()?;
    let store = DataStore::open(directory.path().join("store.srd"))?;
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
    assert!(matches!(error, WriteError::Locked { .. }), "{error}");
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
        assert_eq!(error, FormatError::not_a_store(kind).about(&*backup));
    }
    let error = store.backup(directory.path()).unwrap_err();
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    let expected = FormatError::not_a_store(Foreign::Directory).about(directory.path());
    assert_eq!(cause, Some(&expected));
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
fn a_crash_leaves_a_commit_between_the_backups() -> io::Result<()> {
    let (directory, store, backup) = open()?;
    let older = store.backup(&backup)?;
    let before = fs::read(&backup)?;
    write_more(&store)?;
    let newer = store.backup(&backup)?;
    let after = fs::read(&backup)?;
    let (old_len, new_len) = (older.tail as usize, newer.tail as usize);

    // Header of the backup while data is copied: of the two checkpoints, one may be torn.
    let copying = |torn: Option<u64>| {
        let identity = Identity::decode(&before).unwrap().unwrap();
        let mut header = before[..HEADER_LEN].to_vec();
        let newest = [1, 2].map(|page| Checkpoint::decode(&before[page * 4096..], &identity));
        let newest = newest.into_iter().flatten().max_by_key(|it| it.sequence).unwrap();
        for sequence in [newest.sequence + 1, newest.sequence + 2] {
            let checkpoint = Checkpoint { sequence, is_clean: false, is_copying: true, ..newest };
            let at = checkpoint.page() * 4096;
            header[at..at + 4096].copy_from_slice(&checkpoint.encode(&identity));
            if torn == Some(sequence - newest.sequence) {
                header[at + 100..at + 512].fill(0);
            }
        }
        header
    };
    // The data that reached the medium, and no newer checkpoint: cut off, or with a hole.
    let mut states = vec![[&before[..HEADER_LEN], &after[HEADER_LEN..]].concat()];
    for (number, len) in (old_len..=new_len).step_by(64 * 5 + 13).enumerate() {
        let torn = [None, Some(1), Some(2)][number % 3];
        let mut state = [&copying(torn), &after[HEADER_LEN..len]].concat();
        states.push(state.clone());
        // The space is allocated, the rest was never written.
        state.resize(new_len, 0);
        states.push(state);
        let mut state = [&copying(torn), &after[HEADER_LEN..]].concat();
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
        assert_eq!(report.saved_to, None, "state {number}");
    }
    assert!(states.len() > 100);
    Ok(())
}

/// Flips a bit of the file.
fn flip(path: &Path, at: usize) -> io::Result<()> {
    let mut bytes = fs::read(path)?;
    bytes[at] ^= 1;
    fs::write(path, bytes)
}

/// A damaged backup was once extended: the call returned `Ok`, and what it left could not be
/// opened.
#[test]
fn a_damaged_backup_is_refused_and_left_as_it_is() -> io::Result<()> {
    let (directory, store, backup) = open()?;
    let old = store.backup(&backup)?;
    let sound = fs::read(&backup)?;
    write_more(&store)?;
    // In the trailer of the oldest slot, of one in the middle, and of the newest one, where the
    // durable point is.
    let first_end = HEADER_LEN + 192;
    for end in [first_end, first_end + 20 * 192, old.tail as usize] {
        flip(&backup, end - 20)?;
        let error: StoreError = refusal(&store, &backup)?;
        let StoreError::BackupDamaged { path, damage } = &error else { panic!("{error}") };
        assert!(path == &backup && matches!(damage, FormatError::Damaged { .. }), "{error}");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
        fs::write(&backup, &sound)?;
    }
    fs::write(&backup, &sound[..first_end])?;
    let error: StoreError = refusal(&store, &backup)?;
    let is_truncated = |damage: &_| matches!(damage, FormatError::Truncated { .. });
    assert!(
        matches!(&error, StoreError::BackupDamaged { damage, .. } if is_truncated(damage)),
        "{error}"
    );
    let text = error.to_string();
    assert!(text.contains("backup.srd") && text.contains("back up to a new path"), "{text}");

    let new = directory.path().join("new.srd");
    store.backup(&new)?;
    check_equal(&store, &new)
}

/// What opening the backup does not look at, extending it does not read again.
#[test]
fn a_backup_with_an_index_is_read_again_from_there_on() -> io::Result<()> {
    let (_directory, store, backup) = open()?;
    store.checkpoint()?;
    store.write(b"behind the index", &[9; 100])?;
    let old = store.backup(&backup)?;
    let sound = fs::read(&backup)?;
    let is_index_used = || -> io::Result<bool> {
        let copy = OpenOptions::new().read_only(true).open(&backup)?;
        assert!(copy.recovery_report().damaged.is_empty());
        Ok(copy.recovery_report().is_index_used)
    };
    assert!(is_index_used()?);
    write_more(&store)?;

    // The slot before the barrier is behind the index.
    flip(&backup, old.tail as usize - 128 - 20)?;
    let error: StoreError = refusal(&store, &backup)?;
    assert!(matches!(error, StoreError::BackupDamaged { .. }), "{error}");
    fs::write(&backup, &sound)?;
    // The first slot is below it.
    flip(&backup, HEADER_LEN + 192 - 20)?;
    assert!(store.backup(&backup)?.is_incremental);
    assert!(is_index_used()?);

    // The index itself: all slots are read then, and the store's next one comes into use.
    fs::write(&backup, &sound)?;
    let header = sound.windows(7).rposition(|bytes| bytes == b"SRDINDX").unwrap();
    flip(&backup, header)?;
    let damaged_index = fs::read(&backup)?;
    assert!(store.backup(&backup)?.is_incremental);
    check_equal(&store, &backup)?;
    assert!(!is_index_used()?);
    store.checkpoint()?;
    store.backup(&backup)?;
    check_equal(&store, &backup)?;
    assert!(is_index_used()?);
    // And if they are not all there?
    fs::write(&backup, damaged_index)?;
    flip(&backup, HEADER_LEN + 192 - 20)?;
    let error: StoreError = refusal(&store, &backup)?;
    assert!(matches!(error, StoreError::BackupDamaged { .. }), "{error}");
    Ok(())
}

#[test]
fn what_is_cut_off_is_saved_if_the_store_lacks_it() -> io::Result<()> {
    let (_directory, store, backup) = open()?;
    let old = store.backup(&backup)?;
    let before = fs::read(&backup)?;
    write_more(&store)?;
    store.backup(&backup)?;
    let after = fs::read(&backup)?;
    let tail = old.tail as usize;
    // A part of the next slot, which the store has too; as far as it was written, with a hole.
    let mut state = [&before[..], &after[tail..tail + 900]].concat();
    state[tail + 300..tail + 600].fill(0);
    fs::write(&backup, &state)?;
    assert_eq!(store.backup(&backup)?.saved_to, None);
    check_equal(&store, &backup)?;
    // One byte that the store does not have; and more bytes than it has.
    state[tail + 700] ^= 1;
    let longer = [&before[..], &vec![7; after.len()]].concat();
    for state in [&state, &longer] {
        fs::write(&backup, state)?;
        let saved = store.backup(&backup)?.saved_to.expect("saved");
        assert!(fs::read(&saved)? == state[tail..]);
        check_equal(&store, &backup)?;
        fs::remove_file(saved)?;
    }
    Ok(())
}

/// Readers open the backup, and follow it, while it grows.
#[test]
fn readers_of_a_backup_see_it_grow() -> io::Result<()> {
    let (_directory, store, backup) = open()?;
    store.backup(&backup)?;
    let open = || OpenOptions::new().read_only(true).open(&backup);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| -> io::Result<u64> {
            let follower = open()?;
            let (mut rounds, mut tail) = (0, 0);
            while !is_done.load(Ordering::Relaxed) {
                follower.refresh()?;
                let fresh = open()?;
                assert!(fresh.recovery_report().damaged.is_empty());
                assert!(follower.file_size()? >= tail, "nothing is taken back");
                tail = follower.file_size()?;
                assert!(fresh.file_size()? >= tail);
                assert_eq!(fresh.exists(b"x")?, fresh.exists(b"y")?, "half a batch");
                assert!(follower.iter_entries().all(|entry| entry.is_valid_checksum()));
                rounds += 1;
            }
            Ok(rounds)
        });
        for _ in 0..40 {
            write_more(&store)?;
            store.backup(&backup)?;
        }
        is_done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap()? > 10);
        io::Result::Ok(())
    })?;
    check_equal(&store, &backup)
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
