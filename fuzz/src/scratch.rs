//! Files that are in memory if the machine allows it, so that flushes cost nothing.

use std::path::Path;

use tempfile::TempDir;

/// A new directory, which is removed on drop.
pub fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    directory.expect("a temporary directory")
}

/// Names and contents of all files in a directory, sorted by name.
pub fn contents(directory: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .expect("the directory is readable")
        .map(|entry| {
            let entry = entry.expect("the directory is readable");
            (entry.file_name(), std::fs::read(entry.path()).expect("the file is readable"))
        })
        .collect();
    files.sort();
    files
}
