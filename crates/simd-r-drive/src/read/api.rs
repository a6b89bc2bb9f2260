//! Reading the current state.

use std::io::{self, Result};
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, EntryMetadata};
use simd_r_drive_traits::DataStoreReader;

use crate::read::{EntryIterator, Snapshot, View};
use crate::store::DataStore;

impl DataStore {
    /// All live entries as of now, newest first. Later writes neither appear nor disturb the
    /// iteration.
    ///
    /// An iteration that damage cut short looks complete unless [`EntryIterator::finish`] is
    /// called. Prefer [`DataStore::entries`], whose items are results.
    ///
    /// Takes constant memory. Costs one index look-up per entry, or none if the store has no dead
    /// slots.
    pub fn iter_entries(&self) -> EntryIterator {
        let (state, totals) = self.shared.current.now_with_totals();
        EntryIterator::new(state, totals)
    }

    /// All undamaged live entries in no particular order, for parallel work. Takes 16 bytes of
    /// memory per entry.
    ///
    /// Damaged entries are left out silently. Prefer [`DataStore::par_entries`], whose items are
    /// results.
    #[cfg(feature = "parallel")]
    pub fn par_iter_entries(&self) -> impl rayon::iter::ParallelIterator<Item = EntryHandle> {
        use rayon::iter::ParallelIterator as _;
        self.par_entries().filter_map(Result::ok)
    }

    /// The store as of now. It can be read for as long as the snapshot is held, whatever is written
    /// meanwhile.
    ///
    /// Costs a reference count. After a compaction, a snapshot taken before it keeps the disk space
    /// of the old file in use.
    pub fn snapshot(&self) -> Snapshot {
        let (state, totals) = self.shared.current.now_with_totals();
        Snapshot::new(state, totals)
    }

    /// The store as of now, for many reads in a row. Values are borrowed, and reads write nothing
    /// that threads share, not even a reference count.
    ///
    /// Hold a view only briefly.
    pub fn view(&self) -> View {
        let (state, tail) = self.shared.current.now();
        View::new(state, tail)
    }

    /// A copy of the store's bytes at the same offsets, with the header zeroed, for tests written
    /// for earlier versions.
    ///
    /// # Panics
    /// If memory cannot be allocated.
    #[doc(hidden)]
    pub fn get_mmap_arc_for_testing(&self) -> Arc<memmap2::Mmap> {
        let state = self.state();
        let tail = state.publication.tail();
        let copy = match state.publication.covering(tail) {
            Some(map) => map.copy_until(tail),
            None => Err(io::ErrorKind::OutOfMemory.into()),
        };
        match copy {
            Ok(copy) => Arc::new(copy),
            Err(error) => panic!("cannot copy the store: {error}"),
        }
    }

    /// Where the store's newest map starts in memory. Tells maps apart.
    #[doc(hidden)]
    pub fn arc_ptr(&self) -> *const u8 {
        let state = self.state();
        let map = state.publication.covering(state.publication.tail());
        map.map_or(std::ptr::null(), |map| map.as_ptr())
    }

    /// Bytes that a compaction would free: dead slots and index tables no longer in use.
    ///
    /// Costs a check of each table written since the last compaction.
    pub fn estimate_compaction_savings(&self) -> u64 {
        self.state().dead_bytes()
    }
}

/// Look-ups never wait for a writer, and hold no lock once they return.
impl DataStoreReader for DataStore {
    type EntryHandleType = EntryHandle;

    fn exists(&self, key: &[u8]) -> Result<bool> {
        let (state, tail) = self.shared.current.now();
        state.exists(key, tail)
    }

    fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool> {
        let (state, tail) = self.shared.current.now();
        state.exists_hash(prehashed_key, tail)
    }

    fn read(&self, key: &[u8]) -> Result<Option<EntryHandle>> {
        let (state, tail) = self.shared.current.now();
        state.read(key, tail)
    }

    fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<EntryHandle>> {
        let (state, tail) = self.shared.current.now();
        state.read_hash(prehashed_key, tail)
    }

    /// Costs one step for each dead slot at the end of the log.
    fn read_last_entry(&self) -> Result<Option<EntryHandle>> {
        self.iter_entries().next_entry()
    }

    fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<EntryHandle>>> {
        let (state, tail) = self.shared.current.now();
        state.batch_read(keys, tail)
    }

    fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<EntryHandle>>> {
        let (state, tail) = self.shared.current.now();
        state.batch_read_hashed(prehashed_keys, non_hashed_keys, tail)
    }

    fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>> {
        Ok(self.read(key)?.map(|entry| *entry.metadata()))
    }

    fn len(&self) -> Result<usize> {
        let state = self.state();
        state.refuse_damage()?;
        usize::try_from(state.totals().live_keys).map_err(|_| io::ErrorKind::OutOfMemory.into())
    }

    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    fn file_size(&self) -> Result<u64> {
        Ok(self.state().publication.tail())
    }
}
