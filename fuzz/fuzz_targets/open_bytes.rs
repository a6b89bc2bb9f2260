//! Any file is either opened, or refused and left as it is. A store that opens can be read, written
//! and reopened.
//!
//! The first byte chooses what the rest is: a file; a log, which gets a sound header; or a recipe
//! for a small store with false but correctly sealed contents (see [`simd_r_drive_fuzz::image`]).

#![no_main]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, FormatError, OpenOptions, StoreError, WriteError, repair};
use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Alignment, Identity};
use simd_r_drive_fuzz::image::{self, Image};
use simd_r_drive_fuzz::scratch;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((mode, rest)) = data.split_first() else { return Corpus::Reject };
    let bytes = match mode % 4 {
        0 => rest.to_vec(),
        1 => behind_header(rest),
        _ => match Image::arbitrary_take_rest(Unstructured::new(rest)) {
            Ok(image) => image.build(),
            Err(_) => return Corpus::Reject,
        },
    };
    check(&bytes, mode & 128 != 0);
    Corpus::Keep
});

/// A header without a durable point other than its own end, followed by `log`.
fn behind_header(log: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4 * PAGE_SIZE];
    bytes[..PAGE_SIZE].copy_from_slice(&image::identity(Alignment::DEFAULT).encode());
    bytes.extend(log);
    bytes
}

fn check(bytes: &[u8], verify_reads: bool) {
    let directory = scratch::directory();
    let path = directory.path().join("store");
    std::fs::write(&path, bytes).expect("the directory is writable");
    let before = scratch::contents(directory.path());
    let unchanged = |when: &str| {
        assert!(scratch::contents(directory.path()) == before, "{when} changed a file");
    };
    let options = OpenOptions::new().verify_reads(verify_reads);

    let read_only = options.clone().read_only(true).open(&path);
    unchanged("a read-only open");
    let first = read_only.as_ref().map(read_all);
    unchanged("reading");

    let writable = options.open(&path);
    let Ok(store) = writable else {
        let error = writable.expect_err("not open");
        assert_typed(&error);
        unchanged("a refused open_existing");
        if let Ok(reader) = &read_only {
            // A damaged store may be readable but not writable, and so may one with newer features.
            let is_newer = Identity::decode(bytes)
                .ok()
                .flatten()
                .is_some_and(|identity| identity.read_only_compatible_features != 0);
            let is_damaged = !reader.recovery_report().damaged.is_empty();
            assert!(is_damaged || is_newer, "open for reading, but not for writing: {error}");
            salvage(&path, directory.path());
            unchanged("salvaging");
        }
        refused_or_created(&path, bytes);
        return;
    };
    let first = match first {
        Ok(first) => first,
        Err(error) => panic!("open for writing, but not for reading: {error}"),
    };
    assert_eq!(read_all(&store), first, "reading and writing opens differ");
    // Until here, the file was open for reading, too, as it may be in another program.
    drop(read_only);

    // A store that opens accepts a write, and keeps it and everything else.
    let key = b"written by the fuzzer";
    store.write(key, b"value").expect("an open store takes a write");
    let second = read_all(&store);
    store.close().expect("a store on a sound disk closes");
    drop(store);
    let store = options.open(&path).expect("what was closed opens again");
    assert!(store.recovery_report().was_clean, "{:?}", store.recovery_report());
    assert_eq!(&*store.read(key).expect("readable").expect("just written"), b"value");
    if let (Some(second), Some(reopened)) = (second, read_all(&store)) {
        assert_eq!(reopened, second, "reopening changed the contents");
    }
}

