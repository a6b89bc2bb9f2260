//! Names of files: what the engine needs from a file system and its directories.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::{FileKey, StoreFile};

/// Resolves paths. [`OsFileSystem`](crate::OsFileSystem) is the real implementation.
pub trait FileSystem: fmt::Debug + Send + Sync {
    /// Resolves `path` once: follows symbolic links and opens the directory. The file need not
    /// exist.
    ///
    /// # Errors
    /// [`WriteError::NoDirectory`](crate::WriteError::NoDirectory) if the directory does not exist;
    /// [`FormatError::NotAStore`](simd_r_drive_entry_handle::FormatError::NotAStore) if the path
    /// names a directory; any error of the operating system.
    fn locate(&self, path: &Path) -> io::Result<Arc<dyn Location>>;
}

/// A name in a directory that is held open.
///
/// All calls act in that directory, whatever happens to the path: the process may change its
/// working directory, the directory may be renamed, or a symbolic link on the way may be changed.
/// The name itself may come to mean another file; [`Location::key`] detects this.
pub trait Location: fmt::Debug + Send + Sync {
    /// The absolute path as it was resolved. For messages.
    fn path(&self) -> &Path;

    /// Identifies the file that has the name now.
    ///
    /// # Errors
    /// `NotFound` if there is none, or if the name is a symbolic link.
    fn key(&self) -> io::Result<FileKey>;

    /// Opens the file that has the name now. Does not follow a symbolic link.
    ///
    /// # Errors
    /// [`FormatError::NotAStore`](simd_r_drive_entry_handle::FormatError::NotAStore) for a
    /// directory, FIFO, socket or device, without blocking; any error of the operating system.
    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>>;

    /// Creates a file that will get the name, which must be free. The file is not visible before it
    /// is placed.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken. If it is taken only later, [`PendingFile::place`]
    /// fails.
    fn create_pending(&self, visibility: Visibility) -> io::Result<Box<dyn PendingFile>>;

    /// Creates a file that will take over the name and the permissions of `old`. The file is not
    /// visible before it is placed.
    ///
    /// # Errors
    /// [`WriteError::NameLost`](crate::WriteError::NameLost) if the name no longer belongs to
    /// `old`; [`WriteError::HardLinked`](crate::WriteError::HardLinked) if `old` has other names,
    /// which would still name it; [`WriteError::MountPoint`](crate::WriteError::MountPoint);
    /// `Unsupported` if the file system cannot do this.
    fn create_replacement(&self, _old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates a private file for bytes that are about to be cut off. Once placed, it has an
    /// unpredictable name that begins with this one (truncated if necessary) and `.cut-`. If the
    /// directory accepts no files, it is created in the system's directory for temporary files.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>>;

    /// Creates an unnamed file that vanishes when it is closed, in the same directory, or in the
    /// system's directory for temporary files if the former accepts no files.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>>;

    /// Flushes the directory, so that its names are durable. Does nothing on systems that cannot do
    /// this.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn sync_directory(&self) -> io::Result<()>;

    /// Removes files with temporary names that a killed process left behind: those that are not
    /// locked and for which `is_ours` returns true. Returns their number.
    ///
    /// # Errors
    /// Any error of the operating system for the directory. Files that cannot be opened or removed
    /// stay.
    fn remove_orphans(&self, _is_ours: &dyn Fn(&dyn StoreFile) -> bool) -> io::Result<u64> {
        Ok(0)
    }
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read-only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// Who may open a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Everyone the process's file mode creation mask (umask) allows.
    Ordinary,
    /// Only its owner.
    Private,
}

/// A file that has no name yet, or only a temporary one. It vanishes when dropped.
pub trait PendingFile: fmt::Debug + Send {
    /// The file.
    fn file(&self) -> Arc<dyn StoreFile>;

    /// Gives the file its name, atomically. Flushes neither the file nor the directory.
    ///
    /// A file that replaces another one gets the current permissions of that file. The two exchange
    /// their names if the system supports it. If the displaced file is not the one that was to be
    /// replaced, they are exchanged back.
    ///
    /// # Errors
    /// `AlreadyExists` if the name of a new file is taken;
    /// [`WriteError::NameLost`](crate::WriteError::NameLost) if the name no longer belongs to the
    /// file to be replaced; any error of the operating system. After an error the name is
    /// unchanged, except for [`WriteError::PlacementUnknown`](crate::WriteError::PlacementUnknown).
    fn place(self: Box<Self>) -> io::Result<Placed>;
}

/// A file that has been given its name. Its directory still has to be flushed.
pub struct Placed {
    path: PathBuf,
    remove: Box<Cleanup>,
    remove_displaced: Option<Box<Cleanup>>,
}

/// Removes a name.
type Cleanup = dyn FnOnce() -> io::Result<()> + Send;

impl Placed {
    /// A file with the name `path`, which `remove` removes again.
    pub fn new(path: PathBuf, remove: impl FnOnce() -> io::Result<()> + Send + 'static) -> Self {
        Self { path, remove: Box::new(remove), remove_displaced: None }
    }

    /// Adds the function that removes the replaced file.
    #[must_use]
    pub fn displacing(mut self, remove: impl FnOnce() -> io::Result<()> + Send + 'static) -> Self {
        self.remove_displaced = Some(Box::new(remove));
        self
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file's name again. For new files, which replace nothing.
    ///
    /// # Errors
    /// Any error of the operating system.
    pub fn remove(self) -> io::Result<()> {
        (self.remove)()
    }

    /// Removes the replaced file, which still has a temporary name. Call it only after the
    /// directory has been flushed: before, a power loss could undo the exchange of names but not
    /// the removal.
    pub fn remove_displaced(self) {
        if let Some(remove) = self.remove_displaced {
            // On failure, the next opening after a crash, or the next compaction, removes it.
            let _ = remove();
        }
    }
}

impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placed").field("path", &self.path).finish_non_exhaustive()
    }
}
