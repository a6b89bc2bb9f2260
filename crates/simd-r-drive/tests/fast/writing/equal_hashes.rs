//! Keys with the same XXH3-64: pairs, and 100,000 of them.

use std::time::Duration;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, StoreError, compute_hash};

use crate::errors::typed;
use crate::own_process::took_over;
use crate::support::{keys_of_one_hash, new_path, new_store};

#[test]
fn the_keys_do_have_one_hash() {
    let keys = keys_of_one_hash(100_000);
    let hash = compute_hash(&keys[0]);
    assert!(keys.iter().all(|key| compute_hash(key) == hash));
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len());
}

#[test]
fn a_pair_lives_two_lives() {
    let (_directory, path) = new_path();
    let [one, other] = *keys_of_one_hash(2) else { unreachable!() };
    let store = DataStore::open(&path).unwrap();
    store.write(&one, b"one").unwrap();
    assert!(store.read(&other).unwrap().is_none());
    store.delete(&other).unwrap();
    assert_eq!(store.read(&one).unwrap().unwrap(), b"one".as_slice(), "its twin was deleted");
    store.write(&other, b"other").unwrap();
    let both = |store: &DataStore| {
        let read = store.batch_read(&[&one, &other]).unwrap();
        read.into_iter().map(|entry| entry.map(|entry| entry.to_vec())).collect::<Vec<_>>()
    };
    assert_eq!(both(&store), [Some(b"one".to_vec()), Some(b"other".to_vec())]);
    store.write(&one, b"one again").unwrap();
    assert_eq!(both(&store), [Some(b"one again".to_vec()), Some(b"other".to_vec())]);
    drop(store);
    let store = DataStore::open(&path).unwrap();
    assert_eq!(both(&store), [Some(b"one again".to_vec()), Some(b"other".to_vec())]);
    assert_eq!(store.iter_entries().count(), 2);
    store.batch_write(&[(&one, b"1"), (&other, b"2"), (&one, b"3")]).unwrap();
    assert_eq!(both(&store), [Some(b"3".to_vec()), Some(b"2".to_vec())]);
    store.rename(&one, &other).unwrap();
    assert_eq!(both(&store), [None, Some(b"3".to_vec())]);
    drop(store);
    let store = DataStore::open(&path).unwrap();
    assert_eq!(both(&store), [None, Some(b"3".to_vec())]);
    assert_eq!(store.len().unwrap(), 1);
}

#[test]
fn bare_and_keyed_entries_never_live_side_by_side() {
    let (_directory, store) = new_store();
    let keys = keys_of_one_hash(3);
    let hash = compute_hash(&keys[0]);
    store.write_with_key_hash(hash, b"bare").unwrap();
    assert!(keys.iter().all(|key| store.read(key).unwrap().unwrap() == b"bare".as_slice()));
    store.batch_write(&[(&keys[0], b"0"), (&keys[1], b"1")]).unwrap();
    assert_eq!(store.len().unwrap(), 2);
    assert!(store.read(&keys[2]).unwrap().is_none(), "the bare entry is gone");
    let error = store.write_with_key_hash(hash, b"bare").unwrap_err();
    assert!(matches!(typed(&error), StoreError::AmbiguousHash { keys: 2, .. }));
    store.batch_delete_key_hashes(&[hash]).unwrap();
    assert!(store.is_empty().unwrap());
    store.write_with_key_hash(hash, b"bare").unwrap();
    assert_eq!(store.read(&keys[2]).unwrap().unwrap(), b"bare".as_slice());
}

/// What this process has taken of the processors, which other tests and processes do not lengthen.
#[cfg(unix)]
fn time_used() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

#[cfg(not(unix))]
fn time_used() -> Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap()
}

/// Everything that can be done with `count` keys of one hash; the time it takes.
fn life(count: u64) -> Duration {
    let (_directory, path) = new_path();
    let keys = keys_of_one_hash(count);
    let hash = compute_hash(&keys[0]);
    let value = |number: usize| number.to_le_bytes();
    let started = time_used();
    {
        let store = DataStore::open(&path).unwrap();
        let (singles, batched) = keys.split_at(keys.len() / 2);
        for (number, key) in singles.iter().enumerate() {
            store.write(key, &value(number)).unwrap();
        }
        let values: Vec<_> = (singles.len()..keys.len()).map(value).collect();
        let batch: Vec<(&[u8], &[u8])> =
            batched.iter().zip(&values).map(|(key, value)| (&key[..], &value[..])).collect();
        store.batch_write(&batch).unwrap();
        assert_eq!(store.len().unwrap() as u64, count);
    }
    let store = DataStore::open(&path).unwrap();
    assert_eq!(store.len().unwrap() as u64, count, "reopened");
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(store.read(key).unwrap().unwrap(), value(number).as_slice());
    }
    let slices: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
    for (number, entry) in store.batch_read(&slices).unwrap().into_iter().enumerate() {
        assert_eq!(entry.unwrap(), value(number).as_slice());
    }
    assert_eq!(store.read_with_key_hash(hash).unwrap().unwrap(), value(keys.len() - 1).as_slice());
    // Delete a tenth one by one and a tenth at once, overwrite a tenth, rename a few.
    let tenth = keys.len() / 10;
    for key in &slices[..tenth] {
        store.delete(key).unwrap();
    }
    store.batch_delete(&slices[tenth..2 * tenth]).unwrap();
    for key in &slices[2 * tenth..3 * tenth] {
        store.write(key, b"newer").unwrap();
    }
    for number in 0..100 {
        store.rename(slices[3 * tenth + number], slices[number]).unwrap();
    }
    let check = |store: &DataStore| {
        assert_eq!(store.len().unwrap(), keys.len() - 2 * tenth);
        for (number, key) in slices.iter().enumerate().step_by(7) {
            let entry = store.read(key).unwrap();
            match number {
                _ if number < 100 => {
                    assert_eq!(entry.unwrap(), value(3 * tenth + number).as_slice());
                }
                _ if number < 2 * tenth => assert!(entry.is_none()),
                _ if number < 3 * tenth => assert_eq!(entry.unwrap(), b"newer".as_slice()),
                _ if number < 3 * tenth + 100 => assert!(entry.is_none()),
                _ => assert_eq!(entry.unwrap(), value(number).as_slice()),
            }
        }
    };
    check(&store);
    drop(store);
    let store = DataStore::open(&path).unwrap();
    check(&store);
    assert_eq!(store.iter_entries().count(), keys.len() - 2 * tenth);
    store.batch_delete_key_hashes(&[hash]).unwrap();
    assert!(store.is_empty().unwrap());
    drop(store);
    assert!(DataStore::open(&path).unwrap().is_empty().unwrap());
    time_used() - started
}

#[test]
fn many_keys_of_one_hash_take_near_linear_time() {
    // The time is that of all threads of a process.
    if took_over(many_keys_of_one_hash_take_near_linear_time) {
        return;
    }
    life(1000);
    // Four times the keys: four times the time if it is linear, sixteen times if it is quadratic.
    let (quarter, full) = (life(25_000), life(100_000));
    let ratio = full.as_secs_f64() / quarter.as_secs_f64();
    assert!(ratio < 9.0, "25,000 keys: {quarter:?}, 100,000 keys: {full:?}");
}
