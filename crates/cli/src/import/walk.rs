//! Finding the files to import.

use std::fs::FileType;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use simd_r_drive::DataStore;
use walkdir::{DirEntry, IntoIter, WalkDir};

use super::exclude::Excludes;
use super::store_files::StoreFiles;
use crate::failure::failure;
use crate::key::bytes_of;

/// The longest key that the format allows, in bytes.
const MAX_KEY_LEN: usize = u16::MAX as usize;

/// A file to import, or something to report.
#[derive(Debug)]
pub(crate) enum Found {
    File(FoundFile),
    /// Something that cannot be imported. `name` is the key that it would have.
    Skipped {
        name: Vec<u8>,
        reason: String,
    },
}

/// A regular file.
#[derive(Debug)]
pub(crate) struct FoundFile {
    pub(crate) path: PathBuf,
    pub(crate) key: Vec<u8>,
}

/// The regular files below a directory, in the order of their names.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    dir: &'a Path,
    prefix: &'a [u8],
    excludes: &'a Excludes,
    store_files: StoreFiles,
    entries: IntoIter,
}

impl<'a> Walk<'a> {
    /// Walks `dir`, leaving out what is excluded and the files of `store`.
    pub(crate) fn new(
        dir: &'a Path,
        prefix: &'a [u8],
        excludes: &'a Excludes,
        store: &DataStore,
    ) -> Result<Self> {
        let path = store.get_path();
        let store_files = StoreFiles::new(&path, store.stats().store_id)
            .map_err(|error| failure("cannot find the store", &path, error))?;
        let entries = WalkDir::new(dir).min_depth(1).sort_by_file_name().into_iter();
        Ok(Self { dir, prefix, excludes, store_files, entries })
    }

    /// What to do with an entry; `None` if nothing is.
    fn classify(&mut self, entry: DirEntry) -> Option<Found> {
        let file_type = entry.file_type();
        let relative = entry.path().strip_prefix(self.dir).unwrap_or(entry.path());
        if self.excludes.contain(relative) {
            if file_type.is_dir() {
                self.entries.skip_current_dir();
            }
            return None;
        }
        if file_type.is_dir() || self.store_files.contain(&entry) {
            return None;
        }
        let key = match relative_key(relative) {
            Ok(name) => [self.prefix, &name].concat(),
            Err(error) => {
                let name = [self.prefix, relative.as_os_str().as_encoded_bytes()].concat();
                return Some(Found::Skipped { name, reason: error.to_string() });
            }
        };
        if !file_type.is_file() {
            return Some(Found::Skipped { name: key, reason: describe(file_type).to_owned() });
        }
        if key.len() > MAX_KEY_LEN {
            let reason = format!("its key of {} bytes is too long", key.len());
            return Some(Found::Skipped { name: key, reason });
        }
        Some(Found::File(FoundFile { path: entry.into_path(), key }))
    }

    fn skipped(&self, error: &walkdir::Error) -> Found {
        let path = error.path().unwrap_or(self.dir);
        let relative = path.strip_prefix(self.dir).unwrap_or(path);
        let name = relative.as_os_str().as_encoded_bytes();
        let name = if name.is_empty() { b".".to_vec() } else { [self.prefix, name].concat() };
        let reason = error.io_error().map_or_else(|| error.to_string(), io::Error::to_string);
        Found::Skipped { name, reason }
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            match self.entries.next()? {
                Ok(entry) => {
                    if let Some(found) = self.classify(entry) {
                        return Some(found);
                    }
                }
                Err(error) => return Some(self.skipped(&error)),
            }
        }
    }
}

/// The key of a path below the imported directory: its names, separated by `/` on every system.
fn relative_key(relative: &Path) -> Result<Vec<u8>> {
    let mut key = Vec::with_capacity(relative.as_os_str().len());
    for name in relative {
        if !key.is_empty() {
            key.push(b'/');
        }
        key.extend_from_slice(bytes_of(name)?);
    }
    Ok(key)
}

fn describe(file_type: FileType) -> &'static str {
    if file_type.is_symlink() { "it is a symbolic link" } else { "it is not a regular file" }
}
