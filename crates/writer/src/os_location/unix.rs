//! Names on Unix, through calls relative to a directory's descriptor.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, statat};
use rustix::io::Errno;
use simd_r_drive_entry_handle::Foreign;

use super::directory::Directory;
use super::refuse_special;
use super::temporary::{Goal, Temporary};
use crate::error::WriteError;
use crate::file::{FileKey, StoreFile};
use crate::location::{Access, Location, PendingFile, Visibility};
use crate::os_file::OsFile;

/// A name in a directory.
#[derive(Debug)]
pub(super) struct OsLocation {
    directory: Arc<Directory>,
    name: OsString,
    path: PathBuf,
}

impl OsLocation {
    pub(super) fn new(directory: &Path, name: &OsStr) -> io::Result<Self> {
        let directory = Directory::open(directory)?;
        let path = directory.join(name);
        Ok(Self { directory: Arc::new(directory), name: name.to_owned(), path })
    }

    fn temporary(&self, mode: Mode, goal: Goal) -> io::Result<Temporary> {
        Temporary::create(&self.directory, mode, goal)
    }

    /// A private file here, or in the system's directory for temporary files if this one accepts
    /// none.
    fn temporary_anywhere(&self, goal: impl Fn() -> Goal) -> io::Result<Temporary> {
        self.temporary(PRIVATE, goal()).or_else(|error| {
            let elsewhere = Directory::open(&std::env::temp_dir()).map(Arc::new);
            elsewhere
                .and_then(|directory| Temporary::create(&directory, PRIVATE, goal()))
                .map_err(|_| error)
        })
    }

    /// Fails if the name does not belong to `old`.
    fn check_name(&self, old: FileKey) -> io::Result<()> {
        match self.key() {
            Ok(key) if key == old => Ok(()),
            Ok(_) => Err(WriteError::NameLost { path: self.path.clone(), is_taken: true }.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(WriteError::NameLost { path: self.path.clone(), is_taken: false }.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the file is mounted at its name, as containers do with single files. It cannot be
    /// replaced.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn is_mount_point(&self) -> bool {
        use rustix::fs::{StatxAttributes, StatxFlags, statx};
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let found = statx(&self.directory, &self.name, flags, StatxFlags::empty());
        // The bit is zero if the system does not know.
        found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn is_mount_point(&self) -> bool {
        false
    }
}

impl Location for OsLocation {
    fn path(&self) -> &Path {
        &self.path
    }

    fn key(&self) -> io::Result<FileKey> {
        self.directory.key_of(&self.name)
    }

    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        // Before opening, because opening a FIFO would block and opening a device may have side
        // effects.
        let found = statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        refuse_special(foreign(&found))?;
        let access = match access {
            Access::Read => OFlags::RDONLY,
            Access::ReadWrite => OFlags::RDWR,
        };
        // If a FIFO has taken the name in the meantime, opening it does not block.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match self.directory.open_file(&self.name, flags, Mode::empty()) {
            Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            result => result?,
        };
        // And after opening, because the name may belong to another file by now.
        refuse_special(foreign(&fstat(&file)?))?;
        Ok(Arc::new(OsFile::new(file)))
    }

    fn create_pending(&self, visibility: Visibility) -> io::Result<Box<dyn PendingFile>> {
        if statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mode = match visibility {
            Visibility::Ordinary => Mode::from_raw_mode(0o666),
            Visibility::Private => PRIVATE,
        };
        Ok(Box::new(self.temporary(mode, Goal::Name(self.name.clone()))?))
    }

    fn create_replacement(&self, old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        let status = old.status()?;
        self.check_name(status.key)?;
        if status.links > 1 {
            let (path, links) = (self.path.clone(), status.links);
            return Err(WriteError::HardLinked { path, links }.into());
        }
        if self.is_mount_point() {
            return Err(WriteError::MountPoint { path: self.path.clone() }.into());
        }
        // Private until it has the other's permissions: anyone who could open it now could read
        // what is written later.
        let goal = Goal::Replace { name: self.name.clone(), old: Arc::clone(old) };
        Ok(Box::new(self.temporary(PRIVATE, goal)?))
    }

    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>> {
        let goal = || Goal::Aside { store: self.name.clone() };
        Ok(Box::new(self.temporary_anywhere(goal)?))
    }

    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>> {
        Ok(self.temporary_anywhere(|| Goal::Nothing)?.file())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.directory.sync()
    }

    fn remove_orphans(&self, is_ours: &dyn Fn(&dyn StoreFile) -> bool) -> io::Result<u64> {
        let mut removed = 0;
        for name in self.directory.temporary_names()? {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let Ok(found) = statat(&self.directory, &name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            if foreign(&found).is_some() {
                continue;
            }
            let Ok(file) = self.directory.open_file(&name, flags, Mode::empty()) else { continue };
            let file = OsFile::new(file);
            let is_orphan = file.try_lock().unwrap_or(false) && is_ours(&file);
            if is_orphan
                && let Ok(key) = file.key()
                && self.directory.remove(&name, key).is_ok()
            {
                removed += 1;
            }
        }
        Ok(removed)
    }
}

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The kind of a file that is not a regular one.
fn foreign(found: &rustix::fs::Stat) -> Option<Foreign> {
    match FileType::from_raw_mode(found.st_mode) {
        // A dangling link is reported as missing when it is opened.
        FileType::RegularFile | FileType::Symlink => None,
        FileType::Directory => Some(Foreign::Directory),
        FileType::Fifo => Some(Foreign::Fifo),
        FileType::Socket => Some(Foreign::Socket),
        _ => Some(Foreign::Device),
    }
}
