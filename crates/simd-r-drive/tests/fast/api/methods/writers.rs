//! The twelve writer methods.

use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use simd_r_drive::{FormatError, StoreError, compute_hash};

use super::subject::Subject;
use crate::errors::typed;
use crate::support::{Random, keys_of_one_hash, names_in, new_path};

/// A reader that does something else when its bytes are read.
struct Then<'a, F>(&'a [u8], F);

impl<F: FnMut() -> io::Result<usize>> Read for Then<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() { (self.1)() } else { self.0.read(buffer) }
    }
}

pub(crate) fn write_stream<S: Subject>() {
    let (directory, path) = new_path();
    let store = S::open(&path);
    for len in [0, 1, 65_536, 65_537, 3_000_000] {
        let bytes = Random(7).bytes(len);
        let tail = store.write_stream(b"key", &mut &bytes[..]).unwrap();
        assert_eq!(store.file_size().unwrap(), tail);
        let entry = store.read(b"key").unwrap().unwrap();
        assert!(entry == bytes && entry.is_valid_checksum());
        assert_eq!(entry.as_ptr().addr() % 64, 0);
        assert_eq!(entry.key(), Some(b"key".as_slice()));
    }
    // One zero byte, and many.
    store.write_stream(b"zero", &mut io::repeat(0).take(1)).unwrap();
    assert_eq!(store.read(b"zero").unwrap().unwrap(), [0].as_slice());
    store.write_stream(b"zero", &mut io::repeat(0).take(100_000)).unwrap();
    assert_eq!(store.read(b"zero").unwrap().unwrap(), vec![0; 100_000]);
    let before = (store.file_size().unwrap(), store.len().unwrap());
    // An error of the reader, early or late, small or larger than any buffer, is the caller's.
    for len in [0, 10, 3_000_000] {
        let bytes = vec![1; len];
        let mut fails = Then(&bytes, || Err(ErrorKind::ConnectionReset.into()));
        let error = store.write_stream(b"key", &mut fails).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    // So is its panic.
    let panics = catch_unwind(AssertUnwindSafe(|| {
        store.write_stream(b"key", &mut Then(b"some", || panic!("the reader's own")))
    }));
    assert!(panics.is_err());
    assert_eq!((store.file_size().unwrap(), store.len().unwrap()), before, "no trace");
    assert_eq!(names_in(directory.path()), ["store.srd"], "nor beside the store");
    // `Interrupted` is no error.
    let mut interruptions = 3;
    let mut interrupted = Then(b"whole", || {
        interruptions -= 1;
        if interruptions > 0 { Err(ErrorKind::Interrupted.into()) } else { Ok(0) }
    });
    store.write_stream(b"key", &mut interrupted).unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"whole".as_slice());
    let long = vec![0; 65_536];
    let error = store.write_stream(&long, &mut &b"value"[..]).unwrap_err();
    assert!(matches!(typed(&error), FormatError::KeyTooLong { len: 65_536, max: 65_535 }));
    store.write_stream(b"next", &mut &b"value"[..]).unwrap();
    drop(store);
    let store = S::open(&path);
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"whole".as_slice());
    assert_eq!(store.len().unwrap(), 3);
}

