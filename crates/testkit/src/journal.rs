//! The journal of changes to the files.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Identifies a file. Files are numbered in the order in which they are first opened or created: 0
/// is the store, and the others are files that the engine made beside it. One of these may take the
/// store's place.
pub type FileId = usize;

/// A call that changed a file, or that should have made changes durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The file appeared with these bytes. They and its name are flushed.
    Created(Arc<[u8]>),
    /// Bytes were written.
    Write {
        /// Where they were written, in bytes.
        offset: u64,
        /// The bytes.
        bytes: Arc<[u8]>,
    },
    /// The file was cut, or extended with zeros.
    SetLen(u64),
    /// Space was allocated for the file, and it was extended if it was shorter.
    Allocate {
        /// End of that space, in bytes.
        end: u64,
    },
    /// The file was flushed.
    Flush,
    /// A flush failed. What was dirty may be on the medium or not, and later flushes do not write
    /// it.
    FailedFlush,
    /// The file took the name of another one. The directory is not flushed yet.
    Replaced(FileId),
    /// The directory was flushed: the file keeps the name that it has.
    NameFlushed,
}

/// The changes to all files of a [`RecordingFileSystem`](crate::RecordingFileSystem). Clones share
/// them.
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
