//! A model of what a store must hold, without a log or an index.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use simd_r_drive::{EntryHandle, compute_hash};
use simd_r_drive_entry_handle::constants::MAX_KEY_LEN;

use crate::case::{hash, key};
use crate::operation::Operation;

/// What identifies an entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// A key.
    Keyed(Vec<u8>),
    /// A bare hash.
    Bare(u64),
}

impl From<&EntryHandle> for Line {
    fn from(entry: &EntryHandle) -> Self {
        entry.key().map_or_else(|| Self::Bare(entry.key_hash()), |key| Self::Keyed(key.to_vec()))
    }
}

/// Live entries, newest first.
pub type Content = Vec<(Line, Arc<[u8]>)>;

/// The kind of error with which the store must refuse an operation. It must change nothing then.
pub type Refused = io::ErrorKind;

/// The documented behaviour of the traits.
///
/// Under one hash there is either one bare entry, or any number of keyed ones. A write by key
/// replaces a bare entry. A write by hash replaces a keyed entry, but is refused if there are
/// several.
#[derive(Debug, Clone, Default)]
pub struct Model {
    hashes: BTreeMap<u64, UnderHash>,
    /// How many values have been written so far.
    writes: u64,
}

#[derive(Debug, Clone)]
enum UnderHash {
    Bare(Stored),
    Keyed(BTreeMap<Vec<u8>, Stored>),
}

#[derive(Debug, Clone)]
struct Stored {
    value: Arc<[u8]>,
    written: u64,
}

