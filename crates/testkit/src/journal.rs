//! What was done to the files, in order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Which file, in the order in which they were first opened or created: 0 is the store, the others are files that
/// the engine made beside it. One of them may take the store's place.
pub type FileId = usize;

/// One call that changed a file, or was meant to make changes last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The file appeared with these bytes, flushed, under a flushed name.
    Created(Arc<[u8]>),
    /// These bytes were written.
    Write {
        /// Where, in bytes.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// The file was cut, or extended with zeros.
    SetLen(u64),
    /// The file was given space, and made at least this long.
    Allocate {
        /// End of that space, in bytes.
        end: u64,
    },
    /// Everything was flushed.
    Flush,
    /// A flush failed: what was dirty may be on the medium or not, and later flushes do not see it.
    FailedFlush,
    /// The file took the name of another one. The directory is not flushed yet.
    Replaced(FileId),
    /// The directory was flushed: the file keeps the name that it has.
    NameFlushed,
}

/// The changes to all files of a [`RecordingFileSystem`](crate::RecordingFileSystem). Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<(FileId, Change)>>>);

impl Journal {
    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nothing has been changed.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The changes so far.
    pub fn changes(&self) -> Vec<(FileId, Change)> {
        self.lock().clone()
    }

    pub(crate) fn push(&self, file: FileId, change: Change) {
        self.lock().push((file, change));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(FileId, Change)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
