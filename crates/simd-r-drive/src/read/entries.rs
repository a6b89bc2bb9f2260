//! Iteration whose errors cannot be overlooked.

use std::io;

use simd_r_drive_entry_handle::EntryHandle;

use crate::read::{EntryIterator, Snapshot};
use crate::store::DataStore;

/// Live entries of a store, newest first, as of the moment when it was made. See
/// [`DataStore::entries`].
///
/// It holds no lock and constant memory, keeps the store's file alive, and goes on undisturbed by
/// writes and by the drop of the store. The first error is the last item.
#[derive(Debug)]
pub struct Entries {
    /// `None` after the end, or an error.
    inner: Option<EntryIterator>,
}

impl Iterator for Entries {
    type Item = io::Result<EntryHandle>;

    fn next(&mut self) -> Option<io::Result<EntryHandle>> {
        let next = self.inner.as_mut()?.next_entry();
        if !matches!(next, Ok(Some(_))) {
            self.inner = None;
        }
        next.transpose()
    }
}

impl std::iter::FusedIterator for Entries {}

impl DataStore {
    /// All live entries, newest first, as of now. Later writes do not show, and do not disturb it.
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::DataStoreWriter;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let store = DataStore::open(&directory.path().join("example.srd"))?;
    /// store.batch_write(&[(b"a", b"first"), (b"b", b"second")])?;
    /// let mut bytes = 0;
    /// for entry in store.entries() {
    ///     bytes += entry?.len();
    /// }
    /// assert_eq!(bytes, 11);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Takes constant memory. Costs one look-up in the index an entry, or none while nothing in the
    /// store is dead. For keys alone, [`DataStore::keys`] reads less.
    ///
    /// # Errors
    /// Of an item: [`FormatError::Damaged`](crate::FormatError::Damaged) for a slot that is not as
    /// it was written, its value included with [`verify_reads`](crate::OpenOptions::verify_reads).
    /// Nothing follows it, since what lies behind such a slot cannot be reached by iteration.
    pub fn entries(&self) -> Entries {
        Entries { inner: Some(self.iter_entries()) }
    }

    /// All live entries, in no particular order, for parallel work on them.
    ///
    /// Walks the log once, on the thread that calls, and takes 16 bytes of memory an entry.
    ///
    /// # Errors
    /// Of an item: as those of [`DataStore::entries`]. A damaged value concerns its entry alone; a
    /// slot whose key or trailer is damaged is one error in place of all entries behind it.
    #[cfg(feature = "parallel")]
    pub fn par_entries(
        &self,
    ) -> impl rayon::iter::ParallelIterator<Item = io::Result<EntryHandle>> {
        let (state, totals) = self.shared.current.now_with_totals();
        crate::read::par_entries(state, totals)
    }
}

impl Snapshot {
    /// All live entries of the snapshot, newest first. See [`DataStore::entries`].
    pub fn entries(&self) -> Entries {
        Entries { inner: Some(self.iter_entries()) }
    }
}
