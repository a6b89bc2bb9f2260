//! A file of the operating system, behind the file trait.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive_entry_handle::{Alignment, Map};

use crate::error::WriteError;
use crate::file::{FileKey, FilePermissions, FileStatus, StoreFile};
use crate::platform;

/// A file of the operating system.
#[derive(Debug)]
pub struct OsFile {
    file: File,
    /// The process's file size limit when it was last queried.
    max_len: AtomicU64,
}

impl OsFile {
    /// Wraps an open file.
    pub fn new(file: File) -> Self {
        Self { file, max_len: AtomicU64::new(platform::max_file_len()) }
    }

    /// Refuses to grow the file beyond the process's limit: the system would send a fatal signal.
    #[inline]
    fn check_len(&self, offset: u64, len: u64) -> io::Result<()> {
        let end = offset.saturating_add(len);
        if end <= self.max_len.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.max_len()? {
            limit if end > limit => Err(WriteError::FileSizeLimit { limit }.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for OsFile {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl StoreFile for OsFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        platform::read_at(&self.file, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.check_len(offset, bytes.len() as u64)?;
        platform::write_at(&self.file, bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_len(0, len)?;
        self.file.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        // Query again: the limit may have been lowered, and this call is rare.
        self.max_len()?;
        self.check_len(offset, len)?;
        platform::allocate(&self.file, offset, len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        platform::punch_hole(&self.file, offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync, which includes the length; F_FULLFSYNC on macOS.
        self.file.sync_data()
    }

    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map> {
        Map::reserve(&self.file, alignment, need, wish)
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        platform::next_data(&self.file, offset)
    }

    fn next_hole(&self, offset: u64) -> io::Result<u64> {
        platform::next_hole(&self.file, offset)
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        self.file.unlock()
    }

    fn key(&self) -> io::Result<FileKey> {
        platform::key(&self.file.metadata()?)
    }

    fn status(&self) -> io::Result<FileStatus> {
        platform::status(&self.file.metadata()?)
    }

    fn set_permissions(&self, permissions: FilePermissions) -> io::Result<()> {
        platform::set_permissions(&self.file, permissions)
    }

    fn max_len(&self) -> io::Result<u64> {
        let limit = platform::max_file_len();
        self.max_len.store(limit, Ordering::Relaxed);
        Ok(limit)
    }

    fn may_maps_lag(&self) -> io::Result<bool> {
        platform::may_maps_lag(&self.file)
    }

    fn is_on_network(&self) -> io::Result<bool> {
        platform::is_on_network(&self.file)
    }
}
