//! The store as of one instant.

use std::io::{self, Result};
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, EntryMetadata};
use simd_r_drive_traits::DataStoreReader;

use crate::log::{ReadState, Totals};
use crate::read::EntryIterator;

/// A store as of one instant, with the whole reader trait and iteration. Later writes, compaction
/// and dropping the store do not affect it. Made by
/// [`DataStore::snapshot`](crate::DataStore::snapshot).
///
/// ```
/// use simd_r_drive::DataStore;
/// use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
///
/// # let directory = tempfile::tempdir()?;
/// let store = DataStore::open(&directory.path().join("example.srd"))?;
/// store.write(b"key", b"old")?;
/// let snapshot = store.snapshot();
/// store.write(b"key", b"new")?;
/// store.write(b"other", b"")?;
/// assert_eq!(snapshot.read(b"key")?.unwrap(), b"old".as_slice());
/// assert_eq!((snapshot.len()?, store.len()?), (1, 2));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Snapshot {
    state: Arc<ReadState>,
    totals: Totals,
}

impl Snapshot {
    pub(crate) fn new(state: Arc<ReadState>, totals: Totals) -> Self {
        Self { state, totals }
    }

    /// The read state and totals of the snapshot.
    pub(crate) fn state(&self) -> (Arc<ReadState>, Totals) {
        (Arc::clone(&self.state), self.totals)
    }

    /// All live entries of the snapshot, newest first. Prefer [`Snapshot::entries`], whose items
    /// are results: see [`DataStore::iter_entries`](crate::DataStore::iter_entries).
    pub fn iter_entries(&self) -> EntryIterator {
        EntryIterator::new(Arc::clone(&self.state), self.totals)
    }
}

impl DataStoreReader for Snapshot {
    type EntryHandleType = EntryHandle;

    fn exists(&self, key: &[u8]) -> Result<bool> {
        self.state.exists(key, self.totals.tail)
    }

    fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool> {
        self.state.exists_hash(prehashed_key, self.totals.tail)
    }

    fn read(&self, key: &[u8]) -> Result<Option<EntryHandle>> {
        self.state.read(key, self.totals.tail)
    }

    fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<EntryHandle>> {
        self.state.read_hash(prehashed_key, self.totals.tail)
    }

    fn read_last_entry(&self) -> Result<Option<EntryHandle>> {
        self.iter_entries().next_entry()
    }

    fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<EntryHandle>>> {
        self.state.batch_read(keys, self.totals.tail)
    }

    fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<EntryHandle>>> {
        self.state.batch_read_hashed(prehashed_keys, non_hashed_keys, self.totals.tail)
    }

    fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>> {
        Ok(self.read(key)?.map(|entry| *entry.metadata()))
    }

    fn len(&self) -> Result<usize> {
        self.state.refuse_damage()?;
        usize::try_from(self.totals.live_keys).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    fn file_size(&self) -> Result<u64> {
        Ok(self.totals.tail)
    }
}

impl IntoIterator for &Snapshot {
    type Item = EntryHandle;
    type IntoIter = EntryIterator;

    fn into_iter(self) -> EntryIterator {
        self.iter_entries()
    }
}
