//! Files that are about to get a name.
//!
//! If the file system supports it, such a file has no name until then (`O_TMPFILE` of open(2)), so
//! that a killed process leaves nothing behind. A file that replaces another one needs a temporary
//! name for a moment, to exchange names (`RENAME_EXCHANGE` of rename(2)). If unnamed files are not
//! supported, it has a temporary name from the beginning.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, renameat, unlinkat};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::fs::{RenameFlags, renameat_with};
use rustix::io::Errno;

use super::directory::Directory;
use super::{aside_name, random_name, temporary_name};
use crate::error::WriteError;
use crate::file::{FileKey, StoreFile};
use crate::location::{PendingFile, Placed};
use crate::os_file::OsFile;

/// How many random names are tried if they turn out to be taken.
const MAX_DRAWS: usize = 16;

/// The name a file is to get.
#[derive(Debug)]
pub(super) enum Goal {
    /// A free one.
    Name(OsString),
    /// The name of another file.
    Replace { name: OsString, old: Arc<dyn StoreFile> },
    /// A new one, for bytes cut off from the file named `store`.
    Aside { store: OsString },
    /// None.
    Nothing,
}

/// A file that has not been placed yet.
#[derive(Debug)]
pub(super) struct Temporary {
    file: Arc<OsFile>,
    directory: Arc<Directory>,
    key: FileKey,
    /// Its temporary name, if it needs one.
    name: Option<OsString>,
    goal: Goal,
}

impl Temporary {
    pub(super) fn create(directory: &Arc<Directory>, mode: Mode, goal: Goal) -> io::Result<Self> {
        let (file, name) = match create_unnamed(directory, mode) {
            Some(file) => (file, None),
            None => {
                let (file, name) = create_named(directory, mode)?;
                (file, Some(name))
            }
        };
        let file = Arc::new(OsFile::new(file));
        let mut temporary =
            Self { key: file.key()?, file, directory: Arc::clone(directory), name, goal };
        if matches!(temporary.goal, Goal::Nothing) {
            temporary.drop_name();
        }
        Ok(temporary)
    }

    fn drop_name(&mut self) {
        if let Some(name) = self.name.take() {
            // Best effort: a leftover file carries the store's id and is removed later.
            let _ = self.directory.remove(&name, self.key);
        }
    }

    /// Gives the file a name that must be free.
    fn link_as(&mut self, name: &OsStr) -> io::Result<()> {
        match &self.name {
            None => link_unnamed(&*self.file, &self.directory, name),
            Some(temporary) => {
                rename_to_free(&self.directory, temporary, name)?;
                self.name = None;
                Ok(())
            }
        }
    }

    /// Gives the file the name of `old`, which must still belong to it.
    fn replace(mut self, name: &OsStr, old: &dyn StoreFile) -> io::Result<Placed> {
        let lost = |directory: &Directory, is_taken| {
            io::Error::from(WriteError::NameLost { path: directory.join(name), is_taken })
        };
        let status = old.status()?;
        if status.links > 1 {
            let (path, links) = (self.directory.join(name), status.links);
            return Err(WriteError::HardLinked { path, links }.into());
        }
        self.file.set_permissions(status.permissions)?;
        match self.directory.key_of(name) {
            Ok(key) if key == status.key => {}
            Ok(_) => return Err(lost(&self.directory, true)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(lost(&self.directory, false));
            }
            Err(error) => return Err(error),
        }
        let temporary = match self.name.take() {
            Some(temporary) => temporary,
            None => {
                draw(temporary_name, |drawn| link_unnamed(&*self.file, &self.directory, drawn))?
            }
        };
        // From here on, dropping this removes the temporary name, if it is still this file's.
        self.name = Some(temporary.clone());
        let is_exchanged = match exchange(&self.directory, &temporary, name) {
            Ok(true) => true,
            Ok(false) => {
                renameat(&self.directory, &temporary, &self.directory, name)
                    .map_err(|errno| self.after_failure(name, status.key, errno))?;
                false
            }
            Err(Errno::NOENT) => return Err(lost(&self.directory, false)),
            Err(Errno::BUSY) => {
                return Err(WriteError::MountPoint { path: self.directory.join(name) }.into());
            }
            Err(errno) => return Err(self.after_failure(name, status.key, errno)),
        };
        if is_exchanged && self.directory.key_of(&temporary).ok() != Some(status.key) {
            // Another file had taken the name in the last instant.
            return match exchange(&self.directory, &temporary, name) {
                Ok(_) => Err(lost(&self.directory, true)),
                Err(errno) => {
                    self.name = None;
                    let path = self.directory.join(&temporary);
                    Err(WriteError::PlacementUnknown { path, source: errno.into() }.into())
                }
            };
        }
        self.name = None;
        // A change of the old file's permissions until now was meant for this file.
        if let Ok(now) = old.status()
            && now.permissions != status.permissions
        {
            let _ = self.file.set_permissions(now.permissions);
        }
        let placed = self.placed(name);
        let directory = Arc::clone(&self.directory);
        Ok(match is_exchanged {
            true => placed.displacing(move || directory.remove(&temporary, status.key)),
            false => placed,
        })
    }