pub(crate) fn write_stream_with_key_hash<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let big = Random(3).bytes(2_000_000);
    let tail = store.write_stream_with_key_hash(9, &mut &big[..]).unwrap();
    assert_eq!(store.file_size().unwrap(), tail);
    assert_eq!(store.read_with_key_hash(9).unwrap().unwrap(), big);
    store.write_stream_with_key_hash(compute_hash(b"key"), &mut &b"by hash"[..]).unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"by hash".as_slice());
    // It takes the place of the one key that has the hash, and is refused where several have it.
    store.write(b"key", b"by key").unwrap();
    store.write_stream_with_key_hash(compute_hash(b"key"), &mut &b"again"[..]).unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"again".as_slice());
    assert_eq!(store.len().unwrap(), 2);
    let keys = keys_of_one_hash(2);
    store.batch_write(&[(&keys[0], b"0"), (&keys[1], b"1")]).unwrap();
    let tail = store.file_size().unwrap();
    let error =
        store.write_stream_with_key_hash(compute_hash(&keys[0]), &mut &b"x"[..]).unwrap_err();
    assert!(matches!(typed(&error), StoreError::AmbiguousHash { keys: 2, .. }));
    let mut fails = Then(b"some", || Err(ErrorKind::TimedOut.into()));
    let error = store.write_stream_with_key_hash(10, &mut fails).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(store.file_size().unwrap(), tail);
    assert!(!store.exists_with_key_hash(10).unwrap());
    store.write_stream_with_key_hash(10, &mut io::empty()).unwrap();
    assert_eq!(store.read_with_key_hash(10).unwrap().unwrap(), b"".as_slice());
}

pub(crate) fn write<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let tail = store.write(b"key", b"one").unwrap();
    assert_eq!(store.file_size().unwrap(), tail);
    assert_eq!(store.read(b"key").unwrap().unwrap().slot_end(), tail);
    assert!(store.write(b"key", b"two").unwrap() > tail);
    for value in [&b""[..], &[0], &[0; 100]] {
        store.write(b"zeros", value).unwrap();
        assert_eq!(store.read(b"zeros").unwrap().unwrap(), value, "every value is a value");
    }
    let keys = keys_of_one_hash(2);
    store.write(&keys[0], b"first").unwrap();
    store.write(&keys[1], b"second").unwrap();
    store.write(&keys[0], b"first again").unwrap();
    drop(store);
    let store = S::open(&path);
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"two".as_slice());
    assert_eq!(store.read(b"zeros").unwrap().unwrap(), vec![0; 100]);
    assert_eq!(store.read(&keys[0]).unwrap().unwrap(), b"first again".as_slice());
    assert_eq!(store.read(&keys[1]).unwrap().unwrap(), b"second".as_slice());
}

pub(crate) fn write_with_key_hash<S: Subject>() {
    let (_directory, path) = new_path();
    let hash = compute_hash(b"key");
    {
        let store = S::open(&path);
        let tail = store.write_with_key_hash(hash, b"bare").unwrap();
        assert_eq!(store.file_size().unwrap(), tail);
        assert_eq!(store.read(b"key").unwrap().unwrap(), b"bare".as_slice());
        store.write_with_key_hash(hash, b"bare 2").unwrap();
        // From a write by key on, the key decides, and the bare entry is gone.
        store.write(b"key", b"keyed").unwrap();
        assert_eq!(store.read_with_key_hash(hash).unwrap().unwrap(), b"keyed".as_slice());
        assert_eq!(store.len().unwrap(), 1);
        store.delete(b"key").unwrap();
        assert!(!store.exists_with_key_hash(hash).unwrap(), "the bare entry does not come back");
        store.write(b"key", b"keyed").unwrap();
        store.write_with_key_hash(hash, b"bare 3").unwrap();
        let keys = keys_of_one_hash(2);
        store.batch_write(&[(&keys[0], b"0"), (&keys[1], b"1")]).unwrap();
        let error = store.write_with_key_hash(compute_hash(&keys[0]), b"which?").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(matches!(typed(&error), StoreError::AmbiguousHash { keys: 2, .. }));
        store.delete(&keys[0]).unwrap();
        store.write_with_key_hash(compute_hash(&keys[0]), b"bare").unwrap();
        assert_eq!(store.read(&keys[1]).unwrap().unwrap(), b"bare".as_slice());
        assert_eq!(store.read(&keys[0]).unwrap().unwrap(), b"bare".as_slice());
    }
    let store = S::open(&path);
    assert_eq!(store.len().unwrap(), 2);
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"bare 3".as_slice());
}

