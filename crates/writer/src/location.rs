//! Names of files: what the engine asks of a file system and of its directories.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::{FileKey, StoreFile};

/// Finds the place that a path names. The real one is [`OsFileSystem`](crate::OsFileSystem).
pub trait FileSystem: fmt::Debug + Send + Sync {
    /// Resolves `path` once: symbolic links are followed, and the directory is opened. The file need not exist.
    ///
    /// # Errors
    /// [`WriteError::NoDirectory`](crate::WriteError::NoDirectory) if there is no such directory;
    /// [`FormatError::NotAStore`](simd_r_drive_entry_handle::FormatError::NotAStore) if the path names a
    /// directory; the operating system's.
    fn locate(&self, path: &Path) -> io::Result<Arc<dyn Location>>;
}

/// A name in a directory that is held open.
///
/// All calls work in that directory, whatever becomes of the path: the process may change its own directory, the
/// directory may be renamed, a link on the way to it may lead elsewhere. The name itself may still come to mean
/// another file; [`Location::key`] tells.
pub trait Location: fmt::Debug + Send + Sync {
    /// The path at the time when it was resolved, absolute. For messages.
    fn path(&self) -> &Path;

    /// Which file has the name at the moment.
    ///
    /// # Errors
    /// `NotFound` if there is none, or a symbolic link in its place.
    fn key(&self) -> io::Result<FileKey>;

    /// Opens the file that has the name at the moment. A symbolic link is not followed.
    ///
    /// # Errors
    /// [`FormatError::NotAStore`](simd_r_drive_entry_handle::FormatError::NotAStore) for a directory, FIFO,
    /// socket or device, without waiting for anything; the operating system's.
    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>>;

    /// Creates a file that is to get the name, which nothing has yet. Nobody sees it before it is placed.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken. If it is taken only later, [`PendingFile::place`] says so.
    fn create_pending(&self, visibility: Visibility) -> io::Result<Box<dyn PendingFile>>;

    /// Creates a file that is to get the name of `old`, and its permissions. Nobody sees it before it is placed.
    ///
    /// # Errors
    /// [`WriteError::NameLost`](crate::WriteError::NameLost) if the name is no longer that of `old`;
    /// [`WriteError::HardLinked`](crate::WriteError::HardLinked) if `old` has other names, which would go on
    /// naming it; [`WriteError::MountPoint`](crate::WriteError::MountPoint); `Unsupported` if the file system
    /// cannot.
    fn create_replacement(&self, _old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates a private file for bytes that are about to be cut off. Once it is placed, its unpredictable name
    /// begins with this one (cut to what fits) and `.cut-`. Where the directory takes no files, it lies in the
    /// system's directory for temporary files.
    ///
    /// # Errors
    /// The operating system's.
    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>>;

    /// Creates a file without a name, which vanishes when it is closed: in the same directory, or where that
    /// takes none, in the system's directory for temporary files.
    ///
    /// # Errors
    /// The operating system's.
    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>>;

    /// Flushes the directory, so that names in it last. Where there is no such thing, nothing happens.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_directory(&self) -> io::Result<()>;

    /// Removes files with temporary names that a process left when it was killed: those that nobody has locked
    /// and for which `is_ours` says so. Returns how many.
    ///
    /// # Errors
    /// The operating system's, for the directory. A file that cannot be opened or removed stays.
    fn remove_orphans(&self, _is_ours: &dyn Fn(&dyn StoreFile) -> bool) -> io::Result<u64> {
        Ok(0)
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// Who may open a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Those that the process's file mode creation mask (umask) allows.
    Ordinary,
    /// Its owner alone.
    Private,
}

/// A file that has no name yet, or a temporary one. Dropped, it vanishes.
pub trait PendingFile: fmt::Debug + Send {
    /// The file.
    fn file(&self) -> Arc<dyn StoreFile>;

    /// Gives the file its name, at once. Flushes neither the file nor the directory.
    ///
    /// A file that takes another one's name gets the permissions that the other has now. The two exchange their
    /// names where the system can do that, and if what came away is not the file that was to be replaced, they
    /// do so again.
    ///
    /// # Errors
    /// `AlreadyExists` if a new file's name is taken; [`WriteError::NameLost`](crate::WriteError::NameLost) if
    /// the name is no longer that of the file to be replaced; the operating system's. The name is as it was,
    /// but for [`WriteError::PlacementUnknown`](crate::WriteError::PlacementUnknown).
    fn place(self: Box<Self>) -> io::Result<Placed>;
}

/// A file that has got its name. Its directory is yet to be flushed.
pub struct Placed {
    path: PathBuf,
    remove: Box<Cleanup>,
    remove_displaced: Option<Box<Cleanup>>,
}

/// Takes a name away.
type Cleanup = dyn FnOnce() -> io::Result<()> + Send;

impl Placed {
    /// A file with the name `path`, which `remove` takes away again.
    pub fn new(path: PathBuf, remove: impl FnOnce() -> io::Result<()> + Send + 'static) -> Self {
        Self { path, remove: Box::new(remove), remove_displaced: None }
    }

    /// And what removes the file whose name this one has got.
    #[must_use]
    pub fn displacing(mut self, remove: impl FnOnce() -> io::Result<()> + Send + 'static) -> Self {
        self.remove_displaced = Some(Box::new(remove));
        self
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file's name away again. For new files, which replace nothing.
    ///
    /// # Errors
    /// The operating system's.
    pub fn remove(self) -> io::Result<()> {
        (self.remove)()
    }

    /// Removes the file that was replaced, which still has a temporary name. Called once the directory is
    /// flushed: before, a loss of power could undo the exchange of names and not the removal.
    pub fn remove_displaced(self) {
        if let Some(remove) = self.remove_displaced {
            // If this fails, the next opening after a crash, or compaction, removes it.
            let _ = remove();
        }
    }
}

impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed").field("path", &self.path).finish_non_exhaustive()
    }
}
