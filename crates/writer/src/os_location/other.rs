//! Names where there are no descriptors of directories: absolute paths.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::Foreign;
use tempfile::NamedTempFile;

use super::{TEMPORARY_PREFIX, TEMPORARY_SUFFIX, aside_name, random_name, refuse_special};
use crate::error::WriteError;
use crate::file::{FileKey, StoreFile};
use crate::location::{Access, Location, PendingFile, Placed, Visibility};
use crate::os_file::OsFile;
use crate::platform;

#[derive(Debug)]
pub(super) struct OsLocation {
    path: PathBuf,
    directory: PathBuf,
}

impl OsLocation {
    pub(super) fn new(directory: &Path, name: &OsStr) -> io::Result<Self> {
        Ok(Self { path: directory.join(name), directory: directory.to_owned() })
    }

    fn pending(
        &self,
        path: PathBuf,
        replaces: Option<FileKey>,
    ) -> io::Result<Box<dyn PendingFile>> {
        let temporary = temporary_in(&self.directory)?;
        let file = Arc::new(OsFile::new(temporary.as_file().try_clone()?));
        Ok(Box::new(Pending { file, temporary, path, replaces }))
    }
}

impl Location for OsLocation {
    fn path(&self) -> &Path {
        &self.path
    }

    fn key(&self) -> io::Result<FileKey> {
        platform::key(&fs::metadata(&self.path)?)
    }

    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        refuse_special(foreign(&fs::metadata(&self.path)?))?;
        let write = access == Access::ReadWrite;
        let file = OpenOptions::new().read(true).write(write).open(&self.path)?;
        refuse_special(foreign(&file.metadata()?))?;
        Ok(Arc::new(OsFile::new(file)))
    }

    fn create_pending(&self, _: Visibility) -> io::Result<Box<dyn PendingFile>> {
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.pending(self.path.clone(), None)
    }

    fn create_replacement(&self, old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        self.pending(self.path.clone(), Some(old.key()?))
    }

    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>> {
        let store = self.path.file_name().unwrap_or_default();
        let name = aside_name(store, &random_name(6)?);
        self.pending(self.directory.join(&name), None).or_else(|error| {
            let directory = env::temp_dir();
            let elsewhere = Self { path: directory.join(&name), directory };
            elsewhere.pending(elsewhere.path.clone(), None).map_err(|_| error)
        })
    }

    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>> {
        let file = tempfile::tempfile_in(&self.directory).or_else(|_| tempfile::tempfile())?;
        Ok(Arc::new(OsFile::new(file)))
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Pending {
    file: Arc<OsFile>,
    temporary: NamedTempFile,
    path: PathBuf,
    replaces: Option<FileKey>,
}

impl PendingFile for Pending {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::clone(&self.file) as Arc<dyn StoreFile>
    }

    fn place(self: Box<Self>) -> io::Result<Placed> {
        let Self { temporary, path, replaces, .. } = *self;
        let result = match replaces {
            None => temporary.persist_noclobber(&path),
            Some(old) => {
                let found = fs::metadata(&path).and_then(|found| platform::key(&found)).ok();
                if found != Some(old) {
                    return Err(WriteError::NameLost { path, is_taken: found.is_some() }.into());
                }
                temporary.persist(&path)
            }
        };
        result.map_err(|error| error.error)?;
        let removed = path.clone();
        Ok(Placed::new(path, move || fs::remove_file(removed)))
    }
}

fn temporary_in(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX).suffix(TEMPORARY_SUFFIX).rand_bytes(super::RANDOM_LEN);
    builder.tempfile_in(directory)
}

fn foreign(metadata: &fs::Metadata) -> Option<Foreign> {
    match metadata.file_type() {
        kind if kind.is_dir() => Some(Foreign::Directory),
        kind if kind.is_file() => None,
        _ => Some(Foreign::Device),
    }
}
