//! Full backups: made while the store is in use, consistent, checked, and there completely or not
//! at all.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Damage, DataStore, FormatError, OpenOptions, StoreError, compute_hash};

/// Where the log starts in a store of the default alignment.
const HEADER_LEN: usize = 16 << 10;

fn contents(store: &DataStore) -> io::Result<BTreeMap<u64, Vec<u8>>> {
    let mut entries = store.iter_entries();
    let mut contents = BTreeMap::new();
    while let Some(entry) = entries.next_entry()? {
        contents.insert(entry.key_hash(), entry.to_vec());
    }
    Ok(contents)
}

fn open_checked(path: &Path) -> io::Result<DataStore> {
    OpenOptions::new().read_only(true).verify_reads(true).open(path)
}

fn files_in(directory: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(directory)?.map(|file| Ok(file?.file_name().into_string().unwrap()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

#[test]
fn a_backup_has_the_same_log_and_opens_as_a_store() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let (path, backup) = (directory.path().join("store.srd"), directory.path().join("backup.srd"));
    for alignment in [64, 4096, 65_536] {
        let store = OpenOptions::new().create(true).alignment(alignment).open(&path)?;
        store.batch_write(&[(b"a", b"1"), (b"b", &[7; 3 << 20]), (b"c", b"")])?;
        store.write(b"a", b"2")?;
        store.delete(b"c")?;
        store.write_with_key_hash(5, b"bare")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;

        let report = store.backup(&backup)?;
        assert!(!report.is_incremental && report.is_store_flushed && report.saved_to.is_none());
        assert_eq!(report.tail, store.file_size()?);
        assert_eq!(fs::metadata(&backup)?.len(), report.tail);
        assert_eq!(fs::metadata(&backup)?.permissions().mode() & 0o777, 0o600);
        let header_len = alignment.max(HEADER_LEN as u64);
        assert_eq!(report.copied_bytes, report.tail - header_len);
        assert!(report.copied_slots >= 6);
        let (copy, original) = (fs::read(&backup)?, fs::read(&path)?);
        let log = header_len as usize..report.tail as usize;
        assert!(copy[log.clone()] == original[log]);
        assert_eq!(copy[..4096], original[..4096]);

        let restored = DataStore::open_existing(&backup)?;
        assert!(restored.recovery_report().was_clean);
        assert_eq!(contents(&restored)?, contents(&store)?);
        assert_eq!(restored.history(b"a")?.count(), 2);
        restored.write(b"d", b"the backup is a store")?;
        restored.close()?;
        assert_eq!(DataStore::open_existing(&backup)?.len()?, 4);
        assert_eq!(store.len()?, 3);
        drop(store);
        assert_eq!(files_in(directory.path())?, ["backup.srd", "store.srd"]);
        fs::remove_file(&backup)?;
        fs::remove_file(&path)?;
    }
    Ok(())
}

#[test]
fn writers_go_on_and_a_backup_shows_whole_commits() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    store.batch_write(&[(b"left", &[0; 300]), (b"right", &[0; 300])])?;
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| -> io::Result<u64> {
            let mut rounds = 0_u64;
            // Bounded, in case an assertion below fails.
            while !is_done.load(Ordering::Relaxed) && rounds < 5000 {
                std::thread::sleep(std::time::Duration::from_micros(300));
                rounds += 1;
                let value = rounds.to_le_bytes().repeat(rounds as usize % 90);
                store.batch_write(&[(b"left", &value), (b"right", &value)])?;
                store.write(&rounds.to_le_bytes(), b"filler")?;
            }
            Ok(rounds)
        });
        let result = (|| {
            for number in 0..12 {
                // Each of three backups is extended by the next rounds.
                let backup = directory.path().join(format!("{}.srd", number % 3));
                let before = store.snapshot();
                let report = store.backup(&backup)?;
                let copy = open_checked(&backup)?;
                assert_eq!(report.is_incremental, number >= 3);
                assert!(report.tail >= before.file_size()?);
                assert!(copy.recovery_report().was_clean);
                let (left, right) = (copy.read(b"left")?.unwrap(), copy.read(b"right")?.unwrap());
                assert_eq!(left.to_vec(), right.to_vec());
                for entry in &before {
                    assert!(copy.exists(entry.key().unwrap())?, "older than the backup");
                }
                let log = fs::read(&backup)?;
                let original = &fs::read(&path)?[..log.len()];
                assert!(log[HEADER_LEN..] == original[HEADER_LEN..]);
            }
            Ok(())
        })();
        is_done.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap()? > 0);
        result
    })
}

