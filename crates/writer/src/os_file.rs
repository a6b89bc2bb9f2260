//! The real file system behind the file trait.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Foreign, FormatError, Map};

use crate::error::WriteError;
use crate::file::{Access, FileKey, FileSystem, Replacement, StoreFile};
use crate::platform;
use tempfile::NamedTempFile;

/// A file of the operating system.
#[derive(Debug)]
pub struct OsFile(File);

impl OsFile {
    /// Wraps an open file.
    pub fn new(file: File) -> Self {
        Self(file)
    }
}

impl StoreFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        platform::read_at(&self.0, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        platform::write_at(&self.0, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        platform::allocate(&self.0, offset, len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        platform::punch_hole(&self.0, offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync, which includes the length; F_FULLFSYNC on macOS.
        self.0.sync_data()
    }

    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map> {
        Map::reserve(&self.0, alignment, need, wish)
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        platform::next_data(&self.0, offset)
    }

    fn next_hole(&self, offset: u64) -> io::Result<u64> {
        platform::next_hole(&self.0, offset)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }

    fn key(&self) -> io::Result<FileKey> {
        platform::key(&self.0.metadata()?)
    }

    fn adopt_permissions(&self, path: &Path) -> io::Result<()> {
        platform::adopt_permissions(&self.0, &fs::metadata(path)?)
    }

    fn is_on_network(&self) -> io::Result<bool> {
        platform::is_on_network(&self.0)
    }
}

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        // Before opening: a FIFO would make `open` wait, and opening a device may do things.
        refuse_special(&fs::metadata(path)?)?;
        let file = platform::open(path, access == Access::ReadWrite)?;
        // And after: the path may name something else by now.
        refuse_special(&file.metadata()?)?;
        Ok(Arc::new(OsFile(file)))
    }

    fn create(
        &self,
        path: &Path,
        fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
    ) -> io::Result<Arc<dyn StoreFile>> {
        let mut builder = temporary_builder();
        platform::ordinary_permissions(&mut builder);
        let temporary = builder.tempfile_in(directory_of(path))?;
        let file = OsFile(temporary.as_file().try_clone()?);
        fill(&file)?;
        file.sync()?;
        temporary.persist_noclobber(path).map_err(|error| error.error)?;
        platform::sync_directory(directory_of(path)).inspect_err(|_| {
            // Complete, or not at all. It is new: nobody but a reader can have opened it.
            let _ = fs::remove_file(path);
        })?;
        Ok(Arc::new(file))
    }

    fn create_replacement(&self, path: &Path) -> io::Result<Box<dyn Replacement>> {
        let path = fs::canonicalize(path)?;
        let metadata = fs::metadata(&path)?;
        let links = platform::links(&metadata);
        if links > 1 {
            return Err(WriteError::HardLinked { links }.into());
        }
        // Private until it has the other's mode: whoever could open it now could read what comes.
        let temporary = temporary_builder().tempfile_in(directory_of(&path))?;
        platform::copy_owner_and_mode(temporary.as_file(), &metadata)?;
        let file = Arc::new(OsFile(temporary.as_file().try_clone()?));
        Ok(Box::new(OsReplacement { file, temporary, path, replaces: true }))
    }

    fn create_pending(&self, path: &Path) -> io::Result<Box<dyn Replacement>> {
        // Not `exists`, which takes a link that leads nowhere for nothing.
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let temporary = temporary_builder().tempfile_in(directory_of(path))?;
        let file = Arc::new(OsFile(temporary.as_file().try_clone()?));
        Ok(Box::new(OsReplacement { file, temporary, path: path.to_owned(), replaces: false }))
    }

    fn key_of(&self, path: &Path) -> io::Result<FileKey> {
        platform::key(&fs::metadata(path)?)
    }

    fn create_aside(&self, beside: &Path) -> io::Result<(PathBuf, Arc<dyn StoreFile>)> {
        let directory = directory_of(beside);
        let mut prefix = beside.file_name().unwrap_or_default().to_os_string();
        prefix.push(".cut-");
        let temporary = tempfile::Builder::new().prefix(&prefix).tempfile_in(directory)?;
        // Its name must be on the medium before anything is cut off.
        platform::sync_directory(directory)?;
        let (file, path) = temporary.keep().map_err(|error| error.error)?;
        Ok((path, Arc::new(OsFile(file))))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory_of(&self, path: &Path) -> io::Result<()> {
        platform::sync_directory(directory_of(&fs::canonicalize(path)?))
    }
}

/// A file that is about to take its place, or another one's.
#[derive(Debug)]
struct OsReplacement {
    file: Arc<OsFile>,
    temporary: NamedTempFile,
    path: PathBuf,
    /// Whether something may be at the path.
    replaces: bool,
}

impl Replacement for OsReplacement {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::clone(&self.file) as Arc<dyn StoreFile>
    }

    fn replace(self: Box<Self>) -> io::Result<()> {
        let result = if self.replaces {
            self.temporary.persist(&self.path)
        } else {
            self.temporary.persist_noclobber(&self.path)
        };
        result.map_err(|error| error.error)?;
        platform::sync_directory(directory_of(&self.path)).inspect_err(|_| {
            // A new file appears complete, or not at all. Nobody but a reader can have opened it.
            if !self.replaces {
                let _ = fs::remove_file(&self.path);
            }
        })
    }
}

fn temporary_builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".simd-r-drive-");
    builder
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn refuse_special(metadata: &fs::Metadata) -> io::Result<()> {
    match platform::special_kind(metadata.file_type()) {
        Some(kind) => Err(FormatError::NotAStore(kind).into()),
        None => Ok(()),
    }
}

/// What a file type is if it is no regular file.
pub(crate) fn directory_or_other(file_type: fs::FileType) -> Option<Foreign> {
    if file_type.is_dir() {
        Some(Foreign::Directory)
    } else if file_type.is_file() {
        None
    } else {
        Some(Foreign::Device)
    }
}
