//! The directory to export to. Nothing is written outside it.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::write_file::write_file;
use crate::key::shown_path;
use crate::same_file::is_same_file;

/// Why a file was not written.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// This file cannot be written; others may be.
    Skip(String),
    /// No other file could be written either.
    Fail(io::Error),
}

/// The directory to export to.
///
/// Nobody else may change it meanwhile: what was once found to be a directory is not checked again.
#[derive(Debug)]
pub(crate) struct Destination {
    root: PathBuf,
    /// The root as the user gave it.
    named: PathBuf,
    store: PathBuf,
    is_forced: bool,
    /// Directories below the root that are known to exist and not to be links.
    known: HashSet<PathBuf>,
}

impl Destination {
    /// Exports to the directory `root`, which exists. The file of the store is never replaced.
    pub(crate) fn new(root: &Path, store: &Path, is_forced: bool) -> io::Result<Self> {
        let (named, root) = (root.to_owned(), fs::canonicalize(root)?);
        let store = fs::canonicalize(store)?;
        Ok(Self { root, named, store, is_forced, known: HashSet::new() })
    }

    /// Writes a file at `relative`, a path of plain names.
    pub(crate) fn put(&mut self, relative: &Path, content: &[u8]) -> Result<(), Refusal> {
        if let Some(parent) = relative.parent() {
            self.make_directories(parent)?;
        }
        let path = self.root.join(relative);
        match fs::symlink_metadata(&path) {
            Ok(found) if !found.is_file() => return self.skip(relative, kind_of(&found)),
            Ok(_) if is_same_file(&path, &self.store) => {
                return self.skip(relative, "is the store itself");
            }
            Ok(_) if !self.is_forced => {
                return self.skip(relative, "already exists; --force replaces it");
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(refusal(error)),
        }
        write_file(&path, self.is_forced, |file| file.write_all(content)).map_err(refusal)
    }

    /// The refusal of a file because of what is at `relative`.
    fn skip(&self, relative: &Path, what: &str) -> Result<(), Refusal> {
        Err(Refusal::Skip(format!("{} {what}", shown_path(&self.named.join(relative)))))
    }

    /// Creates the directories of the path that do not exist yet.
    fn make_directories(&mut self, relative: &Path) -> Result<(), Refusal> {
        if relative.as_os_str().is_empty() || self.known.contains(relative) {
            return Ok(());
        }
        let mut below = PathBuf::new();
        for name in relative {
            below.push(name);
            if self.known.contains(&below) {
                continue;
            }
            let path = self.root.join(&below);
            match fs::create_dir(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let found = fs::symlink_metadata(&path).map_err(refusal)?;
                    if !found.is_dir() {
                        return self.skip(&below, kind_of(&found));
                    }
                }
                Err(error) => return Err(refusal(error)),
            }
            self.known.insert(below.clone());
        }
        Ok(())
    }
}

/// Describes what is in the place of a file or a directory.
fn kind_of(found: &Metadata) -> &'static str {
    if found.is_symlink() {
        "is a symbolic link, which is not followed"
    } else if found.is_dir() {
        "is a directory"
    } else if found.is_file() {
        "is a file, not a directory"
    } else {
        "is not a regular file"
    }
}

/// Skips the file if the error is about its name, and fails if it may be about the medium.
fn refusal(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::PermissionDenied => Refusal::Skip(error.to_string()),
        _ => Refusal::Fail(error),
    }
}
