//! Bit rot below the durable point: what can still be read, what is refused, and what repair saves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, FormatError, OpenOptions, repair};

/// Old versions of `a` and `b`, then `c`, then newer versions of `a` and of `d`: closed.
fn closed_store() -> io::Result<(tempfile::TempDir, PathBuf, Vec<u64>)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    let mut ends = Vec::new();
    for (key, value) in [("a", "old"), ("b", "only"), ("c", "middle"), ("a", "new"), ("d", "last")]
    {
        ends.push(store.write(key.as_bytes(), value.as_bytes())?);
    }
    drop(store);
    Ok((directory, path, ends))
}

fn flip(path: &Path, offset: u64) -> io::Result<()> {
    let mut bytes = fs::read(path)?;
    bytes[offset as usize] ^= 1;
    fs::write(path, bytes)
}

fn damaged_offset(error: &io::Error) -> Option<u64> {
    match error.get_ref()?.downcast_ref()? {
        FormatError::Damaged { offset, .. } => Some(*offset),
        _ => None,
    }
}

fn read_only(path: &Path, salvage: bool) -> io::Result<DataStore> {
    OpenOptions::new().read_only(true).salvage(salvage).open(path)
}

#[test]
fn a_damaged_trailer_hides_what_may_be_outdated() -> io::Result<()> {
    let (directory, path, ends) = closed_store()?;
    // The trailer of "c".
    flip(&path, ends[2] - 20)?;
    let before = fs::read(&path)?;
    let error = DataStore::open(&path).unwrap_err();
    assert!(damaged_offset(&error).is_some(), "{error}");

    let store = read_only(&path, false)?;
    let damaged = std::slice::from_ref(&(ends[1]..ends[2])).to_vec();
    assert_eq!(store.recovery_report().damaged, damaged);
    // Newer than the damage: certain.
    assert_eq!(store.read(b"a")?.unwrap(), b"new".as_slice());
    assert_eq!(store.read(b"d")?.unwrap(), b"last".as_slice());
    // Older than the damage, lost in it, or never there: nobody can tell.
    for key in [b"b", b"c", b"x"] {
        let error = store.read(key).unwrap_err();
        assert_eq!(damaged_offset(&error), Some(ends[1]), "{error}");
        assert!(store.exists(key).is_err());
        assert!(store.batch_read(&[b"a", key]).is_err());
        assert!(store.view().get(key).is_err());
        let view = store.view();
        let mut values = Vec::new();
        assert!(view.get_many(&[b"a", key, b"d"], &mut values).is_err());
        assert_eq!(values, [Some(b"new".as_slice())], "those before it");
    }
    assert_eq!(store.batch_read(&[b"a", b"d"])?.iter().flatten().count(), 2);
    assert!(store.len().is_err());
    let mut entries = store.iter_entries();
    assert_eq!(entries.by_ref().count(), 2, "what is certain");
    assert!(entries.error().is_some(), "and then an error, not an end");
    let view = store.view();
    let lent: Vec<_> = view.entries().map(|entry| entry.is_ok()).collect();
    assert_eq!(lent, [true, true, false], "the error is the last item");

    let salvage = read_only(&path, true)?;
    assert_eq!(salvage.read(b"b")?.unwrap(), b"only".as_slice());
    assert!(salvage.read(b"c")?.is_none());
    assert_eq!(salvage.iter_entries().count(), 3);
    assert_eq!(fs::read(&path)?, before, "nothing was changed");

    let new = directory.path().join("repaired.srd");
    let report = repair(&path, &new)?;
    assert_eq!((report.copied_entries, report.unconfirmed_entries), (3, 1));
    assert_eq!(report.damaged_ranges, damaged);
    let repaired = DataStore::open_existing(&new)?;
    assert_eq!(repaired.read(b"a")?.unwrap(), b"new".as_slice());
    assert_eq!(repaired.read(b"b")?.unwrap(), b"only".as_slice());
    repaired.write(b"c", b"again")?;
    assert_eq!(repaired.len()?, 4);
    assert_eq!(fs::read(&path)?, before, "nothing was changed");
    assert!(repair(&path, &new).is_err(), "an existing file is not replaced");
    assert_eq!(repaired.len()?, 4);
    Ok(())
}

#[test]
fn a_damaged_payload_concerns_its_key_alone() -> io::Result<()> {
    let (directory, path, ends) = closed_store()?;
    // The payload of "b".
    flip(&path, ends[0])?;
    let store = OpenOptions::new().verify_reads(true).open(&path)?;
    assert_eq!(damaged_offset(&store.read(b"b").unwrap_err()), Some(ends[0]));
    assert_eq!(store.read(b"a")?.unwrap(), b"new".as_slice());
    store.write(b"e", b"goes on")?;
    assert!(store.compact().is_err(), "damage is not copied");
    store.write(b"b", b"mended")?;
    assert_eq!(store.read(b"b")?.unwrap(), b"mended".as_slice());
    drop(store);

    let (second, path, ends) = closed_store()?;
    flip(&path, ends[0])?;
    let report = repair(&path, &second.path().join("repaired.srd"))?;
    assert_eq!(report.copied_entries, 3);
    assert_eq!(report.damaged_entries.len(), 1);
    assert_eq!(report.damaged_entries[0].key.as_deref(), Some(b"b".as_slice()));
    assert_eq!(report.damaged_entries[0].offset, ends[0]);
    drop(directory);
    Ok(())
}

