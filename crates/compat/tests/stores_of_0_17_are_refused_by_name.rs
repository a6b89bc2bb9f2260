//! Stores that the published crate has written are recognised, refused and not changed.

use std::fs;
use std::path::Path;

use published::traits::{DataStoreReader as _, DataStoreWriter as _};
use simd_r_drive::{DataStore, FormatError, OpenOptions};

/// Writes a store of some shape.
type Fill = fn(&published::DataStore);

/// The store that stands as a fixture in the engine's own tests.
fn write_fixture(path: &Path) {
    let store = published::DataStore::open(path).unwrap();
    store.write(b"k1", b"value1").unwrap();
    store.write(b"k2", b"value22").unwrap();
    store.write(b"k1", b"newer1").unwrap();
    store.batch_write(&[(b"a", &[7; 100]), (b"b", &[8; 64])]).unwrap();
    store.delete(b"k2").unwrap();
    store.write(b"k3", &[9; 300]).unwrap();
}

#[track_caller]
fn assert_refused(path: &Path, what: &str) {
    let before = (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap());
    let attempts = [
        DataStore::open(path),
        DataStore::open_existing(path),
        OpenOptions::new().read_only(true).open(path),
    ];
    for attempt in attempts {
        let error = attempt.map(drop).unwrap_err();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<FormatError>());
        assert!(matches!(inner, Some(FormatError::OlderFormat { .. })), "{what}: {error}");
        assert!(error.to_string().contains("migrate"), "{what}: {error}");
    }
    let after = (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap());
    assert!(before == after, "{what}: the file was changed");
}

#[test]
fn the_fixture_is_what_the_published_crate_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("old.bin");
    write_fixture(&path);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../simd-r-drive/tests/fixtures/published-0.17.5.bin");
    if std::env::var_os("WRITE_FIXTURE").is_some() {
        fs::copy(&path, &fixture).unwrap();
    }
    assert!(fs::read(&path).unwrap() == fs::read(&fixture).unwrap());
    assert_refused(&path, "the fixture");
}

#[test]
fn old_stores_of_every_shape_are_recognised() {
    let directory = tempfile::tempdir().unwrap();
    let shapes: [(&str, Fill); 6] = [
        ("one entry", |store| {
            store.write(b"k", b"v").unwrap();
        }),
        ("one large entry", |store| {
            store.write(b"k", &vec![5; 5 << 20]).unwrap();
        }),
        ("many entries", |store| {
            for number in 1..2000_u32 {
                store.write(&number.to_le_bytes(), &number.to_le_bytes()).unwrap();
            }
        }),
        ("ends in a deletion", |store| {
            store.write(b"k", b"v").unwrap();
            store.write(b"l", b"w").unwrap();
            store.delete(b"k").unwrap();
        }),
        ("only deletions left", |store| {
            store.write(b"k", b"v").unwrap();
            store.delete(b"k").unwrap();
        }),
        ("a stream", |store| {
            store.write_stream(b"s", &mut &vec![1; 100_000][..]).unwrap();
        }),
    ];
    for (name, fill) in shapes {
        let path = directory.path().join(name);
        let store = published::DataStore::open(&path).unwrap();
        fill(&store);
        drop(store);
        assert_refused(&path, name);
        // The published crate still opens it.
        assert!(published::DataStore::open(&path).unwrap().file_size().unwrap() > 0);
    }
}
