//! Streams of known length, written straight to their place in the file.

use std::cell::RefCell;
use std::io::{self, Read};

use simd_r_drive_entry_handle::compute_hash;
use simd_r_drive_traits::DataStoreWriter;

use crate::error::StoreError;
use crate::shared::Shared;
use crate::store::DataStore;
use crate::write::{CommitBuilder, MEMORY_LEN};

impl DataStore {
    /// Stores the next `len` bytes of `reader` under `key`, and returns the new tail. Meant for
    /// files and other readers that do not block for long.
    ///
    /// A value larger than 1 MiB is written once, straight to its place in the file. This needs no
    /// temporary file and a few MiB of memory. `write_stream` accepts any reader, but first copies
    /// such a value to a temporary file.
    ///
    /// ```
    /// use std::fs::File;
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::DataStoreReader;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("store.srd");
    /// # let source = directory.path().join("weights.bin");
    /// # std::fs::write(&source, vec![7; 3 << 20])?;
    /// let store = DataStore::open(&path)?;
    /// let mut file = File::open(&source)?;
    /// let len = file.metadata()?.len();
    /// store.write_stream_sized(b"weights", &mut file, len)?;
    /// assert_eq!(store.read(b"weights")?.unwrap().len() as u64, len);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// - Any error of the reader, and `UnexpectedEof` if it ends early;
    /// - [`StoreError::ReaderUsesStore`] if the reader uses this store;
    /// - the errors of every write.
    ///
    /// Nothing is stored after an error.
    ///
    /// # Locking
    /// If `len` exceeds 1 MiB, other writers wait while the bytes are read and written. Readers do
    /// not.
    pub fn write_stream_sized(
        &self,
        key: &[u8],
        reader: &mut impl Read,
        len: u64,
    ) -> io::Result<u64> {
        if len <= MEMORY_LEN as u64 {
            let mut payload = Vec::with_capacity(len as usize);
            if reader.take(len).read_to_end(&mut payload)? as u64 != len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            return self.write(key, &payload);
        }
        let hash = compute_hash(key);
        let mut writer = self.shared.writer()?;
        let state = writer.state();
        let mut commit = CommitBuilder::new(&state, 1);
        commit.put(hash, key, &[])?;
        let streaming = Streaming::begin(&self.shared);
        let committed = writer.commit_from(&commit, reader, len, None);
        drop(streaming);
        let tail = committed?;
        self.shared.after_commit(writer)?;
        Ok(tail)
    }
}

thread_local! {
    /// Stores whose writer's lock this thread holds while it runs a caller's reader.
    static STREAMING: RefCell<Vec<*const Shared>> = const { RefCell::new(Vec::new()) };
}

/// Guard: while it lives, this thread must not ask for the store's writer's lock, which it holds.
struct Streaming;

impl Streaming {
    fn begin(shared: &Shared) -> Self {
        STREAMING.with_borrow_mut(|stores| stores.push(shared));
        Self
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        STREAMING.with_borrow_mut(Vec::pop);
    }
}

/// Refuses to wait for a lock that this thread holds.
#[inline]
pub(crate) fn refuse_reader_of(shared: &Shared) -> Result<(), StoreError> {
    let is_own = STREAMING.with_borrow(|stores| stores.contains(&std::ptr::from_ref(shared)));
    if is_own { Err(StoreError::ReaderUsesStore) } else { Ok(()) }
}