impl Model {
    /// Applies `operation`, or returns the error with which it must be refused. Operations that
    /// write nothing change nothing.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), Refused> {
        match operation {
            Operation::Write(id, value) | Operation::Stream(id, value) => {
                self.write(&[(key(*id), value.bytes())])?;
            }
            // Each write is a commit of its own.
            Operation::Compact(entries) => {
                for (id, value) in entries {
                    self.write(&[(key(*id), value.bytes())])?;
                }
            }
            Operation::WriteHash(id, value) | Operation::StreamHash(id, value) => {
                self.write_hashes(&[(hash(*id), value.bytes())])?;
            }
            Operation::BatchWrite(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(id, value)| (key(*id), value.bytes())).collect();
                self.write(&entries)?;
            }
            Operation::BatchWriteHashes(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(id, value)| (hash(*id), value.bytes())).collect();
                self.write_hashes(&entries)?;
            }
            Operation::FailingStream(..) => return Err(io::ErrorKind::BrokenPipe),
            Operation::TooLongKey(..) => return Err(io::ErrorKind::InvalidInput),
            Operation::Rename(old, new) => self.rename(key(*old), key(*new))?,
            Operation::Delete(id) => self.delete(key(*id)),
            Operation::BatchDelete(ids) => ids.iter().for_each(|id| self.delete(key(*id))),
            Operation::BatchDeleteHashes(ids) => {
                ids.iter().for_each(|id| self.delete_hash(hash(*id)));
            }
            Operation::Sync
            | Operation::Checkpoint
            | Operation::CloseAndReopen
            | Operation::DropAndReopen
            | Operation::KillAndReopen
            | Operation::ReadBeside => {}
        }
        Ok(())
    }

    /// The value that a read of `key` must return.
    pub fn get(&self, key: &[u8]) -> Option<&Arc<[u8]>> {
        self.stored(key).map(|stored| &stored.value)
    }

    /// The number of the write whose value a read of `key` must return.
    pub fn version(&self, key: &[u8]) -> Option<u64> {
        self.stored(key).map(|stored| stored.written)
    }

    fn stored(&self, key: &[u8]) -> Option<&Stored> {
        match self.hashes.get(&compute_hash(key))? {
            UnderHash::Bare(stored) => Some(stored),
            UnderHash::Keyed(keys) => keys.get(key),
        }
    }

    /// The value that a read of `hash` must return: the newest one under it.
    pub fn get_by_hash(&self, hash: u64) -> Option<&Arc<[u8]>> {
        let newest = match self.hashes.get(&hash)? {
            UnderHash::Bare(stored) => Some(stored),
            UnderHash::Keyed(keys) => keys.values().max_by_key(|stored| stored.written),
        };
        newest.map(|stored| &stored.value)
    }

    /// The number of live entries.
    pub fn len(&self) -> usize {
        let lens = self.hashes.values().map(|under| match under {
            UnderHash::Bare(_) => 1,
            UnderHash::Keyed(keys) => keys.len(),
        });
        lens.sum()
    }

    /// Whether there are no live entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All live entries, newest first.
    pub fn content(&self) -> Content {
        let mut entries: Vec<(u64, Line, Arc<[u8]>)> = Vec::new();
        for (hash, under) in &self.hashes {
            match under {
                UnderHash::Bare(stored) => {
                    entries.push((stored.written, Line::Bare(*hash), Arc::clone(&stored.value)));
                }
                UnderHash::Keyed(keys) => entries.extend(keys.iter().map(|(key, stored)| {
                    (stored.written, Line::Keyed(key.clone()), Arc::clone(&stored.value))
                })),
            }
        }
        entries.sort_by_key(|(written, ..)| std::cmp::Reverse(*written));
        entries.into_iter().map(|(_, line, value)| (line, value)).collect()
    }

    /// Writes all entries or none. The last value for a key wins.
    ///
    /// # Errors
    /// `InvalidInput` if a key is too long.
    pub fn write(&mut self, entries: &[(&[u8], Arc<[u8]>)]) -> Result<(), Refused> {
        let last: Vec<_> = last_of_each(entries).collect();
        if last.iter().any(|(key, _)| key.len() > MAX_KEY_LEN) {
            return Err(io::ErrorKind::InvalidInput);
        }
        for (key, value) in last {
            self.put(key, Arc::clone(value));
        }
        Ok(())
    }

    /// Writes all entries under bare hashes, or none. The last value for a hash wins.
    ///
    /// # Errors
    /// `InvalidInput` if several keys have one of the hashes.
    pub fn write_hashes(&mut self, entries: &[(u64, Arc<[u8]>)]) -> Result<(), Refused> {
        for (hash, _) in entries {
            if let Some(UnderHash::Keyed(keys)) = self.hashes.get(hash)
                && keys.len() > 1
            {
                return Err(io::ErrorKind::InvalidInput);
            }
        }
        for (hash, value) in last_of_each(entries) {
            let stored = self.newly_stored(Arc::clone(value));
            self.hashes.insert(*hash, UnderHash::Bare(stored));
        }
        Ok(())
    }

    /// Moves the value of `old` to `new`.
    ///
    /// # Errors
    /// `InvalidInput` if the keys are the same or `new` is too long; `NotFound` if `old` has no
    /// value.
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), Refused> {
        if old == new {
            return Err(io::ErrorKind::InvalidInput);
        }
        let value = self.get(old).map(Arc::clone).ok_or(io::ErrorKind::NotFound)?;
        if new.len() > MAX_KEY_LEN {
            return Err(io::ErrorKind::InvalidInput);
        }
        self.delete(old);
        self.put(new, value);
        Ok(())
    }

    /// Writes what `key` reads to `target`, under the same key.
    ///
    /// # Errors
    /// Nothing is there, or `target` refuses it.
    pub fn copy(&self, key: &[u8], target: &mut Self) -> Result<(), Refused> {
        let value = self.get(key).ok_or(io::ErrorKind::NotFound)?;
        target.write(&[(key, Arc::clone(value))])
    }

    /// Deletes a key, and what stands under its hash alone.
    pub fn delete(&mut self, key: &[u8]) {
        let hash = compute_hash(key);
        let is_empty = match self.hashes.get_mut(&hash) {
            None => false,
            Some(UnderHash::Bare(_)) => true,
            Some(UnderHash::Keyed(keys)) => {
                keys.remove(key);
                keys.is_empty()
            }
        };
        if is_empty {
            self.hashes.remove(&hash);
        }
    }

    /// Deletes everything of a hash.
    pub fn delete_hash(&mut self, hash: u64) {
        self.hashes.remove(&hash);
    }

    fn put(&mut self, key: &[u8], value: Arc<[u8]>) {
        let stored = self.newly_stored(value);
        match self
            .hashes
            .entry(compute_hash(key))
            .or_insert_with(|| UnderHash::Keyed(BTreeMap::new()))
        {
            UnderHash::Keyed(keys) => drop(keys.insert(key.to_vec(), stored)),
            bare => *bare = UnderHash::Keyed([(key.to_vec(), stored)].into()),
        }
    }

    fn newly_stored(&mut self, value: Arc<[u8]>) -> Stored {
        self.writes += 1;
        Stored { value, written: self.writes }
    }
}

/// The last entry of each name, where it stands.
fn last_of_each<N: PartialEq, V>(entries: &[(N, V)]) -> impl Iterator<Item = &(N, V)> {
    let is_last =
        |number: usize| entries[number + 1..].iter().all(|(later, _)| *later != entries[number].0);
    entries.iter().enumerate().filter(move |(number, _)| is_last(*number)).map(|(_, entry)| entry)
}
