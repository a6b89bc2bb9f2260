//! The eleven reader methods.

use std::io::ErrorKind;

use simd_r_drive::{StoreError, compute_checksum, compute_hash, compute_hash_batch};

use super::subject::Subject;
use crate::errors::typed;
use crate::support::{keys_of_one_hash, new_path};

pub(crate) fn exists<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    assert!(!store.exists(b"key").unwrap());
    store.write(b"key", b"value").unwrap();
    store.write(b"empty", b"").unwrap();
    store.write(b"", b"the empty key").unwrap();
    assert!(store.exists(b"key").unwrap());
    assert!(store.exists(b"empty").unwrap());
    assert!(store.exists(b"").unwrap());
    assert!(!store.exists(b"kez").unwrap());
    store.delete(b"key").unwrap();
    assert!(!store.exists(b"key").unwrap());
    // Another key of the same hash is another key.
    let [one, other] = *keys_of_one_hash(2) else { unreachable!() };
    store.write(&one, b"one").unwrap();
    assert!(store.exists(&one).unwrap());
    assert!(!store.exists(&other).unwrap());
    // An entry written by hash alone is there for every key of that hash.
    store.write_with_key_hash(compute_hash(b"bare"), b"value").unwrap();
    assert!(store.exists(b"bare").unwrap());
}

pub(crate) fn exists_with_key_hash<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let hash = compute_hash(b"key");
    assert!(!store.exists_with_key_hash(hash).unwrap());
    store.write(b"key", b"value").unwrap();
    assert!(store.exists_with_key_hash(hash).unwrap());
    store.delete(b"key").unwrap();
    assert!(!store.exists_with_key_hash(hash).unwrap());
    for hash in [0, 1, 2, u64::MAX] {
        assert!(!store.exists_with_key_hash(hash).unwrap());
        store.write_with_key_hash(hash, b"").unwrap();
        assert!(store.exists_with_key_hash(hash).unwrap());
    }
    // No key is compared: with two keys of a hash, one of them is enough.
    let keys = keys_of_one_hash(2);
    let hash = compute_hash(&keys[0]);
    store.batch_write(&[(&keys[0], b"a"), (&keys[1], b"b")]).unwrap();
    store.delete(&keys[1]).unwrap();
    assert!(store.exists_with_key_hash(hash).unwrap());
    store.delete(&keys[0]).unwrap();
    assert!(!store.exists_with_key_hash(hash).unwrap());
}

pub(crate) fn read<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    assert!(store.read(b"key").unwrap().is_none());
    store.write(b"key", b"old").unwrap();
    let old = store.read(b"key").unwrap().unwrap();
    store.write(b"key", b"new").unwrap();
    let new = store.read(b"key").unwrap().unwrap();
    assert_eq!(new, b"new".as_slice());
    assert_eq!(old, b"old".as_slice(), "a handle keeps its version");
    assert_eq!(new.key(), Some(b"key".as_slice()));
    assert_eq!(new.key_hash(), compute_hash(b"key"));
    assert_eq!(new.as_ptr().addr() % 64, 0);
    store.delete(b"key").unwrap();
    assert!(store.read(b"key").unwrap().is_none());
    assert_eq!(new, b"new".as_slice(), "also when it is deleted");
    let [one, other] = *keys_of_one_hash(2) else { unreachable!() };
    store.write(&one, b"one").unwrap();
    assert_eq!(store.read(&one).unwrap().unwrap(), b"one".as_slice());
    assert!(store.read(&other).unwrap().is_none());
    store.write_with_key_hash(compute_hash(b"bare"), b"by hash").unwrap();
    let bare = store.read(b"bare").unwrap().unwrap();
    assert_eq!(bare, b"by hash".as_slice());
    assert_eq!(bare.key(), None, "an entry written by hash has no key");
}

