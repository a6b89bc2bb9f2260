//! A file system that records every change in a journal.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{
    Access, FileKey, FilePermissions, FileStatus, FileSystem, Location, PendingFile, Placed,
    StoreFile, Visibility,
};

use crate::journal::{Change, FileId, Journal};

/// Records the changes that succeed on another file system. A journal belongs to one store, and
/// covers all its openings and the files beside it. The store is the first file that is opened or
/// created.
#[derive(Debug)]
pub struct RecordingFileSystem {
    inner: Arc<dyn FileSystem>,
    journal: Journal,
    names: Arc<Names>,
}

/// Which file has which path.
#[derive(Debug, Default)]
struct Names(Mutex<(BTreeMap<PathBuf, FileId>, FileId)>);

impl Names {
    /// The file at this path; a new one if none is known.
    fn id(&self, path: &Path) -> FileId {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (names, count) = &mut *state;
        *names.entry(path.to_owned()).or_insert_with(|| {
            *count += 1;
            *count - 1
        })
    }

    /// A new file that has no path yet.
    fn nameless(&self) -> FileId {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        state.1 - 1
    }

    /// Gives the file `id` this path. Returns the file that had it before.
    fn replace(&self, path: &Path, id: FileId) -> Option<FileId> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.insert(path.to_owned(), id)
    }
}

impl RecordingFileSystem {
    /// Records changes to the files of `inner`.
    pub fn new(inner: Arc<dyn FileSystem>, journal: Journal) -> Self {
        Self { inner, journal, names: Arc::default() }
    }
}

impl FileSystem for RecordingFileSystem {
    fn locate(&self, path: &Path) -> io::Result<Arc<dyn Location>> {
        Ok(Arc::new(RecordingLocation {
            inner: self.inner.locate(path)?,
            journal: self.journal.clone(),
            names: Arc::clone(&self.names),
        }))
    }
}

/// A path of a [`RecordingFileSystem`].
#[derive(Debug)]
struct RecordingLocation {
    inner: Arc<dyn Location>,
    journal: Journal,
    names: Arc<Names>,
}

impl RecordingLocation {
    fn pending(&self, inner: Box<dyn PendingFile>, becomes: Becomes) -> Box<dyn PendingFile> {
        let file = RecordingFile {
            inner: inner.file(),
            id: self.names.nameless(),
            // Nobody sees a new file until it has its name, so it is recorded as one change.
            is_hidden: Arc::new(AtomicBool::new(becomes == Becomes::New)),
            journal: self.journal.clone(),
        };
        let names = Arc::clone(&self.names);
        Box::new(RecordingPending { inner, file: Arc::new(file), becomes, names })
    }
}

impl Location for RecordingLocation {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.inner.key()
    }

    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        let inner = self.inner.open(access)?;
        let id = self.names.id(self.path());
        Ok(Arc::new(RecordingFile {
            inner,
            id,
            is_hidden: Arc::default(),
            journal: self.journal.clone(),
        }))
    }

    fn create_pending(&self, visibility: Visibility) -> io::Result<Box<dyn PendingFile>> {
        Ok(self.pending(self.inner.create_pending(visibility)?, Becomes::New))
    }

    fn create_replacement(&self, old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        Ok(self.pending(self.inner.create_replacement(old)?, Becomes::Replacement))
    }

    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>> {
        Ok(self.pending(self.inner.create_aside()?, Becomes::Aside))
    }

    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>> {
        self.inner.create_spool()
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.inner.sync_directory()?;
        self.journal.push(self.names.id(self.path()), Change::NameFlushed);
        Ok(())
    }

    fn remove_orphans(&self, is_ours: &dyn Fn(&dyn StoreFile) -> bool) -> io::Result<u64> {
        self.inner.remove_orphans(is_ours)
    }
}

/// What a pending file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    New,
    Replacement,
    Aside,
}

/// A pending file of a [`RecordingFileSystem`].
#[derive(Debug)]
struct RecordingPending {
    inner: Box<dyn PendingFile>,
    file: Arc<RecordingFile<Arc<dyn StoreFile>>>,
    becomes: Becomes,
    names: Arc<Names>,
}

impl PendingFile for RecordingPending {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::clone(&self.file) as Arc<dyn StoreFile>
    }

    fn place(self: Box<Self>) -> io::Result<Placed> {
        let Self { inner, file, becomes, names } = *self;
        let placed = inner.place()?;
        let old = names.replace(placed.path(), file.id);
        match (becomes, old) {
            (Becomes::New, _) => {
                // This does not read through `file`, whose calls would be counted.
                let bytes = std::fs::read(placed.path())?;
                file.is_hidden.store(false, Ordering::Relaxed);
                file.journal.push(file.id, Change::Created(bytes.into()));
            }
            (Becomes::Replacement, Some(old)) => file.journal.push(file.id, Change::Replaced(old)),
            (Becomes::Replacement | Becomes::Aside, _) => {}
        }
        Ok(placed)
    }
}

/// A file of a [`RecordingFileSystem`].
#[derive(Debug)]
pub struct RecordingFile<F> {
    inner: F,
    id: FileId,
    is_hidden: Arc<AtomicBool>,
    journal: Journal,
}

impl<F> RecordingFile<F> {
    fn push(&self, change: Change) {
        if !self.is_hidden.load(Ordering::Relaxed) {
            self.journal.push(self.id, change);
        }
    }
}

impl<F> StoreFile for RecordingFile<F>
where
    F: Deref + Debug + Send + Sync,
    F::Target: StoreFile,
{
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let written = self.inner.write_at(bytes, offset)?;
        let bytes = bytes[..written].into();
        self.push(Change::Write { offset, bytes });
        Ok(written)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)?;
        self.push(Change::SetLen(len));
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.allocate(offset, len)?;
        self.push(Change::Allocate { end: offset + len });
        Ok(())
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.punch_hole(offset, len)?;
        // The hole reads as zeros. Like other bytes, they are not on the medium before a flush.
        let bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?].into();
        self.push(Change::Write { offset, bytes });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let result = self.inner.sync();
        let change = if result.is_ok() { Change::Flush } else { Change::FailedFlush };
        self.push(change);
        result
    }

    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map> {
        self.inner.map(alignment, need, wish)
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        self.inner.next_data(offset)
    }

    fn next_hole(&self, offset: u64) -> io::Result<u64> {
        self.inner.next_hole(offset)
    }

    fn status(&self) -> io::Result<FileStatus> {
        self.inner.status()
    }

    fn set_permissions(&self, permissions: FilePermissions) -> io::Result<()> {
        self.inner.set_permissions(permissions)
    }

    fn max_len(&self) -> io::Result<u64> {
        self.inner.max_len()
    }

    fn may_maps_lag(&self) -> io::Result<bool> {
        self.inner.may_maps_lag()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.inner.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.inner.unlock()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.inner.key()
    }

    fn is_on_network(&self) -> io::Result<bool> {
        self.inner.is_on_network()
    }
}
