//! The file trait. Every byte that the engine reads, writes, maps or flushes goes through it.

use std::fmt::Debug;
use std::io;

use simd_r_drive_entry_handle::{Alignment, Map};

/// An open file of a store. All calls are positional: there is no cursor, and calls may come from
/// any thread.
///
/// [`OsFile`](crate::OsFile) is the real implementation. Tests use files that fail, tear or record
/// writes. Implementations neither retry nor loop; [`read_full_at`] and [`write_all_at`] do.
pub trait StoreFile: Debug + Send + Sync {
    /// Length of the file in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads up to `buffer.len()` bytes at `offset`. Returns 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes up to `bytes.len()` bytes at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Truncates the file, or extends it with a hole that takes no space.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the file at least `offset + len` bytes long and allocates space for that range.
    ///
    /// # Errors
    /// `Unsupported` if the file system cannot allocate. Writing then simply extends the file.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Gives the space of a range back to the file system. The range then reads as zeros.
    ///
    /// # Errors
    /// `Unsupported` if the file system cannot do this. Nothing changes then.
    fn punch_hole(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Flushes data, and the metadata needed to read it back, to the medium.
    fn sync(&self) -> io::Result<()>;

    /// Maps the file; see [`Map::reserve`].
    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map>;

    /// The first offset at or after `offset` that may hold data; everything before it is zeros.
    /// `None` if only zeros follow. Saves reading holes. `Some(offset)` is always correct.
    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        Ok(Some(offset))
    }

    /// The start of the first hole after `offset`, which holds data, or the end of the file.
    /// `u64::MAX` is always correct.
    fn next_hole(&self, _offset: u64) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    /// Tries to take the writer's lock without waiting. `false` if another handle holds it. The
    /// lock belongs to this open file, so a second handle of the same process is refused too.
    fn try_lock(&self) -> io::Result<bool>;

    /// Releases the writer's lock. A forked child must not call it, since parent and child share
    /// the lock.
    fn unlock(&self) -> io::Result<()>;

    /// Identifies the file itself, whatever its path.
    fn key(&self) -> io::Result<FileKey>;

    /// What the system knows about the file besides its contents.
    ///
    /// # Errors
    /// Any error of the operating system; `Unsupported` if this is not a file of a file system.
    fn status(&self) -> io::Result<FileStatus> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the file these permissions, and this owner and group as far as the process is allowed
    /// to. If the group cannot be set, the group's permissions are reduced to those of others. Does
    /// nothing on systems without permissions.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn set_permissions(&self, _permissions: FilePermissions) -> io::Result<()> {
        Ok(())
    }

    /// The maximum length to which this process may grow the file, in bytes. Writing beyond it
    /// fails. Callers check it before writing, because exceeding a file size limit sends a signal
    /// that kills a process without a handler for it.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn max_len(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    /// Whether maps of the file may still show another file's contents while reads show this one's.
    /// This happens on an overlay file system if a file was opened for reading before it was first
    /// opened for writing.
    ///
    /// # Errors
    /// Any error of the operating system.
    fn may_maps_lag(&self) -> io::Result<bool> {
        Ok(false)
    }

    /// Whether the file is on a network file system, where neither locks nor maps are reliable.
    fn is_on_network(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// Identifies a file on this machine: device and inode, or the equivalent of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileKey {
    /// Device or volume.
    pub device: u64,
    /// Inode or file index.
    pub inode: u64,
}

/// What the system knows about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStatus {
    /// Identifies the file.
    pub key: FileKey,
    /// How many names it has.
    pub links: u64,
    /// Space it takes on the medium, in bytes.
    pub disk_bytes: u64,
    /// Who may access it.
    pub permissions: FilePermissions,
}

/// Mode, owner and group of a file, on systems that have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilePermissions {
    /// Mode bits, as in chmod(2).
    pub mode: u32,
    /// User id.
    pub owner: u32,
    /// Group id.
    pub group: u32,
}

impl FilePermissions {
    /// The same permissions, but writable by the owner. For copies.
    #[must_use]
    pub fn writable(self) -> Self {
        Self { mode: self.mode & 0o777 | 0o200, ..self }
    }
}

/// Reads until `buffer` is full or the file ends. Returns the number of bytes read. Retries
/// `Interrupted`.
///
/// # Errors
/// Any I/O error of the file.
pub fn read_full_at(
    file: &dyn StoreFile,
    mut buffer: &mut [u8],
    mut offset: u64,
) -> io::Result<usize> {
    let mut total = 0;
    while !buffer.is_empty() {
        match file.read_at(buffer, offset) {
            Ok(0) => break,
            Ok(read) => {
                total += read;
                offset += read as u64;
                buffer = &mut buffer[read..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}

/// Reads exactly `buffer.len()` bytes.
///
/// # Errors
/// Any I/O error of the file; `UnexpectedEof` if it ends before.
pub fn read_exact_at(file: &dyn StoreFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if read_full_at(file, buffer, offset)? == buffer.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Writes all of `bytes`, in as many calls as needed. Retries `Interrupted`.
///
/// # Errors
/// Any I/O error of the file; `WriteZero` if it accepts no more bytes.
pub fn write_all_at(file: &dyn StoreFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
