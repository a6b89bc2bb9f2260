//! The store's own files, which may lie in the directory that is imported.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The store's file, and what opening or creating a store may leave beside it.
#[derive(Debug)]
pub(super) struct StoreFiles {
    directory: PathBuf,
    name: OsString,
}

impl StoreFiles {
    /// The files of the store at `path`, which exists.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        let name = path.file_name().map(ToOwned::to_owned).unwrap_or_default();
        Ok(Self { directory, name })
    }

    pub(super) fn contain(&self, path: &Path) -> bool {
        // Most files are ruled out by their names, without asking the system.
        path.file_name().is_some_and(|name| self.is_name(name.as_encoded_bytes()))
            && path.parent().and_then(|parent| fs::canonicalize(parent).ok()).as_deref()
                == Some(&*self.directory)
    }

    fn is_name(&self, name: &[u8]) -> bool {
        match name.strip_prefix(self.name.as_encoded_bytes()) {
            // What a recovery cut off is saved beside the store.
            Some(rest) => rest.is_empty() || rest.starts_with(b".cut-"),
            // A store that is being created.
            None => name.starts_with(b".simd-r-drive-"),
        }
    }
}
