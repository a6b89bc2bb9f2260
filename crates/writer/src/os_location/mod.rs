//! The real file system: names in directories that are held open.

#[cfg(unix)]
mod directory;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod standard_streams;
#[cfg(unix)]
mod temporary;
#[cfg(unix)]
mod unix;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Foreign, FormatError};

#[cfg(not(unix))]
use self::other::OsLocation;
#[cfg(unix)]
use self::unix::OsLocation;
use crate::error::WriteError;
use crate::location::{FileSystem, Location};

/// Temporary names are this, twelve letters and digits, and [`TEMPORARY_SUFFIX`].
const TEMPORARY_PREFIX: &str = ".simd-r-drive-";

const TEMPORARY_SUFFIX: &str = ".tmp";

/// The operating system's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsFileSystem;

impl FileSystem for OsFileSystem {
    fn locate(&self, path: &Path) -> io::Result<Arc<dyn Location>> {
        let path = resolve(path)?;
        let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(FormatError::not_a_store(Foreign::Directory).into());
        };
        Ok(Arc::new(OsLocation::new(directory, name)?))
    }
}

/// The absolute path of an existing or new file, with symbolic links resolved. A dangling link is
/// left as it is.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let Some(name) = path.file_name() else {
        return Err(WriteError::NoDirectory { path: path.to_owned() }.into());
    };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let resolved = fs::canonicalize(directory).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let is_missing = |it: &&Path| !it.as_os_str().is_empty() && !it.exists();
            let missing = directory.ancestors().take_while(is_missing).last();
            WriteError::NoDirectory { path: missing.unwrap_or(directory).to_owned() }.into()
        }
        _ => error,
    })?;
    Ok(resolved.join(name))
}

/// The name of a file for bytes that were cut off: the store's name, truncated if necessary, and
/// `.cut-` with `random`.
fn aside_name(store: &OsStr, random: &str) -> OsString {
    /// Longest name that common file systems take, in bytes.
    const MAX_NAME_LEN: usize = 255;
    let suffix = format!(".cut-{random}");
    let mut name = OsString::new();
    match store.to_str() {
        _ if store.len() + suffix.len() <= MAX_NAME_LEN => name.push(store),
        // The first characters are enough to recognize the store.
        Some(text) => {
            let mut len = MAX_NAME_LEN - suffix.len();
            while !text.is_char_boundary(len) {
                len -= 1;
            }
            name.push(&text[..len]);
        }
        None => name.push("store"),
    }
    name.push(suffix);
    name
}

/// `len` unpredictable letters and digits.
fn random_name(len: usize) -> io::Result<String> {
    const CHARACTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes)?;
    let characters = bytes.iter().map(|byte| CHARACTERS[usize::from(*byte) % CHARACTERS.len()]);
    Ok(characters.map(char::from).collect())
}

/// How many random letters and digits a temporary name has.
const RANDOM_LEN: usize = 12;

fn temporary_name() -> io::Result<OsString> {
    let random = random_name(RANDOM_LEN)?;
    Ok(format!("{TEMPORARY_PREFIX}{random}{TEMPORARY_SUFFIX}").into())
}

/// Whether a file's name is a temporary one, which no user would choose.
fn is_temporary_name(name: &[u8]) -> bool {
    name.strip_prefix(TEMPORARY_PREFIX.as_bytes())
        .and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX.as_bytes()))
        .is_some_and(|random| {
            random.len() == RANDOM_LEN && random.iter().all(u8::is_ascii_alphanumeric)
        })
}

fn refuse_special(kind: Option<Foreign>) -> io::Result<()> {
    match kind {
        Some(kind) => Err(FormatError::not_a_store(kind).into()),
        None => Ok(()),
    }
}
