//! Look-ups in a read state, as of a tail.

use std::io::{Error, Result};

use simd_r_drive_entry_handle::{EntryHandle, Subject, compute_hash, compute_hash_batch};
use simd_r_drive_indexer::{ChainKey, Quick};

use crate::error::{StoreError, about};
use crate::log::{BatchClock, DamageMap, FoundSlot, ReadState};

/// Keys that [`ReadState::get_many`] hashes at a time, on the stack.
const GET_BATCH: usize = 128;

impl ReadState {
    /// The slot of `key` in the usual case, for a caller that goes on in registers. Unclear if
    /// anything else than the look-up itself is to be done.
    #[inline(always)]
    pub(crate) fn quick_find(&self, hash: u64, key: &[u8], tail: u64) -> Quick<FoundSlot<'_>> {
        if self.damage.is_some() || self.verify_reads {
            return Quick::Unclear;
        }
        self.index.quick_find(hash, key, tail, &*self.log)
    }

    /// The slot of `key`.
    pub(crate) fn find(&self, hash: u64, key: &[u8], tail: u64) -> Result<Option<FoundSlot<'_>>> {
        let found = self.index.find_slowly(hash, key, tail, &*self.log)?;
        if let Some(damage) = &self.damage {
            self.confirm(damage, hash, key)?;
        }
        Ok(found)
    }

    /// The newest live slot of `hash`.
    #[inline]
    pub(crate) fn find_hash(&self, hash: u64, tail: u64) -> Result<Option<FoundSlot<'_>>> {
        let end = self.end_of_hash(hash, tail)?;
        Ok(end.map(|end| self.slot_at(end)).transpose()?)
    }

    /// Where the newest live slot of `hash` ends.
    #[inline]
    fn end_of_hash(&self, hash: u64, tail: u64) -> Result<Option<u64>> {
        let found = self.index.find_by_hash(hash, tail, &*self.log)?;
        if let Some(damage) = &self.damage {
            damage.confirm(found.unwrap_or(0))?;
        }
        Ok(found)
    }

    #[inline(always)]
    pub(crate) fn exists(&self, key: &[u8], tail: u64) -> Result<bool> {
        let hash = compute_hash(key);
        match self.quick_find(hash, key, tail) {
            Quick::Found(_) => Ok(true),
            Quick::Absent => Ok(false),
            Quick::Unclear => self.exists_slowly(hash, key, tail),
        }
    }

    #[inline(never)]
    fn exists_slowly(&self, hash: u64, key: &[u8], tail: u64) -> Result<bool> {
        let found = self.find(hash, key, tail);
        Ok(found.map_err(|error| about_key(key, error))?.is_some())
    }

    #[inline]
    pub(crate) fn exists_hash(&self, hash: u64, tail: u64) -> Result<bool> {
        let found = self.end_of_hash(hash, tail);
        Ok(found.map_err(|error| about_hash(hash, error))?.is_some())
    }

    #[inline(always)]
    pub(crate) fn read(&self, key: &[u8], tail: u64) -> Result<Option<EntryHandle>> {
        let hash = compute_hash(key);
        match self.quick_find(hash, key, tail) {
            Quick::Found(slot) => Ok(Some(slot.handle(hash)?)),
            Quick::Absent => Ok(None),
            Quick::Unclear => self.read_slowly(hash, key, tail),
        }
    }

    #[inline(never)]
    fn read_slowly(&self, hash: u64, key: &[u8], tail: u64) -> Result<Option<EntryHandle>> {
        let entry = match self.find(hash, key, tail) {
            Ok(Some(slot)) => self.handle(&slot, hash).map(Some),
            Ok(None) => return Ok(None),
            Err(error) => return Err(about_key(key, error)),
        };
        entry.map_err(|error| about_key(key, error.into()))
    }

    /// The payload of `key`'s slot.
    #[inline(always)]
    pub(crate) fn get(&self, key: &[u8], tail: u64) -> Result<Option<&[u8]>> {
        let hash = compute_hash(key);
        match self.quick_find(hash, key, tail) {
            Quick::Found(slot) => Ok(Some(slot.payload())),
            Quick::Absent => Ok(None),
            Quick::Unclear => self.get_slowly(hash, key, tail),
        }
    }

    #[inline(never)]
    fn get_slowly(&self, hash: u64, key: &[u8], tail: u64) -> Result<Option<&[u8]>> {
        let payload = match self.find(hash, key, tail) {
            Ok(Some(slot)) => self.payload(&slot).map(Some),
            Ok(None) => return Ok(None),
            Err(error) => return Err(about_key(key, error)),
        };
        payload.map_err(|error| about_key(key, error.into()))
    }

    #[inline]
    pub(crate) fn read_hash(&self, hash: u64, tail: u64) -> Result<Option<EntryHandle>> {
        let entry = match self.find_hash(hash, tail) {
            Ok(Some(slot)) => self.handle(&slot, hash).map(Some),
            Ok(None) => return Ok(None),
            Err(error) => return Err(about_hash(hash, error)),
        };
        entry.map_err(|error| about_hash(hash, error.into()))
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

    fn batch(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
    ) -> Result<Vec<Option<EntryHandle>>> {
        if self.damage.is_some() {
            return self.one_by_one(hashes, keys, tail);
        }
        // An error of a batch does not say which key it concerns.
        self.side_by_side(hashes, keys, tail).or_else(|_| self.one_by_one(hashes, keys, tail))
    }

    /// Looks up all hashes before it reads the entries, so that their cache misses overlap.
    fn side_by_side(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
    ) -> Result<Vec<Option<EntryHandle>>> {
        let mut entries = Vec::with_capacity(hashes.len());
        self.find_many(hashes, keys, tail, |number, slot| {
            let hash = hashes.get(number).copied().unwrap_or_default();
            entries.push(slot.map(|slot| self.handle(&slot, hash)).transpose()?);
            Ok(())
        })?;
        Ok(entries)
    }

    /// The payloads of many keys.
    pub(crate) fn get_many<'s>(
        &'s self,
        keys: &[&[u8]],
        tail: u64,
        values: &mut Vec<Option<&'s [u8]>>,
    ) -> Result<()> {
        values.clear();
        values.reserve(keys.len());
        if self.damage.is_none() && self.get_side_by_side(keys, tail, values).is_ok() {
            return Ok(());
        }
        // An error of a batch does not say which key it concerns.
        values.clear();
        for key in keys {
            values.push(self.get(key, tail)?);
        }
        Ok(())
    }

    fn get_side_by_side<'s>(
        &'s self,
        keys: &[&[u8]],
        tail: u64,
        values: &mut Vec<Option<&'s [u8]>>,
    ) -> Result<()> {
        let mut hashes = [0; GET_BATCH];
        for keys in keys.chunks(GET_BATCH) {
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = compute_hash(key);
            }
            let hashes = &hashes[..keys.len()];
            self.find_many(hashes, Some(keys), tail, |_, slot| {
                values.push(slot.map(|slot| self.payload(&slot)).transpose()?);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Looks up all hashes. If the store is not in memory, asks for the pages first.
    #[inline]
    fn find_many<'s>(
        &'s self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        mut found: impl FnMut(usize, Option<FoundSlot<'s>>) -> Result<()>,
    ) -> Result<()> {
        let mut clock = BatchClock::is_worth_it(hashes.len()).then(BatchClock::start);
        for (number, chunk) in hashes.chunks(GET_BATCH).enumerate() {
            let first = number * GET_BATCH;
            let keys = keys.map(|keys| &keys[first..][..chunk.len()]);
            if self.cold_reads.are_cold() {
                self.fetch(chunk);
            }
            self.index
                .find_batch(chunk, keys, tail, &*self.log, |at, slot| found(first + at, slot))?;
            if let Some(clock) = &mut clock {
                clock.note(chunk.len(), &self.cold_reads);
            }
        }
        Ok(())
    }

    #[cold]
    fn one_by_one(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
    ) -> Result<Vec<Option<EntryHandle>>> {
        let read = |(number, hash): (usize, &u64)| {
            let Some(keys) = keys else { return self.read_hash(*hash, tail) };
            let key = keys[number];
            let entry = self.find(*hash, key, tail).and_then(|slot| {
                // The hash need not be that of the key: the caller pairs them.
                Ok(slot.map(|slot| self.handle(&slot, *hash)).transpose()?)
            });
            entry.map_err(|error| about_key(key, error))
        };
        hashes.iter().enumerate().map(read).collect()
    }

    /// Makes sure that the newest known version of `key`, even a deletion, is the newest there was.
    #[cold]
    fn confirm(&self, damage: &DamageMap, hash: u64, key: &[u8]) -> Result<()> {
        let current = self.index.current(hash, ChainKey::Keyed(key), &*self.log)?;
        let newest =
            [current.keyed, current.bare].into_iter().flatten().map(|version| version.end).max();
        Ok(damage.confirm(newest.unwrap_or(0))?)
    }
}

#[cold]
pub(crate) fn about_key(key: &[u8], error: Error) -> Error {
    about(Subject::of_key(key), error)
}

#[cold]
pub(crate) fn about_hash(hash: u64, error: Error) -> Error {
    about(Subject::of_key_hash(hash), error)
}
