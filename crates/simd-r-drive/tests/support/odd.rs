//! A file system that behaves as the machine at hand does not.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{
    Access, FileKey, FileStatus, FileSystem, Location, OsFileSystem, PendingFile, Placed,
    StoreFile, Visibility,
};

/// What is odd about a file system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Odd {
    /// It is a network file system.
    pub(crate) is_on_network: bool,
    /// It cannot allocate space ahead.
    pub(crate) cannot_allocate: bool,
    /// It has no space left for what the store's own thread writes.
    pub(crate) refuses_background_writes: bool,
    /// It cannot flush a directory in which a file has been replaced.
    pub(crate) cannot_flush_directories: bool,
}

#[derive(Debug)]
pub(crate) struct OddFileSystem(pub(crate) Odd);

#[derive(Debug)]
struct OddFile<F> {
    file: F,
    odd: Odd,
}

impl FileSystem for OddFileSystem {
    fn locate(&self, path: &Path) -> io::Result<Arc<dyn Location>> {
        Ok(Arc::new(OddLocation {
            inner: OsFileSystem.locate(path)?,
            odd: self.0,
            has_replacement: AtomicBool::new(false),
        }))
    }
}

#[derive(Debug)]
struct OddLocation {
    inner: Arc<dyn Location>,
    odd: Odd,
    has_replacement: AtomicBool,
}

impl Location for OddLocation {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.inner.key()
    }

    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        Ok(Arc::new(OddFile { file: self.inner.open(access)?, odd: self.odd }))
    }

    fn create_pending(&self, visibility: Visibility) -> io::Result<Box<dyn PendingFile>> {
        let inner = self.inner.create_pending(visibility)?;
        Ok(Box::new(OddPending { inner, odd: self.odd }))
    }

    fn create_replacement(&self, old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        let inner = self.inner.create_replacement(old)?;
        self.has_replacement.store(true, Ordering::Relaxed);
        Ok(Box::new(OddPending { inner, odd: self.odd }))
    }

    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>> {
        self.inner.create_aside()
    }

    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>> {
        self.inner.create_spool()
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.odd.cannot_flush_directories && self.has_replacement.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.inner.sync_directory()
    }
}

#[derive(Debug)]
struct OddPending {
    inner: Box<dyn PendingFile>,
    odd: Odd,
}

impl PendingFile for OddPending {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::new(OddFile { file: self.inner.file(), odd: self.odd })
    }

    fn place(self: Box<Self>) -> io::Result<Placed> {
        self.inner.place()
    }
}

impl<F: std::ops::Deref<Target: StoreFile> + std::fmt::Debug + Send + Sync> StoreFile
    for OddFile<F>
{
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let is_background = std::thread::current().name() == Some("simd-r-drive");
        if self.odd.refuses_background_writes && is_background {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        if self.odd.cannot_allocate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.file.allocate(offset, len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.punch_hole(offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map> {
        self.file.map(alignment, need, wish)
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        self.file.next_data(offset)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.file.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.file.key()
    }

    fn status(&self) -> io::Result<FileStatus> {
        self.file.status()
    }

    fn is_on_network(&self) -> io::Result<bool> {
        Ok(self.odd.is_on_network)
    }
}
