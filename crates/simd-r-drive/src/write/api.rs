//! The write operations of a store.

use std::io::{Read, Result};

use simd_r_drive_entry_handle::{EntryHandle, compute_hash, compute_hash_batch};
use simd_r_drive_traits::{DataStoreReader, DataStoreWriter};

use crate::durability::Durability;
use crate::error::StoreError;
use crate::store::DataStore;
use crate::write::{CommitBuilder, Spool, is_same_version, superseded_in_batch};

/// Each operation is one commit under the writer's lock. Readers continue meanwhile.
impl DataStoreWriter for DataStore {
    fn write_stream<R: Read>(&self, key: &[u8], reader: &mut R) -> Result<u64> {
        self.commit_spool(key, &Spool::fill(reader, self.shared.location.as_deref())?)
    }

    fn write_stream_with_key_hash<R: Read>(&self, key_hash: u64, reader: &mut R) -> Result<u64> {
        self.commit_bare_spool(key_hash, &Spool::fill(reader, self.shared.location.as_deref())?)
    }

    fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64> {
        let hash = compute_hash(key);
        let writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, 1);
        commit.put(hash, key, payload)?;
        self.shared.commit(writer, &commit)
    }

    fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64> {
        self.batch_write_with_key_hashes(vec![(key_hash, payload)], true)
    }

    fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64> {
        // Hash before the lock is taken.
        let hashes: Vec<u64> = entries.iter().map(|(key, _)| compute_hash(key)).collect();
        let superseded = superseded_in_batch(&hashes, |number| Some(entries[number].0));
        let writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, entries.len());
        for (number, (key, payload)) in entries.iter().enumerate() {
            commit.look_ahead(&hashes, number);
            if !superseded.as_ref().is_some_and(|superseded| superseded[number]) {
                commit.put(hashes[number], key, payload)?;
            }
        }
        self.shared.commit(writer, &commit)
    }

    fn batch_write_with_key_hashes(
        &self,
        prehashed_keys: Vec<(u64, &[u8])>,
        _allow_null_bytes: bool,
    ) -> Result<u64> {
        let hashes: Vec<u64> = prehashed_keys.iter().map(|(hash, _)| *hash).collect();
        let bytes: Vec<[u8; 8]> = hashes.iter().map(|hash| hash.to_le_bytes()).collect();
        let superseded = superseded_in_batch(&hashes, |_| None);
        let writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, hashes.len());
        for (number, (hash, payload)) in prehashed_keys.iter().enumerate() {
            commit.look_ahead(&hashes, number);
            if !superseded.as_ref().is_some_and(|superseded| superseded[number]) {
                commit.put_bare(*hash, &bytes[number], payload)?;
            }
        }
        self.shared.commit(writer, &commit)
    }

    fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64> {
        if old_key == new_key {
            return Err(StoreError::SameKey.into());
        }
        let (old_hash, new_hash) = (compute_hash(old_key), compute_hash(new_key));
        let writer = self.shared.writer()?;
        let state = writer.state();
        let tail = state.publication.tail();
        let Some(slot) = state.find(old_hash, old_key, tail)? else {
            return Err(StoreError::NoSuchKey.into());
        };
        // Verified regardless of the options: damage must not be given a new checksum.
        let entry = state.handle(&slot, old_hash)?;
        entry.verify(&state.layout)?;
        let mut commit = CommitBuilder::new(&state, 2);
        commit.remove(old_hash, old_key)?;
        commit.put(new_hash, new_key, &entry)?;
        self.shared.commit(writer, &commit)
    }

    fn copy(&self, key: &[u8], target: &Self) -> Result<u64> {
        let (_, tail) = self.copy_entry(key, target)?;
        Ok(tail)
    }

    fn transfer(&self, key: &[u8], target: &Self) -> Result<u64> {
        let (entry, _) = self.copy_entry(key, target)?;
        if self.shared.options.durability != Durability::Process {
            // Before the value is deleted here, it must be as safe in the target as this store
            // promises. The target has already seen to its own durability level.
            target.sync()?;
        }
        // The two locks are taken one after the other, never together, so opposite transfers cannot
        // deadlock.
        let hash = compute_hash(key);
        let writer = self.shared.writer()?;
        let state = writer.state();
        let tail = state.publication.tail();
        let found = state.read(key, tail)?;
        if !found.is_some_and(|found| is_same_version(&found, &entry)) {
            // A newer version was written meanwhile, or the store was compacted. The value stays.
            return Ok(tail);
        }
        let mut commit = CommitBuilder::new(&state, 1);
        commit.remove(hash, key)?;
        self.shared.commit(writer, &commit)
    }

    fn delete(&self, key: &[u8]) -> Result<u64> {
        self.batch_delete(&[key])
    }

    fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64> {
        let hashes = compute_hash_batch(keys);
        let writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, keys.len());
        for (hash, key) in hashes.iter().zip(keys) {
            commit.remove(*hash, key)?;
        }
        self.shared.commit(writer, &commit)
    }

    fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64> {
        let writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, prehashed_keys.len());
        for hash in prehashed_keys {
            commit.remove_hash(*hash)?;
        }
        self.shared.commit(writer, &commit)
    }
}

impl DataStore {
    /// Commits a stream under a key.
    pub(crate) fn commit_spool(&self, key: &[u8], spool: &Spool) -> Result<u64> {
        let hash = compute_hash(key);
        let mut writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, 1);
        commit.put(hash, key, &[])?;
        let tail = spool.commit(&mut writer, &commit)?;
        self.shared.after_commit(writer)?;
        Ok(tail)
    }

    /// Commits a stream under a hash alone.
    pub(crate) fn commit_bare_spool(&self, key_hash: u64, spool: &Spool) -> Result<u64> {
        let hash_bytes = key_hash.to_le_bytes();
        let mut writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, 1);
        commit.put_bare(key_hash, &hash_bytes, &[])?;
        let tail = spool.commit(&mut writer, &commit)?;
        self.shared.after_commit(writer)?;
        Ok(tail)
    }

    fn copy_entry(&self, key: &[u8], target: &Self) -> Result<(EntryHandle, u64)> {
        // File identity decides, not ids: a backup has the ids of its store.
        if self.state().file.key()? == target.state().file.key()? {
            return Err(StoreError::SameStore.into());
        }
        let Some(entry) = self.read(key)? else {
            return Err(StoreError::NoSuchKey.into());
        };
        entry.verify(&self.state().layout)?;
        let tail = target.write(key, &entry)?;
        Ok((entry, tail))
    }
}
