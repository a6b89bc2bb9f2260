//! A file system that behaves as the machine at hand does not.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{Access, FileKey, FileSystem, OsFileSystem, Replacement, StoreFile};

/// What is odd about a file system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Odd {
    /// It is a network file system.
    pub(crate) is_on_network: bool,
    /// It cannot allocate space ahead.
    pub(crate) cannot_allocate: bool,
    /// It has no space left for what the store's own thread writes.
    pub(crate) refuses_background_writes: bool,
    /// It cannot flush a directory.
    pub(crate) cannot_flush_directories: bool,
}

#[derive(Debug)]
pub(crate) struct OddFileSystem(pub(crate) Odd);

#[derive(Debug)]
struct OddFile<F> {
    file: F,
    odd: Odd,
}

impl OddFileSystem {
    fn wrap(&self, file: Arc<dyn StoreFile>) -> Arc<dyn StoreFile> {
        Arc::new(OddFile { file, odd: self.0 })
    }
}

impl FileSystem for OddFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        OsFileSystem.open(path, access).map(|file| self.wrap(file))
    }

    fn create(
        &self,
        path: &Path,
        fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
    ) -> io::Result<Arc<dyn StoreFile>> {
        let mut fill = |file: &dyn StoreFile| fill(&OddFile { file, odd: self.0 });
        OsFileSystem.create(path, &mut fill).map(|file| self.wrap(file))
    }

    fn create_replacement(&self, path: &Path) -> io::Result<Box<dyn Replacement>> {
        let replacement = OsFileSystem.create_replacement(path)?;
        Ok(Box::new(OddReplacement { replacement, odd: self.0 }))
    }

    fn key_of(&self, path: &Path) -> io::Result<FileKey> {
        OsFileSystem.key_of(path)
    }

    fn create_aside(&self, beside: &Path) -> io::Result<(PathBuf, Arc<dyn StoreFile>)> {
        OsFileSystem.create_aside(beside)
    }
}

#[derive(Debug)]
struct OddReplacement {
    replacement: Box<dyn Replacement>,
    odd: Odd,
}

impl Replacement for OddReplacement {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::new(OddFile { file: self.replacement.file(), odd: self.odd })
    }

    fn replace(self: Box<Self>) -> io::Result<()> {
        self.replacement.replace()?;
        if self.odd.cannot_flush_directories {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(())
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

    fn is_on_network(&self) -> io::Result<bool> {
        Ok(self.odd.is_on_network)
    }
}