pub(crate) fn read_with_key_hash<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let hash = compute_hash(b"key");
    assert!(store.read_with_key_hash(hash).unwrap().is_none());
    store.write(b"key", b"value").unwrap();
    assert_eq!(store.read_with_key_hash(hash).unwrap().unwrap(), b"value".as_slice());
    for number in 1..100_u64 {
        store.write_with_key_hash(number, &number.to_le_bytes()).unwrap();
    }
    for number in 1..100_u64 {
        let entry = store.read_with_key_hash(number).unwrap().unwrap();
        assert_eq!(entry, number.to_le_bytes().as_slice());
        assert_eq!(entry.key_hash(), number);
    }
    assert!(store.read_with_key_hash(100).unwrap().is_none());
    // Of several keys, the newest live one answers.
    let keys = keys_of_one_hash(3);
    let hash = compute_hash(&keys[0]);
    for (key, value) in keys.iter().zip([b"1", b"2", b"3"]) {
        store.write(key, value).unwrap();
        assert_eq!(store.read_with_key_hash(hash).unwrap().unwrap(), value.as_slice());
    }
    store.delete(&keys[2]).unwrap();
    assert_eq!(store.read_with_key_hash(hash).unwrap().unwrap(), b"2".as_slice());
    store.write(&keys[0], b"newest").unwrap();
    assert_eq!(store.read_with_key_hash(hash).unwrap().unwrap(), b"newest".as_slice());
}

pub(crate) fn read_last_entry<S: Subject>() {
    let (_directory, path) = new_path();
    {
        let store = S::open(&path);
        let last = || store.read_last_entry().unwrap().map(|entry| entry.to_vec());
        assert_eq!(last(), None, "empty");
        store.write(b"a", b"1").unwrap();
        store.write(b"b", b"2").unwrap();
        assert_eq!(last(), Some(b"2".to_vec()));
        store.write(b"a", b"3").unwrap();
        assert_eq!(last(), Some(b"3".to_vec()));
        store.delete(b"a").unwrap();
        assert_eq!(last(), Some(b"2".to_vec()), "never a deletion, nor what it deleted");
    }
    let store = S::open(&path);
    assert_eq!(store.read_last_entry().unwrap().unwrap(), b"2".as_slice(), "reopened");
    store.delete(b"b").unwrap();
    assert!(store.read_last_entry().unwrap().is_none(), "all deleted");
}

pub(crate) fn batch_read<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    assert!(store.batch_read(&[]).unwrap().is_empty());
    let [one, other] = *keys_of_one_hash(2) else { unreachable!() };
    store.batch_write(&[(b"a", b"1"), (b"b", b""), (&one, b"one")]).unwrap();
    store.write_with_key_hash(compute_hash(b"bare"), b"bare").unwrap();
    store.write(b"gone", b"x").unwrap();
    store.delete(b"gone").unwrap();
    let keys: [&[u8]; 8] = [b"b", b"none", b"a", b"gone", b"a", &other, &one, b"bare"];
    let values: Vec<Option<Vec<u8>>> = store
        .batch_read(&keys)
        .unwrap()
        .into_iter()
        .map(|entry| entry.map(|entry| entry.to_vec()))
        .collect();
    let expected: [Option<&[u8]>; 8] =
        [Some(b""), None, Some(b"1"), None, Some(b"1"), None, Some(b"one"), Some(b"bare")];
    assert_eq!(values, expected.map(|value| value.map(<[u8]>::to_vec)));
}

pub(crate) fn batch_read_hashed_keys<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let [one, other] = *keys_of_one_hash(2) else { unreachable!() };
    store.batch_write(&[(b"a", b"1"), (b"b", b"2"), (&one, b"one")]).unwrap();
    let keys: [&[u8]; 3] = [b"b", b"a", &other];
    let hashes = compute_hash_batch(&keys);
    let verified = store.batch_read_hashed_keys(&hashes, Some(&keys)).unwrap();
    assert_eq!(*verified[0].as_ref().unwrap(), b"2".as_slice());
    assert_eq!(*verified[1].as_ref().unwrap(), b"1".as_slice());
    assert!(verified[2].is_none(), "the key is compared");
    let by_hash = store.batch_read_hashed_keys(&hashes, None).unwrap();
    assert_eq!(*by_hash[2].as_ref().unwrap(), b"one".as_slice(), "the key is not compared");
    // The hash given counts, not the one that the key has.
    let wrong = store.batch_read_hashed_keys(&[compute_hash(b"a")], Some(&[b"b"])).unwrap();
    assert!(wrong[0].is_none());
    let error = store.batch_read_hashed_keys(&hashes, Some(&keys[..2])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(matches!(typed(&error), StoreError::LengthMismatch { hashes: 3, keys: 2 }));
    assert_eq!(store.batch_read_hashed_keys(&[], Some(&[])).unwrap().len(), 0);
    assert!(store.batch_read_hashed_keys(&[1, 2], None).unwrap().iter().all(Option::is_none));
}

