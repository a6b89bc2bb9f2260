//! Borrowed reads, for the hottest paths.

use std::fmt;
use std::io::Result;
use std::iter::FusedIterator;

use super::walk::Walk;
use crate::log::{FoundSlot, Loaded, ReadState, Totals};
use crate::read::about_hash;

/// A store as of one instant that lends values instead of counting references to them. Made by
/// [`DataStore::view`](crate::DataStore::view).
///
/// ```
/// use simd_r_drive::DataStore;
/// use simd_r_drive::traits::DataStoreWriter;
///
/// # let directory = tempfile::tempdir()?;
/// let store = DataStore::open(&directory.path().join("example.srd"))?;
/// store.write(b"key", b"value")?;
/// let view = store.view();
/// assert_eq!(view.get(b"key")?, Some(b"value".as_slice()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct View {
    state: Loaded<ReadState>,
    tail: u64,
}

impl View {
    pub(crate) fn new(state: Loaded<ReadState>, tail: u64) -> Self {
        Self { state, tail }
    }

    /// The value of `key`, in place; `None` if it does not exist.
    ///
    /// # Errors
    /// [`FormatError`](crate::FormatError) if the entry cannot be read.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Result<Option<&[u8]>> {
        self.state.get(key, self.tail)
    }

    /// The values of many keys, in place, in the order of `keys`: faster than one by one, because
    /// cache misses of different keys overlap, and so do reads of the medium, in a store that is
    /// larger than the memory. `values` is cleared first; once it is large enough,
    /// nothing is allocated.
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::DataStoreWriter;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let store = DataStore::open(&directory.path().join("example.srd"))?;
    /// store.batch_write(&[(b"a", b"1"), (b"b", b"2")])?;
    /// let view = store.view();
    /// let mut values = Vec::new();
    /// view.get_many(&[b"b", b"absent", b"a"], &mut values)?;
    /// assert_eq!(values, [Some(b"2".as_slice()), None, Some(b"1")]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`FormatError`](crate::FormatError) if an entry cannot be read. `values` then holds those
    /// before it.
    pub fn get_many<'v>(
        &'v self,
        keys: &[&[u8]],
        values: &mut Vec<Option<&'v [u8]>>,
    ) -> Result<()> {
        self.state.get_many(keys, self.tail, values)
    }

    /// All live entries, newest first, in place. Takes constant memory. Costs one index look-up per
    /// entry, or none if the store has no dead slots.
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::DataStoreWriter;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let store = DataStore::open(&directory.path().join("example.srd"))?;
    /// store.batch_write(&[(b"a", b"1"), (b"b", b"22")])?;
    /// let view = store.view();
    /// let mut bytes = 0;
    /// for entry in view.entries() {
    ///     bytes += entry?.payload.len();
    /// }
    /// assert_eq!(bytes, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn entries(&self) -> ViewEntries<'_> {
        // Later commits only add dead slots, so if there are none now, there were none.
        let totals = Totals { tail: self.tail, ..self.state.totals() };
        ViewEntries { state: &self.state, walk: Walk::new(&self.state, totals), is_over: false }
    }

    /// The newest value under this key hash, in place. No key bytes are compared.
    ///
    /// # Errors
    /// [`FormatError`](crate::FormatError) if the entry cannot be read.
    #[inline]
    pub fn get_with_key_hash(&self, prehashed_key: u64) -> Result<Option<&[u8]>> {
        let state = &**self.state;
        let payload = match state.find_hash(prehashed_key, self.tail) {
            Ok(Some(slot)) => state.payload(&slot).map(Some),
            Ok(None) => return Ok(None),
            Err(error) => return Err(about_hash(prehashed_key, error)),
        };
        payload.map_err(|error| about_hash(prehashed_key, error.into()))
    }
}

/// A live entry, borrowed from a [`View`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewEntry<'v> {
    /// The key; `None` if the entry was written by hash alone.
    pub key: Option<&'v [u8]>,
    /// The value.
    pub payload: &'v [u8],
}

/// The live entries of a [`View`], newest first. Made by [`View::entries`].
///
/// # Errors
/// An item is a [`FormatError`](crate::FormatError) if a slot is not as it was written. It is the
/// last one.
#[derive(Debug)]
pub struct ViewEntries<'v> {
    state: &'v ReadState,
    walk: Walk,
    is_over: bool,
}

impl<'v> ViewEntries<'v> {
    #[inline(never)]
    fn next_slowly(&mut self) -> Option<Result<ViewEntry<'v>>> {
        let next = match self.walk.next(self.state) {
            Ok(slot) => slot.map(|slot| Ok(entry(&slot, self.state.payload(&slot)?))),
            Err(error) => Some(Err(error)),
        };
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

#[inline(always)]
fn entry<'v>(slot: &FoundSlot<'v>, payload: &'v [u8]) -> ViewEntry<'v> {
    let key = (!slot.fields().is_bare()).then(|| slot.key());
    ViewEntry { key, payload }
}

impl<'v> Iterator for ViewEntries<'v> {
    type Item = Result<ViewEntry<'v>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        match self.walk.quick_next(self.state) {
            Some(slot) => Some(Ok(entry(&slot, slot.payload()))),
            None => self.next_slowly(),
        }
    }
}

impl FusedIterator for ViewEntries<'_> {}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("tail", &self.tail).finish_non_exhaustive()
    }
}
