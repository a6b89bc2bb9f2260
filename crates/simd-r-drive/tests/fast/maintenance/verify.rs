//! `verify` finds every change to a closed store, says where it is, and still checks the rest.

#![cfg(unix)]

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Damage, DataStore, OpenOptions, VerifyReport, compute_hash};
use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{Alignment, Flags, Identity, IdentitySeeds, Kind, Trailer};

use crate::support::hooks::{Call, Hooked};
use crate::support::{keys_of_one_hash, new_path, new_store};

const PAGE: u64 = 4096;
const HEADER_LEN: u64 = 4 * PAGE;
const BARE: u64 = 5;

/// Every kind of slot: older versions, deletions, a batch, a hash without a key, keys of one hash,
/// barriers, an index.
fn build(path: &Path) {
    let store = DataStore::open(path).unwrap();
    store.write(b"old", b"first version").unwrap();
    store.write(b"gone", b"deleted").unwrap();
    store.batch_write(&[(b"x", &[1; 70]), (b"empty", b"")]).unwrap();
    for key in keys_of_one_hash(3) {
        store.write(&key, b"of one hash").unwrap();
    }
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let store = DataStore::open(path).unwrap();
    store.write(b"old", b"second version").unwrap();
    store.delete(b"gone").unwrap();
    store.write_with_key_hash(BARE, b"bare").unwrap();
    store.close().unwrap();
}

fn verify(path: &Path) -> VerifyReport {
    OpenOptions::new().read_only(true).salvage(true).open(path).unwrap().verify().unwrap()
}

#[track_caller]
fn assert_sound(report: &VerifyReport) {
    assert!(report.is_sound(), "{:?}", report.damaged);
}

#[test]
fn a_sound_store_is_counted() {
    let (_directory, path) = new_path();
    build(&path);
    let ways = [
        OpenOptions::new(),
        OpenOptions::new().read_only(true),
        OpenOptions::new().read_only(true).salvage(true),
        OpenOptions::new().verify_reads(true),
    ];
    for options in ways {
        let store = options.open(&path).unwrap();
        let report = store.verify().unwrap();
        assert_sound(&report);
        // Live: old, x, empty, three of one hash, bare. Dead: the old version, "gone" and its
        // deletion.
        assert_eq!((report.live_keys, report.dead_slots), (7, 3));
        assert_eq!(report.payload_bytes, 13 + 7 + 70 + 3 * 11 + 14 + 4);
        assert!(report.index_lines > 64, "{}", report.index_lines);
        // And the index slot and the barriers.
        assert!(report.slots > 10 + 2, "{}", report.slots);
        store.close().unwrap();
        assert_eq!(store.verify().unwrap(), report, "closed");
    }
}

#[test]
fn empty_and_unclosed_stores_are_sound() {
    let (directory, store) = new_store();
    assert_sound(&store.verify().unwrap());
    store.write(b"key", b"value").unwrap();
    assert_sound(&store.verify().unwrap());
    let copy = directory.path().join("copy.srd");
    fs::copy(store.get_path(), &copy).unwrap();
    assert_sound(&verify(&copy));
    assert_sound(&DataStore::open(&copy).unwrap().verify().unwrap());
    for number in 0..3000_u32 {
        store.write(&number.to_le_bytes(), b"value").unwrap();
    }
    store.checkpoint().unwrap();
    store.compact().unwrap();
    let report = store.verify().unwrap();
    assert_sound(&report);
    assert_eq!((report.live_keys, report.dead_slots), (3001, 0));
}