#[test]
fn damage_is_refused_and_no_backup_appears() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let (path, backup) = (directory.path().join("store.srd"), directory.path().join("backup.srd"));
    let store = DataStore::open(&path)?;
    // Slots of 256 bytes: a payload of 200, 21 of padding, a key of 3, the trailer.
    for number in 0..20_u8 {
        store.write(&[b'k', b'k', number], &[number; 200])?;
    }
    store.close()?;
    let file = fs::OpenOptions::new().read(true).write(true).open(&path)?;
    let slot = HEADER_LEN as u64 + 7 * 256;
    let cases = [
        (slot + 100, slot, Damage::Payload),
        (slot + 210, slot + 200, Damage::Padding),
        (slot + 222, slot + 256 - 32, Damage::Seal),
        (slot + 256 - 10, slot + 256 - 32, Damage::Seal),
    ];
    for (at, named, what) in cases {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at)?;
        file.write_all_at(&[byte[0] ^ 4], at)?;
        let error = store.backup(&backup).unwrap_err();
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(FormatError::Damaged { offset, what: found, .. }) => {
                assert_eq!((*offset, *found), (named, what), "byte {at}");
            }
            _ => panic!("{error}"),
        }
        assert_eq!(files_in(directory.path())?, ["store.srd"], "byte {at}");
        file.write_all_at(&byte, at)?;
    }
    assert_eq!(store.backup(&backup)?.copied_slots, 21);
    assert_eq!(contents(&open_checked(&backup)?)?, contents(&store)?);
    Ok(())
}

#[test]
fn read_only_nested_and_empty_stores_are_backed_up() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let empty = DataStore::open(path("store.srd"))?;
    assert_eq!(empty.backup(&path("empty.srd"))?.copied_slots, 0);
    assert_eq!(DataStore::open_existing(path("empty.srd"))?.len()?, 0);

    let store = empty;
    store.write(b"key", b"value")?;
    let reader = OpenOptions::new().read_only(true).open(path("store.srd"))?;
    let report = reader.backup(&path("reader.srd"))?;
    assert!(!report.is_store_flushed);
    assert_eq!(open_checked(&path("reader.srd"))?.read(b"key")?.unwrap(), b"value".as_slice());

    store.write(b"inner", &fs::read(path("reader.srd"))?)?;
    let nested = DataStore::open_nested(store.read(b"inner")?.unwrap())?;
    nested.backup(&path("nested.srd"))?;
    assert_eq!(open_checked(&path("nested.srd"))?.read(b"key")?.unwrap(), b"value".as_slice());

    store.close()?;
    store.backup(&path("closed.srd"))?;
    assert_eq!(open_checked(&path("closed.srd"))?.len()?, 2);
    Ok(())
}

#[test]
fn a_store_is_not_backed_up_onto_itself() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    store.write(b"key", b"value")?;
    std::os::unix::fs::symlink(&path, directory.path().join("link.srd"))?;
    for onto in [&path, &directory.path().join("link.srd")] {
        let error = store.backup(onto).unwrap_err();
        let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
        assert!(matches!(cause, Some(StoreError::BackupOntoItself { .. })), "{error}");
    }
    assert_eq!(store.read(b"key")?.unwrap().key_hash(), compute_hash(b"key"));
    store.write(b"key", b"and on it goes")?;
    Ok(())
}

/// A backup once named no index, so each open of it, or of a store restored from it, read the whole
/// log.
#[test]
fn a_backup_opens_through_the_index_of_the_store() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let (path, backup) = (directory.path().join("store.srd"), directory.path().join("backup.srd"));
    let store = DataStore::open(&path)?;
    let mut written = 0_u64;
    // Whole, extended by a new index, extended by entries alone.
    for has_checkpoint in [true, true, false] {
        for _ in 0..100 {
            store.write(&written.to_le_bytes(), b"value")?;
            written += 1;
        }
        if has_checkpoint {
            store.checkpoint()?;
        }
        store.backup(&backup)?;
        let copy = open_checked(&backup)?;
        assert!(copy.recovery_report().is_index_used, "after {written} entries");
        assert_eq!(contents(&copy)?, contents(&store)?);
        assert_eq!(copy.len()?, written as usize);
    }
    Ok(())
}
