//! `keys` lists what iteration shows, without the values.

use std::fs;
use std::time::{Duration, SystemTime};

use simd_r_drive::traits::DataStoreWriter;
use simd_r_drive::{DataStore, EntryHandle, FormatError, KeyInfo, Keys, OpenOptions, compute_hash};

use crate::errors::typed;
use crate::support::{Random, keys_of_one_hash, new_path, new_store};

const BARE: u64 = 5;

/// What `keys` should say of an entry.
fn expected(entry: &EntryHandle) -> (Option<Vec<u8>>, u64, u64, SystemTime) {
    let key = entry.key().map(<[u8]>::to_vec);
    (key, entry.key_hash(), entry.len() as u64, entry.written_at().unwrap())
}

fn listed(keys: Keys) -> Vec<(Option<Vec<u8>>, u64, u64, SystemTime)> {
    keys.map(|info| {
        let KeyInfo { key, key_hash, value_len, written_at, .. } = info.unwrap();
        (key, key_hash, value_len, written_at)
    })
    .collect()
}

fn assert_lists_what_is_there(store: &DataStore, what: &str) {
    let entries: Vec<_> = store.entries().map(|entry| expected(&entry.unwrap())).collect();
    assert_eq!(listed(store.keys()), entries, "{what}");
    for (key, hash, len, time) in &entries {
        let Some(key) = key else { continue };
        let info = store.key_info(key).unwrap().unwrap();
        assert_eq!(info, store.snapshot().key_info(key).unwrap().unwrap(), "{what}");
        let KeyInfo { key_hash, value_len, written_at, .. } = info;
        assert_eq!((info.key.as_ref(), key_hash), (Some(key), *hash), "{what}");
        assert_eq!((value_len, written_at), (*len, *time), "{what}");
    }
    assert_eq!(store.key_info(b"no such key").unwrap(), None, "{what}");
    for prefix in [&b"a"[..], b"ab", b"zz", &[0xb8]] {
        let with_prefix = |(key, ..): &&(Option<Vec<u8>>, _, _, _)| {
            key.as_ref().is_some_and(|key| key.starts_with(prefix))
        };
        let some: Vec<_> = entries.iter().filter(with_prefix).cloned().collect();
        assert_eq!(listed(store.keys_with_prefix(prefix)), some, "{what}, {prefix:?}");
    }
}

#[test]
fn keys_are_those_of_iteration_whatever_was_written() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    assert_eq!(store.keys().count(), 0);
    let mut random = Random(7);
    for number in 0..4000_u64 {
        let key = match random.below(4) {
            0 => format!("a{}", random.below(50)),
            1 => format!("ab{}", random.below(50)),
            _ => format!("other {}", random.below(2000)),
        };
        // Now and then a value that is passed over.
        let len = if number % 100 == 0 { 300_000 } else { random.below(200) as usize };
        store.write(key.as_bytes(), &vec![1; len]).unwrap();
        if number % 7 == 0 {
            store.delete(key.as_bytes()).unwrap();
        }
    }
    for key in keys_of_one_hash(5) {
        store.write(&key, b"of one hash").unwrap();
    }
    store.write_with_key_hash(BARE, b"bare").unwrap();
    assert_lists_what_is_there(&store, "written");
    store.checkpoint().unwrap();
    store.write(b"ab", b"beyond the index").unwrap();
    store.delete(b"a7").unwrap();
    assert_lists_what_is_there(&store, "checkpointed");
    store.close().unwrap();
    drop(store);
    let store = DataStore::open(&path).unwrap();
    assert_lists_what_is_there(&store, "reopened");
    assert_lists_what_is_there(&OpenOptions::new().read_only(true).open(&path).unwrap(), "reader");
    store.compact().unwrap();
    assert_lists_what_is_there(&store, "compacted: all is live");
}

#[test]
fn a_listing_shows_the_moment_when_it_was_begun() {
    let (_directory, store) = new_store();
    store.write(b"a", b"1").unwrap();
    store.write(b"b", b"22").unwrap();
    let (snapshot, keys) = (store.snapshot(), store.keys());
    let started = SystemTime::now();
    store.write(b"a", b"later").unwrap();
    store.delete(b"b").unwrap();
    store.write(b"c", b"later").unwrap();
    store.compact().unwrap();
    for keys in [keys, snapshot.keys()] {
        let keys = listed(keys);
        let names: Vec<_> = keys.iter().map(|(key, hash, len, _)| (key, *hash, *len)).collect();
        let name = |key: &str| Some(key.as_bytes().to_vec());
        assert_eq!(
            names,
            [(&name("b"), compute_hash(b"b"), 2), (&name("a"), compute_hash(b"a"), 1)]
        );
        let slack = Duration::from_secs(60);
        assert!(keys.iter().all(|(.., time)| *time < started + slack && *time > started - slack));
    }
    assert_eq!(listed(snapshot.keys_with_prefix(b"a")).len(), 1);
    assert_eq!(listed(store.keys()).len(), 2);
}

/// What is damaged, or uncertain for it, is an error, and never the end.
#[test]
fn damage_ends_a_listing_with_an_error() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let ends: Vec<u64> = (0..5_u8).map(|n| store.write(&[n], &[n; 100]).unwrap()).collect();
    store.close().unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    bytes[ends[2] as usize - 20] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let store = OpenOptions::new().read_only(true).open(&path).unwrap();
    let mut keys = store.keys();
    let names: Vec<_> = keys.by_ref().map(|info| info.map(|info| info.key.unwrap())).collect();
    let [Ok(newest), Ok(newer), Err(error)] = &*names else { panic!("{names:?}") };
    assert_eq!((&**newest, &**newer), (&[4][..], &[3][..]));
    assert!(matches!(typed(error), FormatError::Damaged { .. }), "{error}");
    assert!(keys.next().is_none());
    let salvage = OpenOptions::new().read_only(true).salvage(true).open(&path).unwrap();
    assert_eq!(listed(salvage.keys()).len(), 4);
}
