//! Files that are not stores are refused at once, with an error that says what they are, and not
//! changed.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Foreign, FormatError, OpenOptions, compute_hash};

use crate::errors::typed;
use crate::support::{Random, names_in, new_path, state_of, within};

/// Every animal is told at once; this is generous for a machine with other things to do.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A way to open a store, and its name.
type Way = (&'static str, fn(&Path) -> io::Result<DataStore>);

/// The ways to open something.
const WAYS: [Way; 5] = [
    ("open", |path| DataStore::open(path)),
    ("open_existing", |path| DataStore::open_existing(path)),
    ("read_only", |path| OpenOptions::new().read_only(true).open(path)),
    ("create with large pages", |path| {
        OpenOptions::new().create(true).alignment(65_536).open(path)
    }),
    ("verify_reads", |path| OpenOptions::new().verify_reads(true).open(path)),
];

/// Opens `path` in every way; returns the one error that all of them give.
#[track_caller]
fn refusal(path: &Path) -> io::Error {
    let mut first: Option<io::Error> = None;
    for (name, open) in WAYS {
        let owned = path.to_owned();
        let result = within(AT_ONCE, name, move || open(&owned).map(drop));
        let error = result.expect_err(name);
        assert_eq!(error.kind(), typed::<FormatError>(&error).kind());
        if let Some(first) = &first {
            assert_eq!(typed::<FormatError>(first), typed::<FormatError>(&error), "{name}");
        }
        first.get_or_insert(error);
    }
    first.unwrap()
}

/// A closed store's bytes.
fn store_bytes() -> Vec<u8> {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    for number in 0..100_u32 {
        store.write(&number.to_le_bytes(), &[3; 500]).unwrap();
    }
    drop(store);
    fs::read(&path).unwrap()
}

/// A store that claims another format version, with a checksum that fits.
fn with_version(major: u16, minor: u16) -> Vec<u8> {
    let mut bytes = store_bytes();
    bytes[16..18].copy_from_slice(&major.to_le_bytes());
    bytes[18..20].copy_from_slice(&minor.to_le_bytes());
    let check = compute_hash(&bytes[..112]);
    bytes[112..120].copy_from_slice(&check.to_le_bytes());
    bytes
}

/// A PNG of one grey pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
    \0\0\0\nIDATx\x9cch\0\0\0\x82\0\x81\x77\xcd\x72\xb6\0\0\0\0IEND\xaeB`\x82";

/// A zip archive with one stored file, `a`, that holds `a`.
const ZIP: &[u8] = b"PK\x03\x04\x0a\0\0\0\0\0\0\0\0\0\x43\xbe\xb7\xe8\x01\0\0\0\x01\0\0\0\x01\0\0\0aa\
    PK\x01\x02\x0a\0\x0a\0\0\0\0\0\0\0\0\0\x43\xbe\xb7\xe8\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a\
    PK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x20\0\0\0\0\0";

fn sqlite() -> Vec<u8> {
    let mut page = b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20".to_vec();
    page.resize(4096, 0);
    page[100] = 13;
    page
}

#[test]
fn every_foreign_file_is_named_and_left_alone() {
    let foreign = FormatError::not_a_store;
    let elf = fs::read(std::env::current_exe().unwrap()).unwrap();
    let animals: Vec<(&str, Vec<u8>, FormatError)> = vec![
        ("text", "Grüße aus dem Zoo\n".repeat(9000).into(), foreign(Foreign::Text)),
        ("short text", b"x".to_vec(), foreign(Foreign::Text)),
        ("PNG", PNG.to_vec(), foreign(Foreign::Png)),
        ("ELF", elf, foreign(Foreign::Elf)),
        ("SQLite", sqlite(), foreign(Foreign::Sqlite)),
        ("zip", ZIP.to_vec(), foreign(Foreign::Zip)),
        ("zeros", vec![0; 65_537], foreign(Foreign::Zeros)),
        ("many zeros", vec![0; 5 << 20], foreign(Foreign::Zeros)),
        ("0xFF", vec![0xff; 100_000], foreign(Foreign::Ones)),
        ("random", Random(1).bytes(300_000), foreign(Foreign::Unknown)),
        ("random, short", Random(2).bytes(30), foreign(Foreign::Unknown)),
        ("newer version", with_version(2, 0), FormatError::newer_version(2, 0)),
        ("much newer version", with_version(700, 3), FormatError::newer_version(700, 3)),
        (
            "store of 0.17",
            include_bytes!("../../fixtures/published-0.17.5.bin").to_vec(),
            FormatError::older_format(),
        ),
    ];
    let mut messages = BTreeMap::new();
    for (name, bytes, expected) in animals {
        let (directory, path) = new_path();
        fs::write(&path, &bytes).unwrap();
        let before = state_of(&path);
        let error = refusal(&path);
        assert_eq!(*typed::<FormatError>(&error), expected.clone().about(&*path), "{name}");
        let message = error.to_string();
        let message = message.strip_prefix(&format!("{}: ", path.display())).unwrap();
        assert!(state_of(&path) == before, "{name} was changed");
        assert_eq!(names_in(directory.path()), ["store.srd"], "{name}: something was left behind");
        if let Some(other) = messages.insert(message.to_owned(), expected.clone()) {
            assert_eq!(other, expected, "two animals share a message");
        }
    }
    assert_eq!(messages.len(), 11, "{messages:#?}");
}

#[test]
fn a_store_without_its_header_is_no_store() {
    let (directory, path) = new_path();
    fs::write(&path, &store_bytes()[16 << 10..]).unwrap();
    let before = state_of(&path);
    let error = refusal(&path);
    assert!(
        matches!(typed(&error), FormatError::NotAStore { found: Foreign::Headless, .. }),
        "{error}"
    );
    assert!(state_of(&path) == before);
    assert_eq!(names_in(directory.path()), ["store.srd"]);
}

#[test]
fn what_is_no_regular_file_is_named_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { directory.path().join(name) };
    fs::create_dir(path("directory")).unwrap();
    let _listener = UnixListener::bind(path("socket")).unwrap();
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, path("fifo"), kind, mode, 0).unwrap();
    let device = PathBuf::from("/dev/null");
    let animals = [
        (path("directory"), Foreign::Directory),
        (path("socket"), Foreign::Socket),
        (path("fifo"), Foreign::Fifo),
        (device, Foreign::Device),
    ];
    let names = names_in(directory.path());
    let mut messages = Vec::new();
    for (path, kind) in animals {
        let before = fs::symlink_metadata(&path).unwrap();
        let error = refusal(&path);
        let expected = FormatError::not_a_store(kind);
        assert_eq!(*typed::<FormatError>(&error), expected.clone().about(&*path));
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let after = fs::symlink_metadata(&path).unwrap();
        assert_eq!(before.modified().unwrap(), after.modified().unwrap());
        messages.push(error.to_string().replace(&*path.to_string_lossy(), ""));
        // The same through a symbolic link.
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(*typed::<FormatError>(&refusal(&link)), expected.about(&*link));
        fs::remove_file(link).unwrap();
    }
    messages.sort();
    messages.dedup();
    assert_eq!(messages.len(), 4, "{messages:#?}");
    assert_eq!(names_in(directory.path()), names);
}

#[test]
fn what_is_not_there_is_created_by_open_alone() {
    let (directory, path) = new_path();
    for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
        let error = options.open(&path).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
    }
    assert_eq!(DataStore::open_existing(&path).map(drop).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(names_in(directory.path()).is_empty(), "open_existing creates nothing");
    let missing = directory.path().join("missing").join("store.srd");
    assert_eq!(DataStore::open(&missing).map(drop).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(names_in(directory.path()).is_empty());
    DataStore::open(&path).unwrap().write(b"key", b"value").unwrap();
    assert_eq!(names_in(directory.path()), ["store.srd"]);
}

#[test]
fn an_empty_file_becomes_a_store_when_it_may() {
    // Zeros up to the header's length are what an interrupted creation leaves.
    for len in [0, 1, 4096, 16 << 10] {
        let (directory, path) = new_path();
        fs::write(&path, vec![0; len]).unwrap();
        let before = state_of(&path);
        for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
            let error = options.open(&path).map(drop).unwrap_err();
            let expected = if len == 0 { Foreign::Empty } else { Foreign::Zeros };
            let expected = FormatError::not_a_store(expected).about(&*path);
            assert_eq!(*typed::<FormatError>(&error), expected);
            assert!(state_of(&path) == before);
        }
        let store = DataStore::open(&path).unwrap();
        assert!(store.recovery_report().is_new);
        store.write(b"key", b"value").unwrap();
        drop(store);
        let store = DataStore::open_existing(&path).unwrap();
        assert!(!store.recovery_report().is_new);
        assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
        assert_eq!(names_in(directory.path()), ["store.srd"]);
    }
}

/// A dangling link was once tried many times, as if somebody else were creating and removing the
/// file, and the error then said that the path is unstable.
#[cfg(unix)]
#[test]
fn a_link_to_a_file_that_does_not_exist_is_named() {
    let (directory, path) = new_path();
    std::os::unix::fs::symlink(directory.path().join("target.srd"), &path).unwrap();
    let error = DataStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(matches!(typed(&error), simd_r_drive::StoreError::DanglingLink { .. }), "{error}");
    assert_eq!(DataStore::open_existing(&path).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(names_in(directory.path()), ["store.srd"], "nothing was created");
    // As the message advises.
    fs::write(directory.path().join("target.srd"), b"").unwrap();
    assert!(DataStore::open(&path).unwrap().recovery_report().is_new);
}
