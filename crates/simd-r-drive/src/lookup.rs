//! Look-ups in a generation, as of a tail.

use std::io::Result;

use simd_r_drive_entry_handle::{EntryHandle, compute_hash, compute_hash_batch};
use simd_r_drive_indexer::Identity;

use crate::damage::DamageMap;
use crate::error::StoreError;
use crate::generation::Generation;

impl Generation {
    /// Where the slot of `key` ends.
    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &[u8], tail: u64) -> Result<Option<u64>> {
        let found = self.index.find(hash, key, tail, &*self.log)?;
        if let Some(damage) = &self.damage {
            self.confirm(damage, hash, key)?;
        }
        Ok(found)
    }

    /// Where the newest live slot of `hash` ends.
    #[inline]
    pub(crate) fn find_hash(&self, hash: u64, tail: u64) -> Result<Option<u64>> {
        let found = self.index.find_by_hash(hash, tail, &*self.log)?;
        if let Some(damage) = &self.damage {
            damage.confirm(found.unwrap_or(0))?;
        }
        Ok(found)
    }

    #[inline]
    pub(crate) fn exists(&self, key: &[u8], tail: u64) -> Result<bool> {
        Ok(self.find(compute_hash(key), key, tail)?.is_some())
    }

    #[inline]
    pub(crate) fn exists_hash(&self, hash: u64, tail: u64) -> Result<bool> {
        Ok(self.find_hash(hash, tail)?.is_some())
    }

    #[inline]
    pub(crate) fn read(&self, key: &[u8], tail: u64) -> Result<Option<EntryHandle>> {
        let hash = compute_hash(key);
        match self.find(hash, key, tail)? {
            Some(end) => self.handle_of(end, hash).map(Some),
            None => Ok(None),
        }
    }

    #[inline]
    pub(crate) fn read_hash(&self, hash: u64, tail: u64) -> Result<Option<EntryHandle>> {
        match self.find_hash(hash, tail)? {
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
        if self.damage.is_some() {
            return self.batch_of_damaged(hashes, keys, tail);
        }
        let mut entries = Vec::with_capacity(hashes.len());
        self.index.find_batch(hashes, keys, tail, &*self.log, |number, end| {
            let hash = hashes.get(number).copied().unwrap_or_default();
            entries.push(match end {
                None => None,
                Some(end) if keys.is_none() => Some(self.handle(end, hash)?),
                Some(end) => Some(self.handle_of(end, hash)?),
            });
            Ok(())
        })?;
        Ok(entries)
    }

    #[cold]
    fn batch_of_damaged(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
    ) -> Result<Vec<Option<EntryHandle>>> {
        let read = |(number, hash): (usize, &u64)| {
            let end = match keys {
                Some(keys) => self.find(*hash, keys[number], tail)?,
                None => self.find_hash(*hash, tail)?,
            };
            end.map(|end| self.handle(end, *hash)).transpose()
        };
        hashes.iter().enumerate().map(read).collect()
    }

    /// Makes sure that the newest known version of `key`, be it a deletion, is the newest there was.
    #[cold]
    fn confirm(&self, damage: &DamageMap, hash: u64, key: &[u8]) -> Result<()> {
        let current = self.index.current(hash, Identity::Keyed(key), &*self.log)?;
        let newest = [current.keyed, current.bare].into_iter().flatten().map(|line| line.end).max();
        Ok(damage.confirm(newest.unwrap_or(0))?)
    }
}
