//! A directory that is held open, and calls relative to it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};

use super::is_temporary_name;
use super::standard_streams::avoiding_standard_streams;
use crate::file::FileKey;

/// A directory that is held open.
#[derive(Debug)]
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // A directory need not be readable to be used, if the system distinguishes the two.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        let access = OFlags::PATH;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let access = OFlags::RDONLY;
        let flags = access | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = || Ok(rustix::fs::open(path, flags, Mode::empty())?);
        Ok(Self { fd: avoiding_standard_streams(open)?, path: path.to_owned() })
    }

    /// The path of a name in it, for messages.
    pub(super) fn join(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Opens, or creates, a file in it.
    pub(super) fn open_file(&self, name: &OsStr, flags: OFlags, mode: Mode) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC;
        let open = || Ok(openat(&self.fd, name, flags, mode)?);
        avoiding_standard_streams(open).map(File::from)
    }

    /// Identifies the file with this name. A symbolic link does not count as one.
    pub(super) fn key_of(&self, name: &OsStr) -> io::Result<FileKey> {
        let found = statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Symlink => Err(io::ErrorKind::NotFound.into()),
            _ => Ok(key_of(&found)),
        }
    }

    /// Removes a name, if it belongs to a certain file.
    pub(super) fn remove(&self, name: &OsStr, file: FileKey) -> io::Result<()> {
        if self.key_of(name)? == file {
            unlinkat(&self.fd, name, AtFlags::empty())?;
        }
        Ok(())
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.readable()?.sync_all()
    }

    /// What `self.fd` need not be.
    fn readable(&self) -> io::Result<File> {
        self.open_file(OsStr::new("."), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }

    pub(super) fn temporary_names(&self) -> io::Result<Vec<OsString>> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut names = Vec::new();
        for entry in Dir::new(self.readable()?)? {
            let entry = entry?;
            if is_temporary_name(entry.file_name().to_bytes()) {
                names.push(OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
            }
        }
        Ok(names)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn key_of(found: &rustix::fs::Stat) -> FileKey {
    // The types of the fields differ between systems.
    #[allow(clippy::unnecessary_cast, reason = "not everywhere are they 64 bits wide")]
    FileKey { device: found.st_dev as u64, inode: found.st_ino as u64 }
}
