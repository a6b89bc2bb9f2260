//! Reading.

use std::io::{self, Result};
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, EntryMetadata, compute_hash, compute_hash_batch};
use simd_r_drive_traits::DataStoreReader;

use crate::error::StoreError;
use crate::generation::Generation;
use crate::iter::EntryIterator;
use crate::store::DataStore;

impl DataStore {
    /// All live entries, newest first, as of now. Later writes do not show, and do not disturb it.
    ///
    /// Takes constant memory. Costs one look-up in the index an entry, or none while nothing in the store is
    /// dead.
    pub fn iter_entries(&self) -> EntryIterator {
        EntryIterator::new(self.shared.current.load_full())
    }

    /// All live entries, in no particular order, for parallel work on them. Takes 8 bytes of memory a slot.
    #[cfg(feature = "parallel")]
    pub fn par_iter_entries(&self) -> impl rayon::iter::ParallelIterator<Item = EntryHandle> {
        crate::par_iter::par_iter_entries(self.shared.current.load_full())
    }

    /// How many bytes a compaction would free: those of slots that hold no live value.
    pub fn estimate_compaction_savings(&self) -> u64 {
        self.generation().totals().dead_bytes
    }
}

/// Look-ups of the engine. None waits for a writer, and no lock is held when one returns.
impl DataStoreReader for DataStore {
    type EntryHandleType = EntryHandle;

    fn exists(&self, key: &[u8]) -> Result<bool> {
        let generation = self.generation();
        let tail = generation.publication.tail();
        let end = generation.index.find(compute_hash(key), key, tail, &**generation)?;
        Ok(end.is_some())
    }

    fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool> {
        let generation = self.generation();
        let tail = generation.publication.tail();
        Ok(generation.index.find_by_hash(prehashed_key, tail, &**generation)?.is_some())
    }

    fn read(&self, key: &[u8]) -> Result<Option<EntryHandle>> {
        let generation = self.generation();
        let tail = generation.publication.tail();
        let hash = compute_hash(key);
        match generation.index.find(hash, key, tail, &**generation)? {
            Some(end) => generation.handle(end, hash).map(Some),
            None => Ok(None),
        }
    }

    fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<EntryHandle>> {
        let generation = self.generation();
        let tail = generation.publication.tail();
        match generation.index.find_by_hash(prehashed_key, tail, &**generation)? {
            Some(end) => generation.handle(end, prehashed_key).map(Some),
            None => Ok(None),
        }
    }

    /// Costs a step for each dead slot at the end of the log.
    fn read_last_entry(&self) -> Result<Option<EntryHandle>> {
        self.iter_entries().next_entry()
    }

    fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<EntryHandle>>> {
        batch_read(&self.generation(), &compute_hash_batch(keys), Some(keys))
    }

    fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<EntryHandle>>> {
        if let Some(keys) = non_hashed_keys
            && keys.len() != prehashed_keys.len()
        {
            let (hashes, keys) = (prehashed_keys.len(), keys.len());
            return Err(StoreError::LengthMismatch { hashes, keys }.into());
        }
        batch_read(&self.generation(), prehashed_keys, non_hashed_keys)
    }

    fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>> {
        Ok(self.read(key)?.map(|entry| *entry.metadata()))
    }

    fn len(&self) -> Result<usize> {
        usize::try_from(self.generation().totals().live_keys)
            .map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.generation().totals().live_keys == 0)
    }

    fn file_size(&self) -> Result<u64> {
        Ok(self.generation().publication.tail())
    }
}

/// Looks all hashes up first, so that the cache misses of the entries overlap.
fn batch_read(
    generation: &Arc<Generation>,
    hashes: &[u64],
    keys: Option<&[&[u8]]>,
) -> Result<Vec<Option<EntryHandle>>> {
    let tail = generation.publication.tail();
    let mut locations = Vec::with_capacity(hashes.len());
    generation.index.locate_batch(hashes, &mut locations);
    for location in locations.iter().flatten() {
        if let Some(end) = location.prefetch_end() {
            generation.prefetch(end);
        }
    }
    let mut entries = Vec::with_capacity(hashes.len());
    for (number, (hash, location)) in hashes.iter().zip(&locations).enumerate() {
        let end = match (location, keys) {
            (None, _) => None,
            (Some(location), None) => {
                generation.index.resolve_by_hash(*location, *hash, tail, &**generation)?
            }
            (Some(location), Some(keys)) => {
                generation.index.resolve(*location, *hash, keys[number], tail, &**generation)?
            }
        };
        entries.push(end.map(|end| generation.handle(end, *hash)).transpose()?);
    }
    Ok(entries)
}
