//! An error says which of several stores, or which of several keys, it is about.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, FormatError, OpenOptions, StoreError, compute_hash};

use crate::errors::typed;
use crate::support::new_path;

#[track_caller]
fn assert_names(error: &io::Error, path: &Path) {
    let name = path.to_string_lossy();
    assert_eq!(error.to_string().matches(&*name).count(), 1, "{error} does not name {name}");
}

#[test]
fn an_error_of_opening_names_the_path() {
    let (directory, path) = new_path();
    let options = OpenOptions::new();
    let refused = |options: &OpenOptions, path: &Path| options.open(path).map(drop).unwrap_err();

    let error = refused(&options, &path);
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        matches!(typed(&error), StoreError::Io { source, .. } if source.raw_os_error().is_some())
    );
    assert_names(&error, &path);
    let missing = directory.path().join("missing").join("store.srd");
    let error = refused(&options.clone().create(true), &missing);
    assert!(error.to_string().contains("missing"), "{error}");
    let below_file = directory.path().join("file").join("store.srd");
    fs::write(directory.path().join("file"), "text").unwrap();
    let error = refused(&options, &below_file);
    assert!(error.to_string().contains("file"), "{error}");

    let store = DataStore::open(&path).unwrap();
    store.write(b"key", b"value").unwrap();
    let locked = refused(&options, &path);
    assert_eq!(locked.kind(), ErrorKind::ResourceBusy);
    assert_names(&locked, &path);
    store.close().unwrap();
    drop(store);
    assert_names(&refused(&options.clone().create_new(true), &path), &path);

    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 64]).unwrap();
    let truncated = refused(&options, &path);
    assert!(matches!(typed(&truncated), FormatError::Truncated { .. }), "{truncated}");
    assert_names(&truncated, &path);
    let mut bytes = whole.clone();
    bytes[16_384 + 3] ^= 1;
    fs::write(&path, &bytes).unwrap();
    DataStore::open(&path).unwrap();
    for page in bytes.chunks_mut(4096).take(4) {
        page[8..].fill(0xAA);
    }
    fs::write(&path, &bytes).unwrap();
    assert_names(&refused(&options, &path), &path);
    assert_names(&refused(&options, directory.path()), directory.path());
}

#[test]
fn an_error_of_a_read_names_the_key_or_its_hash() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"sound", &[1; 500]).unwrap();
    let end = store.write(b"damaged", &[2; 500]).unwrap() as usize;
    store.write_with_key_hash(7, &[3; 500]).unwrap();
    store.close().unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    bytes[end - 200] ^= 1;
    let bare = bytes.windows(500).position(|window| window == [3; 500]).unwrap();
    bytes[bare] ^= 1;
    fs::write(&path, bytes).unwrap();

    let store = OpenOptions::new().verify_reads(true).open(&path).unwrap();
    let hash = compute_hash(b"damaged");
    let (key, keys) = (&b"damaged"[..], [&b"sound"[..], b"damaged"]);
    let hashes = keys.map(compute_hash);
    let snapshot = store.snapshot();
    let by_key = [
        store.read(key).unwrap_err(),
        store.batch_read(&keys).unwrap_err(),
        store.batch_read_hashed_keys(&hashes, Some(&keys)).unwrap_err(),
        store.read_metadata(key).unwrap_err(),
        snapshot.read(key).unwrap_err(),
        store.view().get(key).unwrap_err(),
        store.view().get_many(&keys, &mut Vec::new()).unwrap_err(),
        store.history(key).unwrap().next().unwrap().unwrap_err(),
        store.entries().find_map(Result::err).unwrap(),
    ];
    for error in &by_key[..8] {
        let FormatError::Damaged { subject, .. } = typed(error) else { panic!("{error}") };
        assert_eq!(subject.key(), Some(key), "{error}");
        assert!(error.to_string().starts_with("key \"damaged\": "), "{error}");
    }
    let of_iteration = by_key[8].to_string();
    assert!(of_iteration.starts_with("key hash 0x0000000000000007: "), "{of_iteration}");
    let by_hash = [
        store.read_with_key_hash(hash).unwrap_err(),
        store.batch_read_hashed_keys(&hashes, None).unwrap_err(),
        store.view().get_with_key_hash(hash).unwrap_err(),
    ];
    for error in &by_hash {
        let FormatError::Damaged { subject, .. } = typed(error) else { panic!("{error}") };
        assert_eq!(subject.key_hash(), Some(hash), "{error}");
    }
    assert!(store.batch_read(&keys[..1]).unwrap()[0].is_some());
}
