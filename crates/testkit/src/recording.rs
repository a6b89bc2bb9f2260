//! A file system that keeps a journal of every change.

use std::fmt::Debug;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{Access, FileKey, FileSystem, StoreFile, read_full_at};

use crate::journal::{Change, FileId, Journal};

/// Records what succeeds on another file system. Every file that is opened or created by its name is taken
/// for the store, so a journal is that of one store, across as many openings as there are.
#[derive(Debug)]
pub struct RecordingFileSystem {
    inner: Arc<dyn FileSystem>,
    journal: Journal,
    asides: AtomicUsize,
}

impl RecordingFileSystem {
    /// Records what is done to the files of `inner`.
    pub fn new(inner: Arc<dyn FileSystem>, journal: Journal) -> Self {
        Self { inner, journal, asides: AtomicUsize::new(0) }
    }

    fn record<F>(&self, inner: F, id: FileId) -> RecordingFile<F> {
        RecordingFile { inner, id, journal: self.journal.clone() }
    }
}

impl FileSystem for RecordingFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        Ok(Arc::new(self.record(self.inner.open(path, access)?, 0)))
    }

    fn create(
        &self,
        path: &Path,
        fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
    ) -> io::Result<Arc<dyn StoreFile>> {
        // Until it has its name nobody sees the file: one change, not many.
        let file = self.inner.create(path, fill)?;
        let mut bytes = vec![0; file.len()? as usize];
        read_full_at(&*file, &mut bytes, 0)?;
        self.journal.push(0, Change::Created(bytes.into()));
        Ok(Arc::new(self.record(file, 0)))
    }

    fn key_of(&self, path: &Path) -> io::Result<FileKey> {
        self.inner.key_of(path)
    }

    fn create_aside(&self, beside: &Path) -> io::Result<(PathBuf, Arc<dyn StoreFile>)> {
        let (path, file) = self.inner.create_aside(beside)?;
        let id = self.asides.fetch_add(1, Ordering::Relaxed) + 1;
        Ok((path, Arc::new(self.record(file, id))))
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
