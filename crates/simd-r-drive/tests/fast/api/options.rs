//! Options, read-only stores, verified reads, limits, and the recovery report.

use std::fs;
use std::io::ErrorKind;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{
    Damage, DataStore, FormatError, OpenOptions, PoisonCause, StoreError, WriteError,
};

use crate::errors::typed;
use crate::support::hooks::Hooked;
use crate::support::{names_in, new_path, state_of};

#[test]
fn create_new_wants_a_free_path() {
    let (directory, path) = new_path();
    let options = OpenOptions::new().create_new(true);
    let store = options.open(&path).unwrap();
    assert!(store.recovery_report().is_new);
    store.write(b"key", b"value").unwrap();
    drop(store);
    let before = state_of(&path);
    assert_eq!(options.open(&path).map(drop).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let both = options.clone().create(true);
    assert_eq!(both.open(&path).map(drop).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert!(state_of(&path) == before);
    fs::write(&path, b"").unwrap();
    assert_eq!(options.open(&path).map(drop).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    assert_eq!(names_in(directory.path()), ["store.srd"]);
}

#[test]
fn an_alignment_that_cannot_be_is_refused_at_once() {
    let (directory, path) = new_path();
    for alignment in [0, 1, 32, 63, 65, 100, 4095, 131_072, u64::MAX, 1 << 63] {
        let error = OpenOptions::new().create(true).alignment(alignment).open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(*typed::<FormatError>(&error), FormatError::BadAlignment(alignment));
        assert!(names_in(directory.path()).is_empty());
    }
    for shift in 6..=16 {
        let (_directory, path) = new_path();
        let store = OpenOptions::new().create(true).alignment(1 << shift).open(&path).unwrap();
        assert_eq!(store.stats().alignment, 1 << shift);
        store.write(b"key", b"value").unwrap();
        assert_eq!(store.read(b"key").unwrap().unwrap().as_ptr().addr() % (1 << shift), 0);
    }
}

/// A program that asks for pages and is given lines would read from the middle of a page.
#[test]
fn a_store_aligned_to_less_than_asked_is_refused() {
    let (_directory, path) = new_path();
    OpenOptions::new().create(true).alignment(256).open(&path).unwrap().close().unwrap();
    let before = state_of(&path);
    for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
        let error = options.clone().alignment(4096).open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let StoreError::AlignmentTooSmall { path: named, alignment, wanted } = typed(&error) else {
            panic!("{error}");
        };
        assert_eq!((named, *alignment, *wanted), (&path, 256, 4096));
        for enough in [64, 128, 256] {
            assert_eq!(
                options.clone().alignment(enough).open(&path).unwrap().stats().alignment,
                256
            );
        }
    }
    assert!(state_of(&path) == before);
}

#[test]
fn open_takes_whatever_names_a_path() {
    let (_directory, path) = new_path();
    let name = path.to_str().unwrap().to_owned();
    drop(DataStore::open(&path).unwrap());
    drop(DataStore::open(path.as_path()).unwrap());
    drop(DataStore::open(name.as_str()).unwrap());
    drop(DataStore::open_existing(&name).unwrap());
    drop(DataStore::open_existing(path).unwrap());
}

#[test]
fn a_store_cannot_be_created_read_only() {
    let (directory, path) = new_path();
    for options in [OpenOptions::new().create(true), OpenOptions::new().create_new(true)] {
        let error = options.read_only(true).open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(matches!(typed(&error), StoreError::BadOptions(_)));
    }
    assert!(names_in(directory.path()).is_empty());
}

fn assert_read_only(store: &DataStore) {
    assert!(store.is_read_only());
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    let refusals = [
        store.write(b"key", b"x"),
        store.write_with_key_hash(1, b"x"),
        store.batch_write(&[(b"key", b"x")]),
        store.batch_write_with_key_hashes(vec![(1, b"x")], true),
        store.write_stream(b"key", &mut &b"x"[..]),
        store.write_stream_with_key_hash(1, &mut &b"x"[..]),
        store.rename(b"key", b"other"),
        store.delete(b"key"),
        store.batch_delete(&[b"key"]),
        store.batch_delete_key_hashes(&[simd_r_drive::compute_hash(b"key")]),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(matches!(typed(&error), StoreError::ReadOnly { .. }), "{error}");
    }
    store.close().unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
}

#[test]
fn a_read_only_store_refuses_every_write() {
    let (directory, path) = new_path();
    DataStore::open(&path).unwrap().write(b"key", b"value").unwrap();
    // With garbage at its end, which only a writer may cut off.
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(b"garbage");
    fs::write(&path, bytes).unwrap();
    let before = state_of(&path);
    let options = OpenOptions::new().read_only(true);
    assert_read_only(&options.open(&path).unwrap());
    // So do those who ask for more on a medium, or a file, that they may not write.
    let medium = OpenOptions::new().create(true).file_system(Hooked::read_only_medium());
    assert_read_only(&medium.open(&path).unwrap());
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    // Whoever is above permissions may write nevertheless.
    if fs::OpenOptions::new().write(true).open(&path).is_err() {
        assert_read_only(&DataStore::open(&path).unwrap());
        assert_read_only(&DataStore::open_existing(&path).unwrap());
    }
    assert!(state_of(&path) == before);
    assert_eq!(names_in(directory.path()), ["store.srd"]);
}

#[test]
fn many_readers_stand_beside_a_writer() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    let readers: Vec<DataStore> =
        (0..10).map(|_| OpenOptions::new().read_only(true).open(&path).unwrap()).collect();
    store.write(b"key", b"newer").unwrap();
    for reader in &readers {
        assert_eq!(reader.read(b"key").unwrap().unwrap(), b"value".as_slice());
    }
    let newer = OpenOptions::new().read_only(true).open(&path).unwrap();
    assert_eq!(newer.read(b"key").unwrap().unwrap(), b"newer".as_slice());
}

#[test]
fn only_verified_reads_notice_a_flipped_bit() {
    let (_directory, path) = new_path();
    let at = {
        let store = DataStore::open(&path).unwrap();
        store.write(b"fine", &[1; 200]).unwrap();
        store.write(b"key", &[2; 200]).unwrap();
        store.read(b"key").unwrap().unwrap().start_offset()
    };
    let mut bytes = fs::read(&path).unwrap();
    bytes[at + 77] ^= 4;
    fs::write(&path, &bytes).unwrap();
    {
        let plain = DataStore::open(&path).unwrap();
        let entry = plain.read(b"key").unwrap().unwrap();
        assert_eq!(entry[77], 2 ^ 4, "plain reads trust the bytes");
        assert!(!entry.is_valid_checksum(), "but the handle can tell");
        // Damage is not given a new checksum.
        let error = plain.rename(b"key", b"other").unwrap_err();
        assert!(matches!(typed(&error), FormatError::Damaged { what: Damage::Payload, .. }));
        assert!(plain.exists(b"key").unwrap());
    }
    let verified = OpenOptions::new().verify_reads(true).open(&path).unwrap();
    let hash = simd_r_drive::compute_hash(b"key");
    let errors = [
        verified.read(b"key").unwrap_err(),
        verified.read_with_key_hash(hash).unwrap_err(),
        verified.batch_read(&[b"fine", b"key"]).unwrap_err(),
        verified.batch_read_hashed_keys(&[hash], None).unwrap_err(),
        verified.read_last_entry().unwrap_err(),
        verified.read_metadata(b"key").unwrap_err(),
        verified.iter_entries().next_entry().unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let FormatError::Damaged { subject, offset, what, expected, got } = typed(&error) else {
            panic!("{error}")
        };
        assert_eq!((*offset, *what), (at as u64, Damage::Payload));
        assert_ne!(expected, got);
        let is_named = subject.key() == Some(b"key") || subject.key_hash() == Some(hash);
        assert!(is_named, "{error}");
    }
    let mut iterator = verified.iter_entries();
    assert_eq!(iterator.by_ref().count(), 0);
    assert!(iterator.finish().is_err(), "an iteration that ends early says so");
    assert_eq!(verified.read(b"fine").unwrap().unwrap(), vec![1; 200], "others stay readable");
    verified.write(b"key", b"written anew").unwrap();
    assert_eq!(verified.read(b"key").unwrap().unwrap(), b"written anew".as_slice());
}

#[test]
fn the_report_tells_new_clean_and_recovered_apart() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let report = store.recovery_report().clone();
    let header = store.file_size().unwrap();
    assert!(report.is_new && !report.is_identity_damaged);
    assert_eq!((report.tail, report.durable_tail, report.slots_replayed), (header, header, 0));
    assert_eq!((report.uncommitted_bytes, report.saved_to), (0, None));
    store.write(b"a", b"1").unwrap();
    store.write(b"b", b"2").unwrap();
    let tail = store.file_size().unwrap();
    let crashed = fs::read(&path).unwrap();
    store.close().unwrap();
    drop(store);

    let store = DataStore::open(&path).unwrap();
    let report = store.recovery_report().clone();
    assert!(!report.is_new && report.was_clean);
    assert_eq!(report.tail, fs::metadata(&path).unwrap().len());
    assert_eq!(report.durable_tail, report.tail);
    assert!(report.slots_replayed >= 2);
    drop(store);

    // As the file was while the store was open: nothing torn, nothing durable.
    fs::write(&path, &crashed).unwrap();
    let store = DataStore::open(&path).unwrap();
    let report = store.recovery_report().clone();
    assert!(!report.was_clean && !report.is_new);
    assert_eq!((report.tail, report.durable_tail), (tail, header));
    assert_eq!((report.uncommitted_bytes, &report.saved_to), (0, &None));
    drop(store);

    // The identity's page 0 is lost, its copies are not.
    let mut bytes = fs::read(&path).unwrap();
    bytes[..4096].fill(0xAA);
    fs::write(&path, &bytes).unwrap();
    let store = DataStore::open(&path).unwrap();
    assert!(store.recovery_report().is_identity_damaged);
    assert_eq!(store.read(b"b").unwrap().unwrap(), b"2".as_slice());
}

#[test]
fn a_closed_store_reads_on_and_refuses_writes() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    store.sync().unwrap();
    store.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    store.close().unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    let error = store.write(b"key", b"late").unwrap_err();
    assert!(
        matches!(typed(&error), WriteError::Poisoned { cause: PoisonCause::Closed }),
        "{error}"
    );
    drop(store);
    assert!(fs::read(&path).unwrap() == bytes, "closing twice, or dropping, changes nothing");
}

#[test]
#[should_panic(expected = "cannot open the store")]
fn from_a_path_panics_where_open_fails() {
    let (directory, _) = new_path();
    let _ = DataStore::from(directory.path().join("missing").join("store.srd"));
}

#[test]
fn a_store_knows_its_path() {
    let (_directory, path) = new_path();
    assert_eq!(DataStore::from(path.clone()).get_path(), path);
}
