//! Iteration that returns errors as items.

use std::io;

use simd_r_drive_entry_handle::EntryHandle;

use crate::read::{EntryIterator, Snapshot};
use crate::store::DataStore;

/// Live entries of a store as of the iterator's creation, newest first. See [`DataStore::entries`].
///
/// It holds no lock, takes constant memory and keeps the store's file alive. Writes do not disturb
/// it, and it may outlive the store. The first error is the last item.
#[derive(Debug)]
pub struct Entries {
    /// `None` after the end or an error.
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
    /// All live entries as of now, newest first. Later writes neither appear nor disturb the
    /// iteration.
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
    /// Takes constant memory. Costs one index look-up per entry, or none if the store has no dead
    /// slots. For keys alone, [`DataStore::keys`] reads less.
    ///
    /// # Errors
    /// An item is [`FormatError::Damaged`](crate::FormatError::Damaged) if a slot is not as it was
    /// written; with [`verify_reads`](crate::OpenOptions::verify_reads), this covers the payload
    /// too. It is the last item, because iteration cannot get past such a slot.
    pub fn entries(&self) -> Entries {
        Entries { inner: Some(self.iter_entries()) }
    }

    /// All live entries in no particular order, for parallel work.
    ///
    /// Walks the log once, on the calling thread. Takes 16 bytes of memory per entry.
    ///
    /// # Errors
    /// As the items of [`DataStore::entries`]. A damaged value affects only its own entry. If the
    /// key or trailer of a slot is damaged, one error stands for all older entries.
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