/// Checks that what is left of a damaged store can be read, and can be repaired into a sound store.
fn salvage(path: &Path, directory: &Path) {
    let options = OpenOptions::new().read_only(true).salvage(true);
    let Ok(store) = options.open(path) else { return };
    let entries = store.iter_entries().filter(|entry| !entry.is_empty()).count();
    assert!(entries <= store.len().expect("counted"));
    let target = directory.join("repaired");
    if repair(path, &target).map_err(|error| assert_typed(&error)).is_ok() {
        let repaired = OpenOptions::new().open(&target).expect("a repaired store opens");
        assert!(read_all(&repaired).is_some(), "a repaired store is damaged");
        drop(repaired);
        std::fs::remove_file(&target).expect("removed");
    }
}

/// The newest value of every chain, with its key and hash, in the order of iteration.
type Contents = Vec<(Option<Vec<u8>>, u64, Vec<u8>)>;

/// Reads everything that can be read; `None` if some of it is damaged.
fn read_all(store: &DataStore) -> Option<Contents> {
    let mut iterator = store.iter_entries();
    let mut contents = Contents::new();
    let mut newest = BTreeMap::new();
    for entry in iterator.by_ref() {
        assert_eq!(entry.as_ptr().addr() % 64, 0, "payload not aligned");
        let key = entry.key().map(<[u8]>::to_vec);
        newest.entry((key.clone(), entry.key_hash())).or_insert_with(|| entry.to_vec());
        contents.push((key, entry.key_hash(), entry.to_vec()));
        let _ = (entry.written_at(), entry.previous_version_end(), entry.is_valid_checksum());
    }
    assert_eq!(newest.len(), contents.len(), "iteration shows a key twice");
    let is_whole = iterator.finish().map_err(|error| assert_typed(&error)).is_ok()
        && store.recovery_report().damaged.is_empty();
    if is_whole {
        assert_eq!(store.len().expect("counted"), contents.len(), "len and iteration differ");
    }
    let listed: io::Result<Vec<_>> = store.keys().collect();
    match listed.map_err(|error| assert_typed(&error)) {
        Ok(listed) if is_whole => {
            assert_eq!(listed.len(), contents.len(), "listing and iteration differ");
        }
        _ => {}
    }
    let report = store.verify().expect("a sound disk is read");
    assert!(is_whole || !report.is_sound(), "what ends an iteration is no damage");
    for (key, hash, payload) in &contents {
        match key {
            Some(key) => match store.read(key) {
                // Iteration may show an older version whose newer one has been lost, so the two may
                // differ.
                Ok(entry) if !is_whole => drop(entry),
                Ok(entry) => assert_eq!(&*entry.expect("iteration shows it"), &**payload),
                Err(error) => assert_typed(&error),
            },
            None => match store.read_with_key_hash(*hash) {
                Ok(entry) if !is_whole => drop(entry),
                Ok(entry) => drop(entry.expect("iteration shows it")),
                Err(error) => assert_typed(&error),
            },
        }
    }
    let hashes: Vec<_> = contents.iter().map(|(_, hash, _)| *hash).collect();
    if let Ok(entries) = store.batch_read_hashed_keys(&hashes, None)
        && is_whole
    {
        assert!(entries.iter().all(Option::is_some), "a batch misses a key");
    }
    let _ = (store.read_last_entry(), store.stats(), store.read(b"absent"));
    is_whole.then_some(contents)
}

/// Checks that `DataStore::open` refuses what `open_existing` refuses, except that it turns an
/// empty file into a store.
fn refused_or_created(path: &Path, bytes: &[u8]) {
    let opened = DataStore::open(path);
    if bytes.iter().all(|byte| *byte == 0) && bytes.len() <= 64 << 10 {
        let store = opened.expect("an empty file becomes a store");
        assert!(store.is_empty().expect("counted"));
        return;
    }
    assert_typed(&opened.expect_err("refused by open_existing"));
    assert!(std::fs::read(path).expect("readable") == bytes, "a refused open changed the file");
}

fn assert_typed(error: &io::Error) {
    let is_typed = error.get_ref().is_some_and(|inner| {
        inner.is::<FormatError>() || inner.is::<StoreError>() || inner.is::<WriteError>()
    });
    assert!(is_typed, "error without a type: {error:?}");
}