/// Each byte, one bit of it. The command said "no damage" of hint pages and of the index, and
/// stopped at damage of the log.
#[test]
fn every_changed_byte_lies_in_a_place_that_is_named() {
    let (_directory, path) = new_path();
    build(&path);
    let original = fs::read(&path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for (at, byte) in original.iter().enumerate() {
        // Of the long runs of zeros in the header and in the index, some.
        let around = &original[at.saturating_sub(64)..original.len().min(at + 64)];
        if around.iter().all(|byte| *byte == 0) && at % 61 != 0 {
            continue;
        }
        file.write_all_at(&[byte ^ (1 << (at % 8))], at as u64).unwrap();
        let report = verify(&path);
        file.write_all_at(&[*byte], at as u64).unwrap();
        let [place] = &*report.damaged else { panic!("byte {at}: {:?}", report.damaged) };
        assert!(place.range.contains(&(at as u64)), "byte {at}: {place:?}");
        assert!(!place.to_string().is_empty());
    }
    assert_sound(&verify(&path));
}

#[test]
fn damage_names_its_key_and_the_rest_is_checked() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let large = vec![7; 5 << 20];
    let ends = [
        store.write(b"a", b"older").unwrap(),
        store.write(b"large", &large).unwrap(),
        store.write(b"lost", b"value").unwrap(),
        store.write(b"a", b"newer").unwrap(),
        store.write_with_key_hash(BARE, b"bare").unwrap(),
    ];
    store.close().unwrap();
    drop(store);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let payloads = [HEADER_LEN, ends[0] + (3 << 20), ends[3]];
    for at in payloads {
        file.write_all_at(b"~", at).unwrap();
    }
    // The kind of "lost".
    file.write_all_at(b"~", ends[2] - 19).unwrap();

    let report = verify(&path);
    let key = |key: &[u8]| (Some(key.to_vec()), Some(compute_hash(key)));
    let expected = [
        (ends[3], Damage::Payload, (None, Some(BARE))),
        (ends[1], Damage::Trailer, (None, None)),
        (ends[0], Damage::Payload, key(b"large")),
        (HEADER_LEN, Damage::Payload, key(b"a")),
    ];
    let named = |place: &simd_r_drive::DamagedPlace| {
        (place.offset(), place.what, (place.key.clone(), place.key_hash))
    };
    assert_eq!(report.damaged.iter().map(named).collect::<Vec<_>>(), expected);
    assert_eq!(report.damaged[1].range, ends[1]..ends[2]);
    assert_eq!(report.payload_bytes, 5 + large.len() as u64 + 5 + 4);
    assert_eq!(report.live_keys, 3);
}

#[test]
fn the_end_that_a_file_has_lost_is_named() {
    let (_directory, path) = new_path();
    build(&path);
    let len = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 100).unwrap();
    let report = verify(&path);
    let lost = report.damaged.iter().find(|place| place.range.end == len);
    assert!(lost.is_some_and(|place| place.offset() < len - 100), "{:?}", report.damaged);
}

fn zero_pages(path: &Path, pages: &[u64]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    for page in pages {
        file.write_all_at(&[0; PAGE as usize], page * PAGE).unwrap();
    }
}

fn damaged_pages(path: &Path) -> Vec<u64> {
    let report = verify(path);
    report.damaged.iter().map(|place| place.offset() / PAGE).collect()
}

/// The command said "no damage". What it says now, that checkpoints and closing write the pages
/// anew, is so.
#[test]
fn lost_hint_pages_are_named_until_written_anew() {
    for (pages, writes) in [(&[1][..], 1), (&[2], 1), (&[3], 1), (&[1, 3], 1), (&[1, 2, 3], 2)] {
        let (_directory, path) = new_path();
        build(&path);
        zero_pages(&path, pages);
        assert_eq!(damaged_pages(&path), pages);
        for number in 0..writes {
            let store = DataStore::open(&path).unwrap();
            assert!(!store.verify().unwrap().is_sound());
            store.write(b"another", &[number]).unwrap();
            store.close().unwrap();
        }
        assert_sound(&verify(&path));
    }
    let (_directory, path) = new_path();
    build(&path);
    zero_pages(&path, &[2]);
    let store = DataStore::open(&path).unwrap();
    store.write(b"another", b"value").unwrap();
    store.checkpoint().unwrap();
    assert_sound(&store.verify().unwrap());
}

/// What it says of the first page: nothing writes it anew, but a backup and a compacted file have
/// one of their own.
#[test]
fn a_lost_first_page_is_named_until_it_is_copied() {
    let (directory, path) = new_path();
    build(&path);
    zero_pages(&path, &[0]);
    let store = DataStore::open(&path).unwrap();
    store.write(b"another", b"value").unwrap();
    store.checkpoint().unwrap();
    let report = store.verify().unwrap();
    let [place] = &*report.damaged else { panic!("{:?}", report.damaged) };
    assert_eq!((place.offset(), place.what), (0, Damage::Identity));
    let copy = directory.path().join("backup.srd");
    store.backup(&copy).unwrap();
    assert_sound(&verify(&copy));
    store.compact().unwrap();
    assert_sound(&store.verify().unwrap());
}

