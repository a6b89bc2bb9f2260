//! Iteration over live entries.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, FormatError};

use super::walk::Walk;
use crate::events;
use crate::log::{FoundSlot, ReadState, Totals, chain_of};
use crate::store::DataStore;

/// Live entries of a store as of the iterator's creation, newest first.
///
/// It holds no lock, takes constant memory and keeps the store's file alive. Writes do not disturb
/// it, and it may outlive the store.
///
/// A damaged entry ends the iteration. [`EntryIterator::next_entry`] returns the error; the
/// `Iterator` can only keep it for [`EntryIterator::error`]. A caller that does not check mistakes
/// a partial iteration for a complete one: [`DataStore::entries`] returns the error as an item.
#[derive(Debug)]
pub struct EntryIterator {
    state: Arc<ReadState>,
    walk: Walk,
    /// Whether each value is checked.
    is_verifying: bool,
    error: Option<io::Error>,
}

impl EntryIterator {
    pub(crate) fn new(state: Arc<ReadState>, totals: Totals) -> Self {
        let (walk, is_verifying) = (Walk::new(&state, totals), state.verify_reads);
        Self { state, walk, is_verifying, error: None }
    }

    /// For a caller that checks the values itself.
    #[cfg(feature = "parallel")]
    pub(crate) fn without_verification(state: Arc<ReadState>, totals: Totals) -> Self {
        Self { is_verifying: false, ..Self::new(state, totals) }
    }

    /// The next older live entry; `None` at the end of the log.
    ///
    /// # Errors
    /// [`FormatError::Damaged`](crate::FormatError::Damaged) if a slot is not as it was written.
    /// Iteration cannot get past it: the next call repeats the error.
    #[inline]
    pub fn next_entry(&mut self) -> io::Result<Option<EntryHandle>> {
        // If reads are verified, no slot is found this way.
        match self.walk.quick_next(&self.state) {
            Some(slot) => Ok(Some(handle(&slot)?)),
            None => self.next_slowly(),
        }
    }

    #[inline(never)]
    fn next_slowly(&mut self) -> io::Result<Option<EntryHandle>> {
        let Some(slot) = self.walk.next(&self.state)? else { return Ok(None) };
        if self.is_verifying {
            self.state.payload(&slot).inspect_err(|_| self.walk.repeat(&slot))?;
        }
        Ok(Some(handle(&slot)?))
    }

    /// The error that ended the iteration, if any.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Ends the iteration and returns the error that cut it short, if any.
    ///
    /// # Errors
    /// That error.
    pub fn finish(self) -> io::Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

#[inline(always)]
fn handle(slot: &FoundSlot<'_>) -> Result<EntryHandle, FormatError> {
    let (hash, _) = chain_of(slot.fields().is_bare(), slot.key());
    slot.handle(hash)
}

impl Iterator for EntryIterator {
    type Item = EntryHandle;

    #[inline]
    fn next(&mut self) -> Option<EntryHandle> {
        if self.error.is_some() {
            return None;
        }
        match self.next_entry() {
            Ok(entry) => entry,
            Err(error) => {
                events::iteration_failed(&error);
                self.error = Some(error);
                None
            }
        }
    }
}

impl std::iter::FusedIterator for EntryIterator {}

impl IntoIterator for DataStore {
    type Item = EntryHandle;
    type IntoIter = EntryIterator;

    fn into_iter(self) -> EntryIterator {
        self.iter_entries()
    }
}

impl IntoIterator for &DataStore {
    type Item = EntryHandle;
    type IntoIter = EntryIterator;

    fn into_iter(self) -> EntryIterator {
        self.iter_entries()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use simd_r_drive_traits::DataStoreWriter;

    use super::*;

    /// Each look-up follows the versions written since the iteration began. When every slot took a
    /// look-up, iterating beside a writer of a few keys took minutes.
    #[test]
    fn versions_of_one_key_are_looked_up_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = DataStore::open(directory.path().join("store.srd")).unwrap();
        let overwrite = || {
            for version in 0..500_u32 {
                for key in [b"a", b"b", b"c"] {
                    store.write(key, &version.to_le_bytes()).unwrap();
                }
            }
        };
        overwrite();
        store.delete(b"c").unwrap();
        let mut iterator = store.iter_entries();
        overwrite();
        let values: Vec<_> = iterator.by_ref().map(|entry| entry.to_vec()).collect();
        assert_eq!(values, [499_u32.to_le_bytes(); 2]);
        // Some dead slots may have been forgotten.
        assert!(iterator.walk.lookups < 100, "{} look-ups for three keys", iterator.walk.lookups);
        iterator.finish().unwrap();
    }
}
