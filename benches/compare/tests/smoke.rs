//! Every store answers as a `BTreeMap` does, so that no row measures a wrong answer.

use std::collections::BTreeMap;
use std::path::Path;

use simd_r_drive_compare::data::{Random, Values, key};
use simd_r_drive_compare::store::{Kind, Reader, Result, Store, Unsupported, Workload};
use simd_r_drive_compare::stores::{Visit, profiles, with_store};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const KEYS: u64 = 300;

struct Checked<S> {
    store: S,
    model: Model,
}

/// What a store cannot do is no answer.
fn if_supported(outcome: Result<()>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(error) if error.downcast_ref::<Unsupported>().is_some() => false,
        Err(error) => panic!("{error}"),
    }
}

impl<S: Store> Checked<S> {
    fn put(&mut self, number: u64, version: u64, len: usize) {
        let value = Values::new(len).of(number, version).to_vec();
        self.store.put(&key(number), &value).unwrap();
        self.model.insert(key(number).to_vec(), value);
    }

    fn put_batch(&mut self, numbers: impl Iterator<Item = u64>, version: u64, len: usize) {
        let entries: Vec<_> = numbers
            .map(|number| (key(number).to_vec(), Values::new(len).of(number, version).to_vec()))
            .collect();
        let lent: Vec<(&[u8], &[u8])> = entries.iter().map(|(k, v)| (&k[..], &v[..])).collect();
        self.store.put_batch(&lent).unwrap();
        self.model.extend(entries);
    }

    fn delete(&mut self, number: u64) {
        if if_supported(self.store.delete(&key(number))) {
            self.model.remove(&key(number)[..]);
        }
    }

    /// By every way of reading.
    fn check(&self, what: &str) {
        let name = S::PROFILE.name;
        // Half of them were never written.
        let keys: Vec<_> = (0..2 * KEYS).map(key).collect();
        self.store
            .view(|mut reader| {
                for key in &keys {
                    let expected = self.model.get(&key[..]).map(Vec::as_slice);
                    reader.find(key, |found| assert_eq!(found, expected, "{name}, {what}"))?;
                }
                Ok(())
            })
            .unwrap();
        for key in &keys {
            let expected = self.model.get(&key[..]).map(Vec::as_slice);
            self.store.get(key, |found| assert_eq!(found, expected, "{name}, {what}")).unwrap();
            assert_eq!(self.store.contains(key).unwrap(), expected.is_some(), "{name}, {what}");
        }
        let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let mut seen = vec![0; asked.len()];
        self.store
            .get_batch(&asked, |place, found| {
                assert_eq!(
                    found,
                    self.model.get(asked[place]).map(Vec::as_slice),
                    "{name}, {what}"
                );
                seen[place] += 1;
            })
            .unwrap();
        assert!(seen.iter().all(|times| *times == 1), "{name}, {what}");
        let mut scanned = Vec::new();
        self.store.scan(|value| scanned.push(value.to_vec())).unwrap();
        let mut expected: Vec<_> = self.model.values().cloned().collect();
        scanned.sort_unstable();
        expected.sort_unstable();
        assert!(scanned == expected, "{name}, {what}: a scan sees something else");
    }
}

struct Smoke<'a>(&'a Path);

impl Visit for Smoke<'_> {
    type Output = ();

    fn visit<S: Store>(self) {
        let store = S::open(self.0, Workload::relaxed(350)).unwrap();
        let mut checked = Checked { store, model: Model::new() };
        checked.check("empty");
        for number in 0..50 {
            checked.put(number, 0, 8 + number as usize);
        }
        checked.put_batch(40..KEYS, 1, 100);
        checked.check("written");
        for number in Random::below(KEYS, 1).take(100) {
            checked.put(number, 2, 300);
        }
        checked.delete(7);
        checked.delete(7);
        checked.delete(150);
        checked.check("overwritten and deleted");
        checked.put(7, 3, 8);
        checked.store.settle().unwrap();
        checked.check("settled");
        if_supported(checked.store.sync());
        if if_supported(checked.store.compact()) {
            checked.check("compacted");
        }
    }
}

#[test]
fn every_store_answers_as_a_map_does() {
    for profile in profiles() {
        let directory = tempfile::tempdir().unwrap();
        with_store(profile.name, Smoke(directory.path())).unwrap();
    }
}

struct Durable<'a>(&'a Path);

impl Visit for Durable<'_> {
    type Output = ();

    fn visit<S: Store>(self) {
        let store = S::open(self.0, Workload::durable(16)).unwrap();
        if if_supported(store.put_durably(&key(1), b"value of it")) {
            store.get(&key(1), |found| assert_eq!(found, Some(&b"value of it"[..]))).unwrap();
        }
    }
}

#[test]
fn durable_writes_are_there() {
    for profile in profiles() {
        let directory = tempfile::tempdir().unwrap();
        with_store(profile.name, Durable(directory.path())).unwrap();
    }
}

#[test]
fn one_store_is_ours_and_names_are_unique() {
    let profiles = profiles();
    assert_eq!(profiles.iter().filter(|profile| profile.kind == Kind::Ours).count(), 1);
    let mut names: Vec<_> = profiles.iter().map(|profile| profile.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), profiles.len());
    assert!(with_store("no such store", Smoke(Path::new("/"))).is_none());
}
