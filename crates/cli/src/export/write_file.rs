//! Files that appear complete, or not at all.

use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::Builder;

/// Fills a file under a temporary name in the directory of `path`, then gives it its name.
///
/// # Errors
/// `AlreadyExists` if there is something under that name and `can_replace` is false; or the operating
/// system's. The temporary file is removed.
pub(crate) fn write_file(
    path: &Path,
    can_replace: bool,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = Builder::new();
    builder.prefix(".simd-r-drive-");
    // Not private, as temporary files are, but as the umask lets new files be.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut temporary = builder.tempfile_in(directory)?;
    fill(temporary.as_file_mut())?;
    let persisted =
        if can_replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    persisted.map_err(|error| error.error)?;
    Ok(())
}
