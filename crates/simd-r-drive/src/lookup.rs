//! Look-ups in a generation, as of a tail.

use std::io::Result;

use simd_r_drive_entry_handle::{EntryHandle, compute_hash, compute_hash_batch};

use crate::error::StoreError;
use crate::generation::Generation;

impl Generation {
    #[inline]
    pub(crate) fn exists(&self, key: &[u8], tail: u64) -> Result<bool> {
        Ok(self.index.find(compute_hash(key), key, tail, self)?.is_some())
    }

    #[inline]
    pub(crate) fn exists_hash(&self, hash: u64, tail: u64) -> Result<bool> {
        Ok(self.index.find_by_hash(hash, tail, self)?.is_some())
    }

    #[inline]
    pub(crate) fn read(&self, key: &[u8], tail: u64) -> Result<Option<EntryHandle>> {
        let hash = compute_hash(key);
        match self.index.find(hash, key, tail, self)? {
            Some(end) => self.handle(end, hash).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    pub(crate) fn read_hash(&self, hash: u64, tail: u64) -> Result<Option<EntryHandle>> {
        match self.index.find_by_hash(hash, tail, self)? {
            Some(end) => self.handle(end, hash).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn batch_read(&self, keys: &[&[u8]], tail: u64) -> Result<Vec<Option<EntryHandle>>> {
        self.batch(&compute_hash_batch(keys), Some(keys), tail)
    }

    pub(crate) fn batch_read_hashed(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
    ) -> Result<Vec<Option<EntryHandle>>> {
        if let Some(keys) = keys
            && keys.len() != hashes.len()
        {
            let (hashes, keys) = (hashes.len(), keys.len());
            return Err(StoreError::LengthMismatch { hashes, keys }.into());
        }
        self.batch(hashes, keys, tail)
    }

    /// Looks all hashes up first, so that the cache misses of the entries overlap.
    fn batch(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
    ) -> Result<Vec<Option<EntryHandle>>> {
        let mut locations = Vec::with_capacity(hashes.len());
        self.index.locate_batch(hashes, &mut locations);
        for location in locations.iter().flatten() {
            if let Some(end) = location.prefetch_end() {
                self.prefetch(end);
            }
        }
        let mut entries = Vec::with_capacity(hashes.len());
        for (number, (hash, location)) in hashes.iter().zip(&locations).enumerate() {
            let end = match (location, keys) {
                (None, _) => None,
                (Some(location), None) => {
                    self.index.resolve_by_hash(*location, *hash, tail, self)?
                }
                (Some(location), Some(keys)) => {
                    self.index.resolve(*location, *hash, keys[number], tail, self)?
                }
            };
            entries.push(end.map(|end| self.handle(end, *hash)).transpose()?);
        }
        Ok(entries)
    }
}