    /// The error for an exchange or a rename that failed. Some file systems fail after they have
    /// done it.
    fn after_failure(&mut self, name: &OsStr, old: FileKey, errno: Errno) -> io::Error {
        match self.directory.key_of(name) {
            Ok(key) if key == old => errno.into(),
            _ => {
                self.name = None;
                let path = self.directory.join(name);
                WriteError::PlacementUnknown { path, source: errno.into() }.into()
            }
        }
    }

    fn placed(&self, name: &OsStr) -> Placed {
        let (directory, key) = (Arc::clone(&self.directory), self.key);
        let owned = name.to_owned();
        Placed::new(self.directory.join(name), move || directory.remove(&owned, key))
    }
}

impl PendingFile for Temporary {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::clone(&self.file) as Arc<dyn StoreFile>
    }

    fn place(mut self: Box<Self>) -> io::Result<Placed> {
        match std::mem::replace(&mut self.goal, Goal::Nothing) {
            Goal::Name(name) => {
                self.link_as(&name)?;
                Ok(self.placed(&name))
            }
            Goal::Replace { name, old } => self.replace(&name, &*old),
            Goal::Aside { store } => {
                /// Enough for the few that there are beside a store.
                const ASIDE_RANDOM_LEN: usize = 6;
                let name = || Ok(aside_name(&store, &random_name(ASIDE_RANDOM_LEN)?));
                let name = draw(name, |drawn| self.link_as(drawn))?;
                Ok(self.placed(&name))
            }
            Goal::Nothing => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.drop_name();
    }
}

/// Draws random names until `take` finds a free one.
fn draw(
    name: impl Fn() -> io::Result<OsString>,
    mut take: impl FnMut(&OsStr) -> io::Result<()>,
) -> io::Result<OsString> {
    let mut draws = 0;
    loop {
        let drawn = name()?;
        draws += 1;
        match take(&drawn) {
            Ok(()) => return Ok(drawn),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && draws < MAX_DRAWS => {}
            Err(error) => return Err(error),
        }
    }
}

fn create_named(directory: &Directory, mode: Mode) -> io::Result<(File, OsString)> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let mut file = None;
    let name = draw(temporary_name, |drawn| {
        file = Some(directory.open_file(drawn, flags, mode)?);
        Ok(())
    })?;
    Ok((file.ok_or(io::ErrorKind::NotFound)?, name))
}

/// An unnamed file that can get a name later; `None` if this is not supported.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn create_unnamed(directory: &Directory, mode: Mode) -> Option<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE;
    let file = directory.open_file(OsStr::new("."), flags, mode).ok()?;
    // It will be linked by this path.
    std::fs::symlink_metadata(descriptor_path(&file)).is_ok().then_some(file)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn create_unnamed(_: &Directory, _: Mode) -> Option<File> {
    None
}

/// As in open(2), "O_TMPFILE": the way that needs no privilege.
fn link_unnamed(file: &impl AsFd, directory: &Directory, name: &OsStr) -> io::Result<()> {
    let path = descriptor_path(file);
    Ok(linkat(CWD, path.as_str(), directory, name, AtFlags::SYMLINK_FOLLOW)?)
}

fn descriptor_path(file: &impl AsFd) -> String {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd())
}

/// Renames a file to a name that must be free.
fn rename_to_free(directory: &Directory, old: &OsStr, new: &OsStr) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    match renameat_with(directory, old, directory, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
        result => return Ok(result?),
    }
    linkat(directory, old, directory, new, AtFlags::empty())?;
    // The file is complete under its new name; a failure only leaves the old name behind.
    let _ = unlinkat(directory, old, AtFlags::empty());
    Ok(())
}

/// Exchanges two names; `false` if this is not supported.
fn exchange(directory: &Directory, one: &OsStr, other: &OsStr) -> Result<bool, Errno> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        match renameat_with(directory, one, directory, other, RenameFlags::EXCHANGE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
            result => result.map(|()| true),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (directory, one, other);
        Ok(false)
    }
}
