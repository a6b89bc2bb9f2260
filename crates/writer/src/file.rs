//! The file trait: every byte that the engine reads, writes, maps or flushes goes through it.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Map};

/// An open file of a store, by positional calls only: no cursor exists, calls may come from any thread.
///
/// The real one is [`OsFile`](crate::OsFile). Tests put files behind the engine that fail, tear or record.
/// Implementations do not retry and do not loop: [`read_full_at`] and [`write_all_at`] do.
pub trait StoreFile: Debug + Send + Sync {
    /// Length of the file in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads up to `buffer.len()` bytes at `offset`; 0 is the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes up to `bytes.len()` bytes at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file, or extends it with zeros that take no space.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes the file at least `offset + len` bytes long and gives that range space on the medium.
    ///
    /// # Errors
    /// `Unsupported` where the file system cannot; then writing simply extends the file.
    fn allocate(&self, offset: u64, len: u64) -> io::Result<()>;

    /// Gives the space of a range back to the file system; it reads as zeros from then on.
    ///
    /// # Errors
    /// `Unsupported` where the file system cannot; then nothing changes.
    fn punch_hole(&self, _offset: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Flushes data, and the metadata needed to read it back, to the medium.
    fn sync(&self) -> io::Result<()>;

    /// Maps the file; see [`Map::reserve`].
    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map>;

    /// First offset at or after `offset` that may hold data; everything before it is zeros. `None` when only
    /// zeros follow. Saves reading holes; answering `Some(offset)` is always right.
    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        Ok(Some(offset))
    }

    /// First offset at or after `offset`, which holds data, from which on only zeros follow for a while; at most
    /// the end of the file. Answering `u64::MAX` is always right.
    fn next_hole(&self, _offset: u64) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    /// Takes the writer's lock without waiting; `false` if somebody else holds it. It belongs to this open
    /// file, so that a second handle of the same process is refused too.
    fn try_lock(&self) -> io::Result<bool>;

    /// Gives the writer's lock back. A forked child must not call it: parent and child share the lock.
    fn unlock(&self) -> io::Result<()>;

    /// Names the file itself, whatever path it has.
    fn key(&self) -> io::Result<FileKey>;

    /// Gives the file the mode of the one at `path`, but that its owner may always write to it, and its owner
    /// if the process may. For copies, which must not be easier to read than what they are copies of. Where
    /// there is no such thing, nothing happens.
    ///
    /// # Errors
    /// The operating system's.
    fn adopt_permissions(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Whether the file lies on a network file system, where neither locks nor maps can be relied on.
    fn is_on_network(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// Names a file within the machine: device and inode, or what the platform has instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileKey {
    /// Device or volume.
    pub device: u64,
    /// Inode or file index.
    pub inode: u64,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    ReadWrite,
}

/// The directory operations of the engine.
pub trait FileSystem: Debug + Send + Sync {
    /// Opens an existing regular file.
    ///
    /// # Errors
    /// [`FormatError::NotAStore`](simd_r_drive_entry_handle::FormatError::NotAStore) inside the error for a
    /// directory, FIFO, socket or device, without waiting for anything.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoreFile>>;

    /// Creates a file under `path` that appears there complete, or not at all: `fill` writes it under an
    /// unpredictable temporary name, then it is synced, renamed without replacing anything, and its
    /// directory synced.
    ///
    /// # Errors
    /// `AlreadyExists` if the path is taken by then.
    fn create(
        &self,
        path: &Path,
        fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
    ) -> io::Result<Arc<dyn StoreFile>>;

    /// Creates a file that can take the place of the one at `path`, with its permissions, under an
    /// unpredictable temporary name in the same directory. Symbolic links on the way to the file are resolved,
    /// not replaced.
    ///
    /// # Errors
    /// [`WriteError::HardLinked`](crate::WriteError::HardLinked) if the file has other names, which would go
    /// on naming the old one; `Unsupported` if the file system cannot.
    fn create_replacement(&self, _path: &Path) -> io::Result<Box<dyn Replacement>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Creates a file that is to appear at `path`, where nothing is yet, under an unpredictable temporary name in
    /// the same directory. Until it is given others, it has the permissions of a private file.
    ///
    /// # Errors
    /// `AlreadyExists` if there is something at `path`; `Unsupported` if the file system cannot. If something
    /// is there only later, it is not replaced: [`Replacement::replace`] fails with `AlreadyExists`.
    fn create_pending(&self, _path: &Path) -> io::Result<Box<dyn Replacement>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What `path` names at the moment.
    fn key_of(&self, path: &Path) -> io::Result<FileKey>;

    /// Creates a file that only its owner can read, with an unpredictable name that begins with the name of
    /// `beside` and lies in the same directory, to save bytes that are about to be cut off.
    fn create_aside(&self, beside: &Path) -> io::Result<(PathBuf, Arc<dyn StoreFile>)>;

    /// Removes the file at `path`.
    ///
    /// # Errors
    /// The operating system's; `Unsupported` if the file system cannot.
    fn remove(&self, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Flushes the directory that holds the file at `path`, links resolved, so that the file keeps its name. Where
    /// there is no such thing, nothing happens.
    ///
    /// # Errors
    /// The operating system's.
    fn sync_directory_of(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// A file on its way to its path, which may be that of another one. Dropped, it vanishes.
pub trait Replacement: Debug + Send {
    /// The file.
    fn file(&self) -> Arc<dyn StoreFile>;

    /// Puts the file in its place, at once, and flushes the directory.
    ///
    /// # Errors
    /// The operating system's; what was at the path, or nothing, is then still there. Only if the flush fails, the
    /// file has already taken the place of another one.
    fn replace(self: Box<Self>) -> io::Result<()>;
}

/// Reads until `buffer` is full or the file ends; returns how many bytes were read. Retries `Interrupted`.
///
/// # Errors
/// The file's.
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
/// The file's; `UnexpectedEof` if it ends before.
pub fn read_exact_at(file: &dyn StoreFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if read_full_at(file, buffer, offset)? == buffer.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Writes all of `bytes`, however many calls it takes. Retries `Interrupted`.
///
/// # Errors
/// The file's; `WriteZero` if it takes no more bytes.
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
