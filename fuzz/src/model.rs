//! A simple model of what a store should hold.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use simd_r_drive::compute_hash;
use simd_r_drive_entry_handle::constants::MAX_KEY_LEN;

/// What identifies a chain: a key or a bare hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chain {
    Keyed(Vec<u8>),
    Bare(u64),
}

impl Chain {
    pub fn hash(&self) -> u64 {
        match self {
            Self::Keyed(key) => compute_hash(key),
            Self::Bare(hash) => *hash,
        }
    }
}

/// A value, with a number that is larger for later writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub sequence: u64,
    pub payload: Vec<u8>,
}

/// The contents of a store.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub chains: BTreeMap<Chain, Value>,
    sequence: u64,
}

/// The outcome that an operation should have: success, or an error of this kind and no change.
pub type Outcome = Result<(), ErrorKind>;

impl Model {
    pub fn read(&self, key: &[u8]) -> Option<&Value> {
        self.chains
            .get(&Chain::Keyed(key.to_vec()))
            .or_else(|| self.chains.get(&Chain::Bare(compute_hash(key))))
    }

    pub fn read_hash(&self, hash: u64) -> Option<&Value> {
        self.of_hash(hash).max_by_key(|(_, value)| value.sequence).map(|(_, value)| value)
    }

    fn of_hash(&self, hash: u64) -> impl Iterator<Item = (&Chain, &Value)> {
        self.chains.iter().filter(move |(chain, _)| chain.hash() == hash)
    }

    /// All values, newest first.
    pub fn newest_first(&self) -> Vec<(&Chain, &Value)> {
        let mut all: Vec<_> = self.chains.iter().collect();
        all.sort_by_key(|(_, value)| std::cmp::Reverse(value.sequence));
        all
    }

    fn insert(&mut self, chain: Chain, payload: Vec<u8>) {
        self.sequence += 1;
        self.chains.insert(chain, Value { sequence: self.sequence, payload });
    }

    fn put(&mut self, key: &[u8], payload: &[u8]) {
        self.chains.remove(&Chain::Bare(compute_hash(key)));
        self.insert(Chain::Keyed(key.to_vec()), payload.to_vec());
    }

    /// Applies one commit. The last write of a key wins, and keeps its place in the order.
    pub fn write(&mut self, entries: &[(Vec<u8>, Vec<u8>)]) -> Outcome {
        for (number, (key, _)) in entries.iter().enumerate() {
            let is_last = entries[number + 1..].iter().all(|(later, _)| later != key);
            if is_last && key.len() > MAX_KEY_LEN {
                return Err(ErrorKind::InvalidInput);
            }
        }
        for (number, (key, payload)) in entries.iter().enumerate() {
            if entries[number + 1..].iter().all(|(later, _)| later != key) {
                self.put(key, payload);
            }
        }
        Ok(())
    }

    /// Applies one commit under bare hashes. It is refused if several live keys share a hash.
    pub fn write_hashes(&mut self, entries: &[(u64, Vec<u8>)]) -> Outcome {
        let keyed = |(chain, _): &(&Chain, &Value)| matches!(chain, Chain::Keyed(_));
        if entries.iter().any(|(hash, _)| self.of_hash(*hash).filter(keyed).count() > 1) {
            return Err(ErrorKind::InvalidInput);
        }
        for (number, (hash, payload)) in entries.iter().enumerate() {
            if entries[number + 1..].iter().all(|(later, _)| later != hash) {
                self.delete_hashes(&[*hash]);
                self.insert(Chain::Bare(*hash), payload.clone());
            }
        }
        Ok(())
    }

    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Outcome {
        if old == new {
            return Err(ErrorKind::InvalidInput);
        }
        let Some(value) = self.read(old).cloned() else { return Err(ErrorKind::NotFound) };
        if new.len() > MAX_KEY_LEN {
            return Err(ErrorKind::InvalidInput);
        }
        self.delete(&[old.to_vec()]);
        self.put(new, &value.payload);
        Ok(())
    }

    pub fn delete(&mut self, keys: &[Vec<u8>]) {
        for key in keys {
            self.chains.remove(&Chain::Keyed(key.clone()));
            self.chains.remove(&Chain::Bare(compute_hash(key)));
        }
    }

    pub fn delete_hashes(&mut self, hashes: &[u64]) {
        self.chains.retain(|chain, _| !hashes.contains(&chain.hash()));
    }

    pub fn copy(&self, key: &[u8], target: &mut Self) -> Outcome {
        let value = self.read(key).ok_or(ErrorKind::NotFound)?;
        target.write(&[(key.to_vec(), value.payload.clone())])
    }
}
