//! Borrowed reads, for the hottest paths.

use std::fmt;
use std::io::Result;

use crate::log::{Loaded, ReadState};
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

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("tail", &self.tail).finish_non_exhaustive()
    }
}
