//! `read`: prints a value, or writes it to a file.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use simd_r_drive::traits::DataStoreReader as _;

use crate::console::Console;
use crate::export::write_file;
use crate::failure::failure;
use crate::key::{Shown, entry_json, shown_path};
use crate::open;
use crate::outcome::Outcome;
use crate::same_file::is_same_file;

/// Where the value goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    /// The file; `None` for standard output.
    pub(crate) path: Option<&'a Path>,
    pub(crate) buffer_size: usize,
}

pub(crate) fn run(
    console: &Console,
    store_path: &Path,
    key: &[u8],
    is_salvage: bool,
    target: Target<'_>,
) -> Result<Outcome> {
    let Target { path: output, buffer_size } = target;
    if console.is_json && output.is_none() {
        bail!("a value is printed as it is, not as JSON; add -o FILE to get JSON");
    }
    let (store, outcome) = open::for_salvage(console, store_path, is_salvage, true)?;
    let entry = store.read(key).with_context(|| format!("cannot read {}", Shown(key)))?;
    let Some(entry) = entry else { return Ok(console.tell_absent(key)?) };
    let Some(path) = output else {
        copy_in_pieces(&entry, &mut console.output(), buffer_size)?;
        return Ok(outcome);
    };
    write_to_path(&entry, path, store_path, buffer_size)
        .map_err(|error| failure("cannot write", path, error))?;
    if console.is_json {
        let mut object = entry_json(&entry);
        object.insert("size".to_owned(), entry.size().into());
        object.insert("output".to_owned(), shown_path(path).into());
        console.print_json(&object.into())?;
    }
    Ok(outcome)
}

fn write_to_path(value: &[u8], path: &Path, store: &Path, buffer_size: usize) -> io::Result<()> {
    match fs::metadata(path) {
        // A device or a pipe is not replaced, but written to.
        Ok(found) if !found.is_file() => {
            let mut file = fs::OpenOptions::new().write(true).open(path)?;
            copy_in_pieces(value, &mut file, buffer_size)
        }
        Ok(_) => {
            if is_open_file(path) {
                // Whoever has it open would not see the file that replaces it.
                let reason = "it leads to a file that is already open; give the path of that file";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            if is_same_file(path, store) {
                let reason = "it is the store itself";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            // Replace the file itself, not a link to it.
            let file = fs::canonicalize(path)?;
            write_file(&file, true, |file| copy_in_pieces(value, file, buffer_size))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
            write_file(path, true, |file| copy_in_pieces(value, file, buffer_size))
        }
        Err(error) => Err(error),
    }
}

/// Whether the path is one by which the system names open files of a process.
fn is_open_file(path: &Path) -> bool {
    let directory = path.parent().unwrap_or(path);
    path == Path::new("/dev/stderr")
        || directory == Path::new("/dev/fd")
        || (directory.starts_with("/proc") && directory.ends_with("fd"))
}

fn copy_in_pieces(value: &[u8], output: &mut impl Write, buffer_size: usize) -> io::Result<()> {
    value.chunks(buffer_size).try_for_each(|piece| output.write_all(piece))?;
    output.flush()
}
