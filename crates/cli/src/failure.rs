//! Error messages that say what failed, on which file, and why, and name each file once.

use std::fs;
use std::io;
use std::path::Path;

use simd_r_drive::{FormatError, StoreError, Subject, WriteError};

use crate::key::shown_path;

/// The error that `what` failed on the file at `path`. The message names the path after `what`,
/// unless the error itself names it.
pub(crate) fn failure(what: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let error = explain(path, error);
    let is_named = path_in(&error) == Some(path);
    let context = if is_named { what.to_owned() } else { format!("{what} {}", shown_path(path)) };
    anyhow::Error::from(error).context(context)
}

/// Like [`failure`], where the file at `path` was read to make another one at `new`. Errors of the
/// system are about `new`, unless `path` does not exist.
pub(crate) fn failure_to_make(
    what: &str,
    (path, preposition, new): (&Path, &str, &Path),
    error: io::Error,
) -> anyhow::Error {
    let is_about_source = error.kind() == io::ErrorKind::NotFound && !path.exists();
    let error = without_subject(path, error);
    let error = explain(if is_about_source { path } else { new }, error);
    let named = path_in(&error);
    let mut context = what.to_owned();
    if named != Some(path) {
        context.push_str(&format!(" {}", shown_path(path)));
    }
    if named != Some(new) {
        context.push_str(&format!(" {preposition} {}", shown_path(new)));
    }
    anyhow::Error::from(error).context(context)
}

/// The error without its subject, if that is `path`, which the message names anyway.
fn without_subject(path: &Path, error: io::Error) -> io::Error {
    let error = match error.downcast::<FormatError>() {
        Ok(error) if error.subject().path() == Some(path) => {
            return error.about(Subject::UNKNOWN).into();
        }
        Ok(error) => return error.into(),
        Err(error) => error,
    };
    match error.downcast() {
        Ok(StoreError::Io { subject, source }) if subject.path() == Some(path) => source,
        Ok(error) => error.into(),
        Err(error) => error,
    }
}

/// Rewords an error of the system about opening or creating `path`, so that it refers to what the
/// user named. Errors of the library are left as they are.
pub(crate) fn explain(path: &Path, error: io::Error) -> io::Error {
    let error = without_subject(path, error);
    let text = error.to_string();
    // The user has not named the library's temporary files, so their paths are left out.
    let (reason, is_temporary_named) = match text.split_once(" at path \"") {
        Some((reason, _)) => (reason, true),
        None => (&*text, false),
    };
    // An error that the library made from a kind alone is treated like the system's.
    if error.get_ref().is_some() && !is_temporary_named {
        return error;
    }
    let kind = error.kind();
    let reason = match kind {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            missing_directory(path).unwrap_or_else(|| missing_file(path).to_owned())
        }
        io::ErrorKind::AlreadyExists => "it already exists; choose another path".to_owned(),
        _ => reason.to_owned(),
    };
    io::Error::new(kind, reason)
}

/// What is wrong with the directory that `path` should be in; `None` if nothing is.
fn missing_directory(path: &Path) -> Option<String> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty())?;
    match fs::metadata(parent) {
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some(format!("{} is not a directory", shown_path(parent))),
        Err(_) => missing_directory(parent)
            .or_else(|| Some(format!("the directory {} does not exist", shown_path(parent)))),
    }
}

fn missing_file(path: &Path) -> &'static str {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => "it is a symbolic link to a file that does not exist",
        _ => "there is no such file",
    }
}

/// The path that the message of a library error names.
fn path_in(error: &io::Error) -> Option<&Path> {
    let inner = error.get_ref()?;
    if let Some(error) = inner.downcast_ref::<FormatError>() {
        return error.subject().path();
    }
    if let Some(
        WriteError::NoDirectory { path }
        | WriteError::PlacementUnknown { path, .. }
        | WriteError::Locked { path }
        | WriteError::HardLinked { path, .. }
        | WriteError::NetworkFileSystem { path }
        | WriteError::NameLost { path, .. }
        | WriteError::MountPoint { path },
    ) = inner.downcast_ref()
    {
        return Some(path);
    }
    match inner.downcast_ref()? {
        StoreError::ReadOnly { path }
        | StoreError::PathUnstable { path }
        | StoreError::DanglingLink { path }
        | StoreError::BackupOntoItself { path }
        | StoreError::BackupOfOtherStore { path }
        | StoreError::BackupOutdated { path }
        | StoreError::BackupDiverged { path, .. }
        | StoreError::Deleted { path }
        | StoreError::ReplacedByOther { path }
        | StoreError::ReplacedByOlder { path }
        | StoreError::Overwritten { path }
        | StoreError::RemainsNotSaved { path, .. }
        | StoreError::AlreadyMigrated { path } => Some(path),
        StoreError::Io { subject, .. } => subject.path(),
        _ => None,
    }
}
