//! Opening a store. `docs/format.md` states the rules.

mod advance;
mod aside;
mod create;
mod identify;
mod load;
mod map;
mod names;
mod nested;
mod new_file;
mod newer;
pub(crate) mod report;
mod sound;
mod table;
mod tail;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use simd_r_drive_entry_handle::{Alignment, FormatError};
use simd_r_drive_writer::{Access, Location, StoreFile, WriteError};

use crate::error::StoreError;
use crate::options::OpenOptions;

pub(crate) use self::advance::{Advanced, advance};
pub(crate) use self::aside::{Remains, save_aside};
pub(crate) use self::create::{new_identity, next_identity, write_header};
pub(crate) use self::identify::{Found, Header, identify, nothing_in_it, read_checkpoints};
use self::load::Loading;
pub(crate) use self::load::{Opened, Resume};
pub(crate) use self::names::remove_orphans;
use self::new_file::create_file;
pub(crate) use self::new_file::{
    copy_permissions, lock_new, new_file, place_durably, place_new, refuse_network,
};
pub use self::report::RecoveryReport;
pub(crate) use self::sound::{Sound, check_sound, index_in};
pub(crate) use self::table::{named_tables, newer_index};
pub(crate) use self::tail::{LogBounds, find_tail};

/// Attempts at opening a path that exists and yet leads to no file.
const MAX_DANGLING_ATTEMPTS: usize = 3;

/// Attempts at opening a path that keeps changing.
const MAX_ATTEMPTS: usize = 32;

/// Opens the store at `path`, which `location` represents.
pub(crate) fn open(
    path: &Path,
    location: &Arc<dyn Location>,
    options: &OpenOptions,
) -> io::Result<Opened> {
    let started = Instant::now();
    let alignment = Alignment::new(options.alignment)?;
    let can_create = options.create || options.create_new;
    if options.read_only && can_create {
        return Err(StoreError::BadOptions("a store cannot be created read-only").into());
    }
    if options.salvage && !options.read_only {
        let advice = "salvage only reads: set read_only too, or repair the store into a new file";
        return Err(StoreError::BadOptions(advice).into());
    }
    let load =
        |file, access| Loading { path, location: Some(location), file, access, options }.run();
    let mut dangling_attempts = 0;
    for _ in 0..MAX_ATTEMPTS {
        let (file, access) = match open_file(&**location, options) {
            Ok((_, _)) if options.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound && can_create => {
                match create_file(&**location, alignment, options) {
                    // Another process was faster: open its file.
                    Err(error)
                        if error.kind() == io::ErrorKind::AlreadyExists && !options.create_new =>
                    {
                        if is_absent(&**location) {
                            dangling_attempts += 1;
                        }
                        if dangling_attempts == MAX_DANGLING_ATTEMPTS {
                            return Err(StoreError::DanglingLink { path: path.to_owned() }.into());
                        }
                        continue;
                    }
                    created => {
                        let (file, placed) = created?;
                        let mut opened = match load(file, Access::ReadWrite) {
                            Ok(Some(opened)) => opened,
                            result => {
                                // The file is ours alone, and nothing else knows of it yet.
                                let _ = placed.remove();
                                result?;
                                continue;
                            }
                        };
                        opened.created = Some(placed);
                        opened.report.is_new = true;
                        opened.report.duration = started.elapsed();
                        return Ok(opened);
                    }
                }
            }
            Err(error) => return Err(error),
        };
        refuse_network(&*file, path, options)?;
        if access == Access::ReadWrite {
            if !file.try_lock()? {
                return Err(locked(&*file, path));
            }
            // A compaction or a restore may have replaced the file between opening and locking it.
            if location.key().ok() != Some(file.key()?) {
                continue;
            }
        }
        let Some(mut opened) = load(file, access)? else { continue };
        opened.report.duration = started.elapsed();
        return Ok(opened);
    }
    Err(StoreError::PathUnstable { path: path.to_owned() }.into())
}

/// The error for a file that is locked elsewhere. If the file is not a store, that is the better
/// answer. A file that looks damaged or truncated does not count as such: its owner may be creating
/// it.
fn locked(file: &dyn StoreFile, path: &Path) -> io::Error {
    let found = file.len().and_then(|len| identify(file, len));
    match found {
        Err(error) if !is_damage(&error) => error,
        _ => WriteError::Locked { path: path.to_owned() }.into(),
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.get_ref().and_then(|inner| inner.downcast_ref()),
        Some(FormatError::Damaged { .. } | FormatError::Truncated { .. })
    )
}

/// Opens the file for writing, or for reading if the file or its medium is read-only.
fn open_file(
    location: &dyn Location,
    options: &OpenOptions,
) -> io::Result<(Arc<dyn StoreFile>, Access)> {
    if options.read_only {
        return Ok((location.open(Access::Read)?, Access::Read));
    }
    match location.open(Access::ReadWrite) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            match location.open(Access::Read) {
                Ok(file) => Ok((file, Access::Read)),
                Err(_) => Err(error),
            }
        }
        result => Ok((result?, Access::ReadWrite)),
    }
}

/// Opens the store in `file` for reading, without a path to it.
pub(crate) fn open_without_path(
    file: Arc<dyn StoreFile>,
    options: &OpenOptions,
) -> io::Result<Opened> {
    let started = Instant::now();
    let (path, access) = (Path::new(""), Access::Read);
    let opened = Loading { path, location: None, file, access, options }.run()?;
    let mut opened = opened.ok_or(io::ErrorKind::UnexpectedEof)?;
    opened.report.duration = started.elapsed();
    Ok(opened)
}

/// Whether the name leads to no file. It may still be taken, by a dangling link.
fn is_absent(location: &dyn Location) -> bool {
    location.key().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}
