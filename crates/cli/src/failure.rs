//! What failed, with what, and why: each named once, in the user's terms.

use std::fs;
use std::io;
use std::path::Path;

use simd_r_drive::{FormatError, StoreError, Subject, WriteError};

use crate::key::shown_path;

/// That `what` failed with the thing at `path`, which is named after `what` unless the error names it.
pub(crate) fn failure(what: &str, path: &Path, error: io::Error) -> anyhow::Error {
    let error = explain(path, error);
    let is_named = path_in(&error) == Some(path);
    let context = if is_named { what.to_owned() } else { format!("{what} {}", shown_path(path)) };
    anyhow::Error::from(error).context(context)
}

/// As [`failure`], where something at `path` was read to make something new at `new`, which is what the system's
/// errors are about.
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

/// The error without what it is about at `path`, which is told beside it.
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

/// The system's word on a file that was to be opened or made at `path`, in terms of what the user named. What the
/// library says itself stays as it is.
pub(crate) fn explain(path: &Path, error: io::Error) -> io::Error {
    let error = without_subject(path, error);
    let text = error.to_string();
    // The library's temporary files are nothing that the user has named.
    let (reason, is_temporary_named) = match text.split_once(" at path \"") {
        Some((reason, _)) => (reason, true),
        None => (&*text, false),
    };
    // One that the library has made of a kind alone is as good as the system's.
    if error.get_ref().is_some() && !is_temporary_named {
        return error;
    }
    let kind = error.kind();
    let reason = match kind {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            missing_directory(path).unwrap_or_else(|| missing_file(path).to_owned())
        }
        io::ErrorKind::AlreadyExists => {
            "it exists already; choose a path where nothing is".to_owned()
        }
        _ => reason.to_owned(),
    };
    io::Error::new(kind, reason)
}

/// What is wrong with the directory that `path` should be in, if anything is.
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

/// The path that an error of the library names.
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