pub(crate) fn batch_write<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let tail = store.file_size().unwrap();
    assert_eq!(store.batch_write(&[]).unwrap(), tail, "an empty batch changes nothing");
    let keys = keys_of_one_hash(2);
    let entries: [(&[u8], &[u8]); 6] = [
        (b"a", b"1"),
        (&keys[0], b"first"),
        (b"b", b""),
        (b"a", b"2"),
        (&keys[1], b"second"),
        (&keys[0], b"first, last"),
    ];
    let tail = store.batch_write(&entries).unwrap();
    assert_eq!(store.file_size().unwrap(), tail);
    let check = |store: &S| {
        assert_eq!(store.len().unwrap(), 4);
        assert_eq!(store.read(b"a").unwrap().unwrap(), b"2".as_slice(), "the last one wins");
        assert_eq!(store.read(b"b").unwrap().unwrap(), b"".as_slice());
        assert_eq!(store.read(&keys[0]).unwrap().unwrap(), b"first, last".as_slice());
        assert_eq!(store.read(&keys[1]).unwrap().unwrap(), b"second".as_slice());
    };
    check(&store);
    // One entry that cannot be stored, and nothing is.
    let long = vec![0; 70_000];
    let error = store.batch_write(&[(b"c", b"3"), (&long, b"4"), (b"d", b"5")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(matches!(typed(&error), FormatError::KeyTooLong { len: 70_000, .. }));
    assert_eq!(store.file_size().unwrap(), tail);
    assert!(!store.exists(b"c").unwrap() && !store.exists(b"d").unwrap());
    check(&store);
    drop(store);
    let store = S::open(&path);
    check(&store);
    store.batch_write(&[(b"c", b"3")]).unwrap();
    assert_eq!(store.len().unwrap(), 5);
}

pub(crate) fn batch_write_with_key_hashes<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let tail = store.file_size().unwrap();
    assert_eq!(store.batch_write_with_key_hashes(vec![], false).unwrap(), tail);
    // `allow_null_bytes` makes no difference.
    for allow in [false, true] {
        let entries: Vec<(u64, &[u8])> = vec![(1, b"x"), (2, b""), (3, &[0]), (1, b"last")];
        let tail = store.batch_write_with_key_hashes(entries, allow).unwrap();
        assert_eq!(store.file_size().unwrap(), tail);
        assert_eq!(store.len().unwrap(), 3);
        assert_eq!(store.read_with_key_hash(1).unwrap().unwrap(), b"last".as_slice());
        assert_eq!(store.read_with_key_hash(2).unwrap().unwrap(), b"".as_slice());
        assert_eq!(store.read_with_key_hash(3).unwrap().unwrap(), [0].as_slice());
    }
    // All or nothing, too.
    let keys = keys_of_one_hash(2);
    let hash = compute_hash(&keys[0]);
    store.batch_write(&[(&keys[0], b"0"), (&keys[1], b"1")]).unwrap();
    let tail = store.file_size().unwrap();
    let error = store.batch_write_with_key_hashes(vec![(7, b"7"), (hash, b"8")], true).unwrap_err();
    assert!(matches!(typed(&error), StoreError::AmbiguousHash { keys: 2, .. }));
    assert_eq!(store.file_size().unwrap(), tail);
    assert!(!store.exists_with_key_hash(7).unwrap());
    store.batch_write_with_key_hashes(vec![(7, b"7")], true).unwrap();
    assert_eq!(store.len().unwrap(), 6);
}

