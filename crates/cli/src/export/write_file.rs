//! Files that appear complete or not at all.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// Fills a file that has no name yet, then gives it the name `path`. If the command is killed
/// meanwhile, nothing is left behind where the file system has unnamed files. Elsewhere, a
/// temporary file is left.
///
/// A file that replaces another one gets its permissions, and its owner if the system allows that.
///
/// # Errors
/// `AlreadyExists` if `path` exists and `can_replace` is false; any I/O error of the file. Nothing
/// is left behind then.
pub(crate) fn write_file(
    path: &Path,
    can_replace: bool,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let replaced = fs::symlink_metadata(path).ok().filter(|found| can_replace && found.is_file());
    // Private until it has the mode of the file that it replaces; otherwise, the umask decides.
    let mode = if replaced.is_some() { 0o600 } else { 0o666 };
    let mut pending = Pending::new(directory, mode)?;
    fill(pending.file())?;
    if let Some(replaced) = &replaced {
        adopt_permissions(pending.file(), replaced)?;
    }
    pending.publish(directory, path, can_replace)
}

/// A file that is being filled.
#[derive(Debug)]
enum Pending {
    #[cfg(target_os = "linux")]
    Unnamed(unnamed::Unnamed),
    Named(NamedTempFile),
}

impl Pending {
    fn new(directory: &Path, mode: u32) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(unnamed) = unnamed::Unnamed::new(directory, mode) {
            return Ok(Self::Unnamed(unnamed));
        }
        let mut builder = temporary_names();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
        #[cfg(not(unix))]
        let _ = mode;
        Ok(Self::Named(builder.tempfile_in(directory)?))
    }

    fn file(&mut self) -> &mut File {
        match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(unnamed) => &mut unnamed.0,
            Self::Named(temporary) => temporary.as_file_mut(),
        }
    }

    fn publish(self, directory: &Path, path: &Path, can_replace: bool) -> io::Result<()> {
        let temporary = match self {
            #[cfg(target_os = "linux")]
            Self::Unnamed(unnamed) => match unnamed.link(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && can_replace => {
                    // A link cannot replace a file. This name lasts only until the rename that
                    // follows at once.
                    let temporary =
                        temporary_names().make_in(directory, |name| unnamed.link(name))?;
                    return temporary.persist(path).map(drop).map_err(|error| error.error);
                }
                linked => return linked,
            },
            Self::Named(temporary) => temporary,
        };
        let persisted =
            if can_replace { temporary.persist(path) } else { temporary.persist_noclobber(path) };
        persisted.map(drop).map_err(|error| error.error)
    }
}

/// `.simd-r-drive-`, 12 letters or digits, `.tmp`. `import` recognises these names.
fn temporary_names() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".simd-r-drive-").rand_bytes(12).suffix(".tmp");
    builder
}

#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::{self, File};
    use std::io;
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};

    /// A file that has no name in its directory. If it never gets one, it vanishes when it is
    /// closed.
    #[derive(Debug)]
    pub(super) struct Unnamed(pub(super) File);

    impl Unnamed {
        /// `None` if the file system has no unnamed files, or they could not be named later. The
        /// caller then tries a named one, which fails with the error if there is another reason.
        pub(super) fn new(directory: &Path, mode: u32) -> Option<Self> {
            let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
            let file = openat(CWD, directory, flags, Mode::from_raw_mode(mode)).ok()?;
            let unnamed = Self(File::from(file));
            let (own, found) = (unnamed.0.metadata().ok()?, fs::metadata(unnamed.path()).ok()?);
            ((own.dev(), own.ino()) == (found.dev(), found.ino())).then_some(unnamed)
        }

        /// Gives the file a name.
        ///
        /// # Errors
        /// `AlreadyExists` if the name exists; any error of `linkat`.
        pub(super) fn link(&self, path: &Path) -> io::Result<()> {
            Ok(linkat(CWD, self.path(), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
        }

        /// A path that leads to the open file. Linking the descriptor itself would need privileges.
        fn path(&self) -> PathBuf {
            PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
        }
    }
}

/// Gives `file` the permissions of the file that it will replace, so that a private file stays
/// private.
#[cfg(unix)]
fn adopt_permissions(file: &File, replaced: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (replaced.uid(), replaced.gid()) {
        // Only the superuser can do this. For others, the file becomes their own, like any that
        // they write.
        let _ = std::os::unix::fs::fchown(file, Some(replaced.uid()), Some(replaced.gid()));
    }
    // The set-user-ID and set-group-ID bits are dropped, since the content has changed.
    file.set_permissions(fs::Permissions::from_mode(replaced.mode() & 0o777))
}

#[cfg(not(unix))]
fn adopt_permissions(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}