pub(crate) fn read_metadata<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    assert!(store.read_metadata(b"key").unwrap().is_none());
    store.write(b"other", b"something").unwrap();
    let tail = store.file_size().unwrap();
    store.write(b"key", b"123456789").unwrap();
    let metadata = store.read_metadata(b"key").unwrap().unwrap();
    assert_eq!(metadata.key_hash, compute_hash(b"key"));
    assert_eq!(metadata.prev_offset, tail, "where the slot starts");
    assert_eq!(metadata.checksum, compute_checksum(b"123456789"));
    assert_eq!(metadata.checksum, 0xcbf4_3926_u32.to_le_bytes());
    assert_eq!(metadata, *store.read(b"key").unwrap().unwrap().metadata());
    store.delete(b"key").unwrap();
    assert!(store.read_metadata(b"key").unwrap().is_none());
}

pub(crate) fn len<S: Subject>() {
    let (_directory, path) = new_path();
    let expected = {
        let store = S::open(&path);
        let check = |count: usize| assert_eq!(store.len().unwrap(), count);
        check(0);
        store.batch_write(&[(b"a", b"1"), (b"b", b"2"), (b"a", b"3"), (b"c", b"")]).unwrap();
        check(3);
        store.write(b"a", b"4").unwrap();
        check(3);
        store.delete(b"a").unwrap();
        store.delete(b"a").unwrap();
        store.delete(b"never").unwrap();
        check(2);
        store.write(b"a", b"5").unwrap();
        check(3);
        store.batch_write_with_key_hashes(vec![(1, b"x"), (2, b"y"), (1, b"z")], false).unwrap();
        check(5);
        store.rename(b"b", b"c").unwrap();
        check(4);
        let keys = keys_of_one_hash(10);
        for key in &keys {
            store.write(key, b"value").unwrap();
        }
        check(14);
        store.batch_delete(&[&keys[0], &keys[1], &keys[0]]).unwrap();
        check(12);
        // A bare entry takes the place of the key that has its hash.
        store.write_with_key_hash(compute_hash(b"a"), b"bare").unwrap();
        check(12);
        assert_eq!(store.store().iter_entries().count(), 12);
        12
    };
    let store = S::open(&path);
    assert_eq!(store.len().unwrap(), expected, "reopened");
    assert_eq!(store.store().iter_entries().count(), expected, "reopened");
}

pub(crate) fn is_empty<S: Subject>() {
    let (_directory, path) = new_path();
    {
        let store = S::open(&path);
        assert!(store.is_empty().unwrap());
        store.write(b"key", b"").unwrap();
        assert!(!store.is_empty().unwrap());
        store.delete(b"key").unwrap();
        assert!(store.is_empty().unwrap());
    }
    let store = S::open(&path);
    assert!(store.is_empty().unwrap(), "a store of deleted keys is empty, reopened too");
}

pub(crate) fn file_size<S: Subject>() {
    let (_directory, path) = new_path();
    let store = S::open(&path);
    let empty = store.file_size().unwrap();
    let tail = store.write(b"key", &[7; 1000]).unwrap();
    assert_eq!(store.file_size().unwrap(), tail);
    assert!(tail >= empty + 1000);
    let overwritten = store.write(b"key", b"").unwrap();
    let deleted = store.delete(b"key").unwrap();
    assert!(tail < overwritten && overwritten < deleted, "dead entries count");
    assert_eq!(store.file_size().unwrap(), deleted);
    let stats = store.store().stats();
    assert_eq!(stats.tail, deleted);
    assert_eq!(stats.allocated_bytes, std::fs::metadata(&path).unwrap().len());
    store.store().close().unwrap();
    assert_eq!(store.file_size().unwrap(), std::fs::metadata(&path).unwrap().len());
}