pub(crate) fn rename<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    assert_eq!(store.rename(b"none", b"x").unwrap_err().kind(), ErrorKind::NotFound);
    store.write(b"a", b"1").unwrap();
    store.write(b"b", b"2").unwrap();
    let error = store.rename(b"a", b"a").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(matches!(typed(&error), StoreError::SameKey));
    let tail = store.file_size().unwrap();
    let error = store.rename(b"a", &vec![0; 65_536]).unwrap_err();
    assert!(matches!(typed(&error), FormatError::KeyTooLong { .. }));
    assert_eq!(store.file_size().unwrap(), tail);
    assert!(store.exists(b"a").unwrap(), "a refused rename loses nothing");
    let tail = store.rename(b"a", b"b").unwrap();
    assert_eq!(store.file_size().unwrap(), tail);
    assert!(!store.exists(b"a").unwrap());
    assert_eq!(store.read(b"b").unwrap().unwrap(), b"1".as_slice(), "it replaces");
    assert_eq!(store.len().unwrap(), 1);
    assert_eq!(store.rename(b"a", b"c").unwrap_err().kind(), ErrorKind::NotFound);
    // Between keys of one hash, there and back.
    let keys = keys_of_one_hash(2);
    store.write(&keys[0], b"moves").unwrap();
    store.rename(&keys[0], &keys[1]).unwrap();
    assert!(!store.exists(&keys[0]).unwrap());
    assert_eq!(store.read(&keys[1]).unwrap().unwrap(), b"moves".as_slice());
    store.rename(&keys[1], &keys[0]).unwrap();
    assert!(!store.exists(&keys[1]).unwrap());
    // An entry that was written by hash gets a key.
    store.write_with_key_hash(compute_hash(b"bare"), b"by hash").unwrap();
    store.rename(b"bare", b"keyed").unwrap();
    assert!(!store.exists(b"bare").unwrap());
    drop(store);
    let store = S::open(&path);
    assert_eq!(store.len().unwrap(), 3);
    assert_eq!(store.read(&keys[0]).unwrap().unwrap(), b"moves".as_slice());
    assert_eq!(store.read(b"keyed").unwrap().unwrap().key(), Some(b"keyed".as_slice()));
}

pub(crate) fn copy<S: Subject>() {
    let (_directory, path) = new_path();
    let (_other_directory, other_path) = new_path();
    let (store, target) = (S::open(&path), S::open(&other_path));
    assert_eq!(store.copy(b"none", &target).unwrap_err().kind(), ErrorKind::NotFound);
    store.write(b"key", b"value").unwrap();
    target.write(b"key", b"older").unwrap();
    let error = store.copy(b"key", &store).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(matches!(typed(&error), StoreError::SameStore));
    // Programs of 0.17 look for these words.
    assert!(error.to_string().starts_with("Cannot copy entry to the same storage"));
    let source_tail = store.file_size().unwrap();
    let tail = store.copy(b"key", &target).unwrap();
    assert_eq!(tail, target.file_size().unwrap(), "the target's tail");
    assert_eq!(store.file_size().unwrap(), source_tail);
    assert_eq!(target.read(b"key").unwrap().unwrap(), b"value".as_slice());
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    assert_eq!(target.len().unwrap(), 1);
}

pub(crate) fn transfer<S: Subject>() {
    let (_directory, path) = new_path();
    let (_other_directory, other_path) = new_path();
    let (store, target) = (S::open(&path), S::open(&other_path));
    assert_eq!(store.transfer(b"none", &target).unwrap_err().kind(), ErrorKind::NotFound);
    store.write(b"key", b"value").unwrap();
    let error = store.transfer(b"key", &store).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(store.exists(b"key").unwrap());
    let tail = store.transfer(b"key", &target).unwrap();
    assert_eq!(tail, store.file_size().unwrap(), "this store's tail");
    assert!(!store.exists(b"key").unwrap());
    assert_eq!(target.read(b"key").unwrap().unwrap(), b"value".as_slice());
    // A target that cannot take it leaves it here.
    target.store().close().unwrap();
    store.write(b"stays", b"here").unwrap();
    assert!(store.transfer(b"stays", &target).is_err());
    assert_eq!(store.read(b"stays").unwrap().unwrap(), b"here".as_slice());
}

