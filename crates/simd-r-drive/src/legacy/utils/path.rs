//! Paths.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Appends `.extension` to the file name of `path`, even if it already has an extension. A path
/// without a file name stays unchanged.
///
/// ```
/// use std::path::Path;
/// use simd_r_drive::utils::append_extension;
///
/// assert_eq!(append_extension(Path::new("data/a.srd"), "bak"), Path::new("data/a.srd.bak"));
/// ```
pub fn append_extension(path: &Path, extension: &str) -> PathBuf {
    let Some(name) = path.file_name() else { return path.to_owned() };
    let mut name = OsString::from(name);
    name.push(".");
    name.push(extension);
    path.with_file_name(name)
}

/// Makes sure that `path` names a regular file.
///
/// # Errors
/// `NotFound` if it does not exist, `InvalidInput` if it is not a regular file, or any I/O error.
pub fn verify_file_existence(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is not a regular file", path.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("there is no file {}", path.display()),
        )),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_appended_not_replaced() {
        for (path, expected) in
            [("a.txt", "a.txt.bk"), ("a", "a.bk"), (".hid", ".hid.bk"), ("/", "/"), ("", "")]
        {
            assert_eq!(append_extension(Path::new(path), "bk"), Path::new(expected));
        }
    }

    #[test]
    fn only_regular_files_exist() {
        let directory = tempfile::tempdir().unwrap();
        let kind = |path: &Path| verify_file_existence(path).map_err(|error| error.kind());
        assert_eq!(kind(directory.path()), Err(io::ErrorKind::InvalidInput));
        let file = directory.path().join("file");
        assert_eq!(kind(&file), Err(io::ErrorKind::NotFound));
        std::fs::write(&file, b"").unwrap();
        assert_eq!(kind(&file), Ok(()));
    }
}
