//! Reading the newest state.

use std::io::{self, Result};
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, EntryMetadata};
use simd_r_drive_traits::DataStoreReader;

use crate::read::{EntryIterator, Snapshot, View};
use crate::store::DataStore;

impl DataStore {
    /// All live entries, newest first, as of now. Later writes do not show, and do not disturb it.
    ///
    /// An iteration that damage has ended looks like one that is complete, unless
    /// [`EntryIterator::finish`] is called: prefer [`DataStore::entries`], whose items are results.
    ///
    /// Takes constant memory. Costs one look-up in the index an entry, or none while nothing in the store is
    /// dead.
    pub fn iter_entries(&self) -> EntryIterator {
        let (state, totals) = self.shared.current.now_with_totals();
        EntryIterator::new(state, totals)
    }

    /// All live entries that are not damaged, in no particular order, for parallel work on them.
    /// Takes 16 bytes of memory an entry.
    ///
    /// Nobody learns what is missing: prefer [`DataStore::par_entries`], whose items are results.
    #[cfg(feature = "parallel")]
    pub fn par_iter_entries(&self) -> impl rayon::iter::ParallelIterator<Item = EntryHandle> {
        use rayon::iter::ParallelIterator as _;
        self.par_entries().filter_map(Result::ok)
    }

    /// The store as of now, to be read for as long as it is held, whatever is written meanwhile.
    ///
    /// Costs a reference count; what it keeps from being reused is disk space, once a compaction has run.
    pub fn snapshot(&self) -> Snapshot {
        let (state, totals) = self.shared.current.now_with_totals();
        Snapshot::new(state, totals)
    }

    /// The store as of now, for many reads in a row: values are borrowed, and nothing that threads share is
    /// written, not even a reference count.
    ///
    /// Meant to be held briefly.
    pub fn view(&self) -> View {
        let (state, tail) = self.shared.current.now();
        View::new(state, tail)
    }

    /// A copy of the store's bytes, at the same offsets, for tests that were written for earlier versions; the
    /// header's are zero.
    ///
    /// # Panics
    /// When memory is short.
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

    /// Where the store's newest map starts in memory, to tell maps apart.
    #[doc(hidden)]
    pub fn arc_ptr(&self) -> *const u8 {
        let state = self.state();
        let map = state.publication.covering(state.publication.tail());
        map.map_or(std::ptr::null(), |map| map.as_ptr())
    }

    /// How many bytes a compaction would free: those of slots that hold no live value, and of old tables of the index.
    ///
    /// Costs a look at each table that was written since the last compaction.
    pub fn estimate_compaction_savings(&self) -> u64 {
        self.state().dead_bytes()
    }
}

/// Look-ups of the engine. None waits for a writer, and no lock is held when one returns.
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

    /// Costs a step for each dead slot at the end of the log.
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
