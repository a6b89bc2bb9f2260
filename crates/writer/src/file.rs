//! The file trait: every byte that the engine reads, writes, maps or flushes goes through it.

use std::fmt::Debug;
use std::io;

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

    /// What the system knows of the file beside its contents.
    ///
    /// # Errors
    /// The operating system's; `Unsupported` for what is no file of a file system.
    fn status(&self) -> io::Result<FileStatus> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the file these permissions, and this owner and group as far as the process may. Where it may not set
    /// the group, that group's permissions become those of everybody. Where there is no such thing, nothing
    /// happens.
    ///
    /// # Errors
    /// The operating system's.
    fn set_permissions(&self, _permissions: FilePermissions) -> io::Result<()> {
        Ok(())
    }

    /// Longest that this process may make the file, in bytes. Writing beyond it fails, but for a process that has
    /// a limit of file size and no handler for its signal, writing is fatal. So it is asked before.
    ///
    /// # Errors
    /// The operating system's.
    fn max_len(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    /// Whether maps of the file may go on showing what another file held, while reads show what this one holds: on
    /// an overlay file system, a file that was opened for reading before its first writer came.
    ///
    /// # Errors
    /// The operating system's.
    fn may_maps_lag(&self) -> io::Result<bool> {
        Ok(false)
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

/// What a system knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStatus {
    /// Which file it is.
    pub key: FileKey,
    /// How many names it has.
    pub links: u64,
    /// Space that it takes on the medium, in bytes.
    pub disk_bytes: u64,
    /// Who may do what with it.
    pub permissions: FilePermissions,
}

/// Mode, owner and group of a file, where there are such.
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
    /// The same, but that the owner may write. For copies.
    #[must_use]
    pub fn writable(self) -> Self {
        Self { mode: self.mode & 0o777 | 0o200, ..self }
    }
}

/// Reads until `buffer` is full or the file ends; returns how many bytes were read. Retries `Interrupted`.
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