#[test]
fn an_index_that_cannot_be_used_is_named() {
    let (_directory, path) = new_path();
    build(&path);
    let sound = fs::read(&path).unwrap();
    let at = sound.windows(7).position(|bytes| bytes == b"SRDINDX").unwrap();
    let mut bytes = sound.clone();
    bytes[at..at + 128].fill(0);
    fs::write(&path, &bytes).unwrap();
    for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
        let report = options.open(&path).unwrap().verify().unwrap();
        let [place] = &*report.damaged else { panic!("{:?}", report.damaged) };
        assert_eq!(place.what, Damage::Index);
        assert_eq!((report.live_keys, report.dead_slots), (7, 3));
    }
}

/// A crafted slot says that its payload has checks of its own, and has a CRC-32 nevertheless.
/// Verified reads refuse it, but `verify` once reported nothing.
#[test]
fn what_a_verified_read_refuses_is_named() {
    let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
    let identity = Identity::new(seeds, Alignment::DEFAULT, 0, 0);
    let layout = identity.layout();
    let mut bytes = identity.encode().to_vec();
    bytes.resize(HEADER_LEN as usize + 64, 0);
    let fields = Trailer {
        payload_len: 5,
        key_len: 3,
        previous_end: 0,
        kind: Kind::Value,
        flags: Flags::COMMIT.with(Flags::OPAQUE),
        written_at: 0,
        payload_crc: 1,
    };
    let (at, end) = (bytes.len() - METADATA_SIZE - 3, bytes.len() as u64);
    layout.seal_into(&mut bytes[at..], b"key", fields, end, layout.root()).unwrap();
    let (_directory, path) = new_path();
    fs::write(&path, bytes).unwrap();

    let options = OpenOptions::new().read_only(true).verify_reads(true);
    assert!(options.open(&path).unwrap().read(b"key").is_err());
    let report = verify(&path);
    let place = report.damaged.iter().find(|place| place.what == Damage::Payload).unwrap();
    assert_eq!((place.offset(), place.key.as_deref()), (HEADER_LEN, Some(&b"key"[..])));
}

#[test]
fn a_writer_does_not_look_like_damage() {
    let (_directory, path) = new_path();
    build(&path);
    let store = Arc::new(DataStore::open(&path).unwrap());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..u64::MAX {
                store.write(&(number % 500).to_le_bytes(), &[1; 300]).unwrap();
                if number % 1000 == 0 {
                    store.checkpoint().unwrap();
                }
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        for _ in 0..30 {
            assert_sound(&store.verify().unwrap());
            assert_sound(&verify(&path));
        }
        is_over.store(true, Ordering::Relaxed);
        writer.join().unwrap();
    });
}

#[test]
fn the_callback_is_told_the_progress_and_can_end_it() {
    let (_directory, store) = new_store();
    for number in 0..10_u8 {
        store.write(&[number], &vec![number; 1 << 20]).unwrap();
    }
    store.checkpoint().unwrap();
    let mut told = Vec::new();
    let report = store.verify_with(|progress| {
        told.push((progress.done_bytes, progress.total_bytes));
        ControlFlow::Continue(())
    });
    assert_sound(&report.unwrap());
    assert!(told.len() >= 10 && told.is_sorted(), "{told:?}");
    let (done, total) = *told.last().unwrap();
    assert_eq!(done, total);
    let error = store.verify_with(|_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
}

/// What a medium cannot deliver is not damage.
#[test]
fn an_error_of_the_medium_is_passed_on() {
    let (_directory, path) = new_path();
    build(&path);
    let fails = Arc::new(AtomicBool::new(false));
    let hook = {
        let fails = Arc::clone(&fails);
        move |call| match call {
            Call::ReadAt(_) if fails.load(Ordering::Relaxed) => {
                Err(io::Error::from_raw_os_error(libc::EIO))
            }
            _ => Ok(true),
        }
    };
    let store = OpenOptions::new().file_system(Hooked::new(hook)).open(&path).unwrap();
    fails.store(true, Ordering::Relaxed);
    assert_eq!(store.verify().unwrap_err().raw_os_error(), Some(libc::EIO));
    fails.store(false, Ordering::Relaxed);
    assert_sound(&store.verify().unwrap());
}
