//! If a store is refused for writing because of damage, but opens for reading, its report has the
//! damage.

use std::fs;
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Damage, DataStore, FormatError, OpenOptions, repair};
use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Checkpoint, Identity};

use crate::errors::typed;
use crate::support::new_path;

const HEADER_LEN: u64 = 16 << 10;

/// Writes a store of two values and returns where their slots end.
fn build(path: &Path) -> [u64; 2] {
    let store = DataStore::open(path).unwrap();
    let ends = [store.write(b"a", b"old").unwrap(), store.write(b"a", b"new").unwrap()];
    store.close().unwrap();
    ends
}

/// Names another durable point in both checkpoints, with checksums that are right.
fn forge_durable_point(path: &Path, durable_tail: u64, durable_seal: u64) {
    let mut bytes = fs::read(path).unwrap();
    let identity = Identity::decode(&bytes[..PAGE_SIZE]).unwrap().unwrap();
    for page in [1, 2] {
        let page = &mut bytes[page * PAGE_SIZE..][..PAGE_SIZE];
        let checkpoint = Checkpoint::decode(page, &identity).unwrap();
        let forged = Checkpoint { durable_tail, durable_seal, ..checkpoint };
        page.copy_from_slice(&forged.encode(&identity));
    }
    fs::write(path, bytes).unwrap();
}

#[track_caller]
fn refused_as(path: &Path) -> Damage {
    let error = OpenOptions::new().open(path).unwrap_err();
    match typed(&error) {
        FormatError::Damaged { what, .. } => *what,
        other => panic!("{other:?}"),
    }
}

/// The durable point was ignored, and the log, as far as it was found, was served as if it were all
/// there had been.
#[test]
fn a_durable_point_that_no_slot_can_have_is_damage() {
    for (durable_tail, durable_seal) in
        [(0, 1), (5, 1), (HEADER_LEN - 64, 1), (HEADER_LEN + 1, 1), (HEADER_LEN, 1)]
    {
        let what = format!("durable point {durable_tail}");
        let (directory, path) = new_path();
        let ends = build(&path);
        forge_durable_point(&path, durable_tail, durable_seal);
        let before = fs::read(&path).unwrap();
        assert_eq!(refused_as(&path), Damage::DurablePoint, "{what}");

        let store = OpenOptions::new().read_only(true).open(&path).unwrap();
        let damaged = &store.recovery_report().damaged;
        assert_eq!(damaged.len(), 1, "{what}");
        assert!(damaged[0].start > ends[1] && damaged[0].end > damaged[0].start, "{what}");
        for error in [store.read(b"a").unwrap_err(), store.len().unwrap_err()] {
            assert!(matches!(typed(&error), FormatError::Damaged { .. }), "{what}: {error}");
        }
        let salvage = OpenOptions::new().read_only(true).salvage(true).open(&path).unwrap();
        assert_eq!(salvage.read(b"a").unwrap().unwrap(), b"new".as_slice(), "{what}");
        let report = repair(&path, &directory.path().join("repaired")).unwrap();
        assert_eq!((report.copied_entries, report.unconfirmed_entries), (1, 1), "{what}");
        assert!(fs::read(&path).unwrap() == before, "{what}: something was changed");
    }
}

/// The file was put together from two copies of a store that had been written to separately. Each
/// slot is sound, and a check found no damage, though nothing could be read.
#[test]
fn the_header_of_another_copy_is_damage() {
    let (directory, path) = new_path();
    build(&path);
    let other = directory.path().join("other");
    fs::copy(&path, &other).unwrap();
    let written = [(&path, b"one"), (&other, b"two")].map(|(path, value)| {
        let store = DataStore::open(path).unwrap();
        store.write(b"a", value).unwrap();
        store.close().unwrap();
        fs::read(path).unwrap()
    });
    assert_eq!(written[0].len(), written[1].len());
    let header = &written[0][..HEADER_LEN as usize];
    fs::write(&path, [header, &written[1][HEADER_LEN as usize..]].concat()).unwrap();
    assert_eq!(refused_as(&path), Damage::DurablePoint);

    let store = OpenOptions::new().read_only(true).open(&path).unwrap();
    assert!(matches!(typed(&store.read(b"a").unwrap_err()), FormatError::Damaged { .. }));
    let report = store.verify().unwrap();
    let [place] = &report.damaged[..] else { panic!("{report:?}") };
    assert_eq!((place.what, place.range.end), (Damage::DurablePoint, written[1].len() as u64));
    assert!(place.to_string().contains("different copies"), "{place}");
}

#[test]
fn a_first_slot_without_its_link_is_damage() {
    let (directory, path) = new_path();
    let ends = build(&path);
    let mut bytes = fs::read(&path).unwrap();
    bytes[ends[0] as usize - 1] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert_eq!(refused_as(&path), Damage::Link);

    let store = OpenOptions::new().read_only(true).open(&path).unwrap();
    let link = ends[0] - 4..ends[0];
    assert_eq!(store.recovery_report().damaged, std::slice::from_ref(&link));
    assert_eq!(store.read(b"a").unwrap().unwrap(), b"new".as_slice());
    for error in [store.read(b"absent").unwrap_err(), store.len().unwrap_err()] {
        assert!(matches!(typed(&error), FormatError::Damaged { .. }), "{error}");
    }
    let salvage = OpenOptions::new().read_only(true).salvage(true).open(&path).unwrap();
    assert_eq!(salvage.len().unwrap(), 1);
    let report = repair(&path, &directory.path().join("repaired")).unwrap();
    assert_eq!(report.damaged_ranges, std::slice::from_ref(&link));
    assert_eq!((report.copied_entries, report.unconfirmed_entries), (1, 0));
}