pub(crate) fn delete<S: Subject>() {
    let (_directory, path) = new_path();
    let keys = keys_of_one_hash(2);
    {
        let store = S::open(&path);
        let tail = store.file_size().unwrap();
        assert_eq!(store.delete(b"none").unwrap(), tail, "nothing is appended for nothing");
        store.write(b"key", b"value").unwrap();
        store.batch_write(&[(&keys[0], b"0"), (&keys[1], b"1")]).unwrap();
        let tail = store.delete(b"key").unwrap();
        assert_eq!(store.file_size().unwrap(), tail);
        assert!(!store.exists(b"key").unwrap());
        assert_eq!(store.delete(b"key").unwrap(), tail, "nor a second time");
        store.delete(&keys[0]).unwrap();
        assert_eq!(store.read(&keys[1]).unwrap().unwrap(), b"1".as_slice(), "not its twin");
        // A keyed deletion also removes a bare entry of that hash.
        store.write_with_key_hash(compute_hash(b"bare"), b"x").unwrap();
        store.delete(b"bare").unwrap();
        assert!(!store.exists_with_key_hash(compute_hash(b"bare")).unwrap());
        store.write(b"again", b"1").unwrap();
        store.delete(b"again").unwrap();
        store.write(b"again", b"2").unwrap();
    }
    let store = S::open(&path);
    assert!(!store.exists(b"key").unwrap() && !store.exists(&keys[0]).unwrap(), "reopened");
    assert!(!store.exists(b"bare").unwrap());
    assert_eq!(store.read(b"again").unwrap().unwrap(), b"2".as_slice());
    assert_eq!(store.len().unwrap(), 2);
    let tail = store.file_size().unwrap();
    assert_eq!(store.delete(b"key").unwrap(), tail, "nor after reopening");
}

pub(crate) fn batch_delete<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    store.batch_write(&[(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]).unwrap();
    let tail = store.file_size().unwrap();
    assert_eq!(store.batch_delete(&[]).unwrap(), tail);
    assert_eq!(store.batch_delete(&[b"x", b"y"]).unwrap(), tail, "nothing of it exists");
    let tail = store.batch_delete(&[b"a", b"x", b"c", b"a"]).unwrap();
    assert_eq!(store.file_size().unwrap(), tail);
    assert_eq!(store.len().unwrap(), 1);
    assert!(!store.exists(b"a").unwrap() && !store.exists(b"c").unwrap());
    drop(store);
    let store = S::open(&path);
    assert_eq!(store.read(b"b").unwrap().unwrap(), b"2".as_slice());
    assert_eq!(store.len().unwrap(), 1);
}

pub(crate) fn batch_delete_key_hashes<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let keys = keys_of_one_hash(5);
    for key in &keys {
        store.write(key, b"value").unwrap();
    }
    store.write(b"keyed", b"1").unwrap();
    store.batch_write_with_key_hashes(vec![(1, b"1"), (2, b"2"), (3, b"3")], true).unwrap();
    let tail = store.file_size().unwrap();
    assert_eq!(store.batch_delete_key_hashes(&[]).unwrap(), tail);
    assert_eq!(store.batch_delete_key_hashes(&[4, 5]).unwrap(), tail);
    let hashes = [1, compute_hash(b"keyed"), 3, 77, 1];
    let tail = store.batch_delete_key_hashes(&hashes).unwrap();
    assert_eq!(store.file_size().unwrap(), tail);
    assert!(!store.exists(b"keyed").unwrap(), "keyed or bare");
    assert_eq!(store.len().unwrap(), 6);
    store.batch_delete_key_hashes(&[compute_hash(&keys[0])]).unwrap();
    assert!(keys.iter().all(|key| !store.exists(key).unwrap()), "every key of the hash");
    assert_eq!(store.len().unwrap(), 1);
    drop(store);
    let store = S::open(&path);
    assert_eq!(store.len().unwrap(), 1);
    assert_eq!(store.read_with_key_hash(2).unwrap().unwrap(), b"2".as_slice());
}
