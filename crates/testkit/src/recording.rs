//! A file system that keeps a journal of every change.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{Access, FileKey, FileSystem, OsFileSystem, Replacement, StoreFile};

use crate::journal::{Change, FileId, Journal};

/// Records what succeeds on another file system. A journal is that of one store, the first file that is opened or
/// created by its name, across as many openings as there are; and of the files beside it.
#[derive(Debug)]
pub struct RecordingFileSystem {
    inner: Arc<dyn FileSystem>,
    journal: Journal,
    names: Arc<Names>,
}

/// Which file has which name.
#[derive(Debug, Default)]
struct Names(Mutex<(BTreeMap<PathBuf, FileId>, FileId)>);

impl Names {
    /// The file that has this name; a new one if none was known to.
    fn id(&self, path: &Path) -> FileId {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (names, count) = &mut *state;
        *names.entry(path.to_owned()).or_insert_with(|| {
            *count += 1;
            *count - 1
        })
    }

    /// A file that has no name yet that anybody knows.
    fn nameless(&self) -> FileId {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        state.1 - 1
    }

    /// Returns the file that had the name before.
    fn replace(&self, path: &Path, id: FileId) -> Option<FileId> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.insert(path.to_owned(), id)
    }
}

impl RecordingFileSystem {
    /// Records what is done to the files of `inner`.
    pub fn new(inner: Arc<dyn FileSystem>, journal: Journal) -> Self {
        Self { inner, journal, names: Arc::default() }
    }

    fn record<F>(&self, inner: F, id: FileId) -> RecordingFile<F> {
        RecordingFile { inner, id, journal: self.journal.clone() }
    }

    fn on_its_way(
        &self,
        path: &Path,
        inner: Box<dyn Replacement>,
    ) -> io::Result<Box<dyn Replacement>> {
        Ok(Box::new(RecordingReplacement {
            key: inner.file().key()?,
            inner,
            id: self.names.nameless(),
            path: path.to_owned(),
            journal: self.journal.clone(),
            names: Arc::clone(&self.names),
        }))
    }
}

impl FileSystem for RecordingFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        let file = self.inner.open(path, access)?;
        Ok(Arc::new(self.record(file, self.names.id(path))))
    }

    fn create(
        &self,
        path: &Path,
        fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
    ) -> io::Result<Arc<dyn StoreFile>> {
        // Until it has its name nobody sees the file: one change, not many.
        let file = self.inner.create(path, fill)?;
        // Not through the file, where that would be calls of its own.
        let bytes = std::fs::read(path)?;
        let id = self.names.id(path);
        self.journal.push(id, Change::Created(bytes.into()));
        Ok(Arc::new(self.record(file, id)))
    }

    fn key_of(&self, path: &Path) -> io::Result<FileKey> {
        self.inner.key_of(path)
    }

    fn create_aside(&self, beside: &Path) -> io::Result<(PathBuf, Arc<dyn StoreFile>)> {
        let (path, file) = self.inner.create_aside(beside)?;
        let id = self.names.id(&path);
        Ok((path, Arc::new(self.record(file, id))))
    }

    fn create_replacement(&self, path: &Path) -> io::Result<Box<dyn Replacement>> {
        self.on_its_way(path, self.inner.create_replacement(path)?)
    }

    fn create_pending(&self, path: &Path) -> io::Result<Box<dyn Replacement>> {
        self.on_its_way(path, self.inner.create_pending(path)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_directory_of(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_directory_of(path)?;
        self.journal.push(self.names.id(path), Change::NameFlushed);
        Ok(())
    }
}

/// A file on its way, of a [`RecordingFileSystem`].
#[derive(Debug)]
struct RecordingReplacement {
    inner: Box<dyn Replacement>,
    id: FileId,
    key: FileKey,
    path: PathBuf,
    journal: Journal,
    names: Arc<Names>,
}

impl Replacement for RecordingReplacement {
    fn file(&self) -> Arc<dyn StoreFile> {
        let (inner, journal) = (self.inner.file(), self.journal.clone());
        Arc::new(RecordingFile { inner, id: self.id, journal })
    }

    fn replace(self: Box<Self>) -> io::Result<()> {
        let result = self.inner.replace();
        // Of the two steps the first may have succeeded alone.
        if result.is_ok() || OsFileSystem.key_of(&self.path).is_ok_and(|key| key == self.key) {
            if let Some(old) = self.names.replace(&self.path, self.id) {
                self.journal.push(self.id, Change::Replaced(old));
            }
            if result.is_ok() {
                self.journal.push(self.id, Change::NameFlushed);
            }
        }
        result
    }
}

/// A file of a [`RecordingFileSystem`].
#[derive(Debug)]
pub struct RecordingFile<F> {
    inner: F,
    id: FileId,
    journal: Journal,
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
        self.journal.push(self.id, Change::Write { offset, bytes });
        Ok(written)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)?;
        self.journal.push(self.id, Change::SetLen(len));
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.allocate(offset, len)?;
        self.journal.push(self.id, Change::Allocate { end: offset + len });
        Ok(())
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.punch_hole(offset, len)?;
        // Zeros, which are as little on the medium before a flush as other bytes are.
        let bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?].into();
        self.journal.push(self.id, Change::Write { offset, bytes });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let result = self.inner.sync();
        let change = if result.is_ok() { Change::Flush } else { Change::FailedFlush };
        self.journal.push(self.id, change);
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

    fn adopt_permissions(&self, path: &Path) -> io::Result<()> {
        self.inner.adopt_permissions(path)
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