/// A key that rotted while the store was open compared unequal, and its entry was called absent.
#[test]
fn a_key_that_changes_in_an_open_store_is_damage() -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;

    let (_directory, path, _) = closed_store()?;
    let store = OpenOptions::new().verify_reads(true).open(&path)?;
    let end = store.read(b"b")?.unwrap().slot_end();
    let file = fs::OpenOptions::new().write(true).open(&path)?;
    file.write_all_at(b"B", end - 33)?;
    for error in [store.read(b"b").unwrap_err(), store.exists(b"b").unwrap_err()] {
        assert_eq!(damaged_offset(&error), Some(end - 32), "{error}");
    }
    assert_eq!(store.read(b"a")?.unwrap(), b"new".as_slice());
    Ok(())
}

#[test]
fn several_damaged_places_are_all_skipped() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    let ends: Vec<u64> = (0..50_u32)
        .map(|number| store.write(&number.to_le_bytes(), &[number as u8; 300]))
        .collect::<io::Result<_>>()?;
    drop(store);
    for number in [0, 7, 8, 9, 30] {
        flip(&path, ends[number] - 20)?;
    }
    let salvage = read_only(&path, true)?;
    let damaged = &salvage.recovery_report().damaged;
    let expected = [ends[29]..ends[30], ends[6]..ends[9], 16_384..ends[0]];
    assert_eq!(damaged, &expected);
    assert_eq!(salvage.iter_entries().count(), 45);
    for (number, entry) in (0..50_u32).map(|number| (number, salvage.read(&number.to_le_bytes()))) {
        assert_eq!(entry?.is_none(), [0, 7, 8, 9, 30].contains(&number), "{number}");
    }
    Ok(())
}

#[test]
fn of_a_file_that_was_cut_off_the_rest_can_be_saved() -> io::Result<()> {
    let (directory, path, ends) = closed_store()?;
    let bytes = fs::read(&path)?;
    for len in ends[2]..bytes.len() as u64 {
        fs::write(&path, &bytes[..len as usize])?;
        let error = DataStore::open(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {len}: {error}");
        let store = read_only(&path, false)?;
        assert!(store.read(b"c").is_err(), "cut at {len}: a newer version may be missing");
        let salvage = read_only(&path, true)?;
        assert_eq!(salvage.read(b"c")?.unwrap(), b"middle".as_slice());
        let expected: &[u8] = if len >= ends[3] { b"new" } else { b"old" };
        assert_eq!(salvage.read(b"a")?.unwrap(), expected, "cut at {len}");
    }
    let new = directory.path().join("repaired.srd");
    fs::write(&path, &bytes[..ends[3] as usize + 10])?;
    let report = repair(&path, &new)?;
    assert_eq!((report.copied_entries, report.unconfirmed_entries), (3, 3));
    Ok(())
}

/// If a link does not match the predecessor, either the link is damaged, or the predecessor is a
/// stale slot that a lost write has left in place. Only the slots above the break are certain.
#[test]
fn a_broken_link_makes_the_slot_below_it_uncertain() -> io::Result<()> {
    let (_directory, path, ends) = closed_store()?;
    flip(&path, ends[2] - 1)?;
    let store = read_only(&path, false)?;
    assert_eq!(store.read(b"c")?.unwrap(), b"middle".as_slice());
    assert!(store.read(b"b").is_err());
    let salvage = read_only(&path, true)?;
    assert!(salvage.read(b"b")?.is_none());
    assert_eq!(salvage.read(b"a")?.unwrap(), b"new".as_slice());
    Ok(())
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = OpenOptions::new().salvage(true).open(directory.path().join("x")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[cfg(unix)]
#[test]
fn a_repaired_store_is_no_easier_to_read() -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let (directory, path, ends) = closed_store()?;
    flip(&path, ends[0])?;
    // Who may only read the damaged store may write to what is made of it.
    for (old_mode, new_mode) in [(0o640, 0o640), (0o400, 0o600)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(old_mode))?;
        let new = directory.path().join(format!("repaired {old_mode:o}"));
        repair(&path, &new)?;
        assert_eq!(fs::metadata(&new)?.permissions().mode() & 0o777, new_mode);
        DataStore::open_existing(&new)?.write(b"goes on", b"value")?;
    }
    Ok(())
}
