//! The operating system's file system, with a hook in front of some calls.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{Access, FileKey, FileSystem, OsFileSystem, StoreFile};

/// A call that a hook may look at, fail, or hold up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Open(Access),
    Len,
    /// Of so many bytes.
    ReadAt(usize),
    /// Of so many bytes.
    WriteAt(usize),
    Sync,
    /// The end of a [`Call::Sync`] that was not skipped.
    Synced,
}

/// What a hook wants: `Ok(true)` to go on, `Ok(false)` to skip the call and report success (only for
/// [`Call::Sync`]).
type Hook = dyn Fn(Call) -> io::Result<bool> + Send + Sync;

/// A file system that asks its hook first.
#[derive(Clone)]
pub(crate) struct Hooked(Arc<Hook>);

impl Hooked {
    pub(crate) fn new(
        hook: impl Fn(Call) -> io::Result<bool> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self(Arc::new(hook)))
    }

    /// Flushes cost nothing and do nothing: for tests that open a store 100,000 times.
    pub(crate) fn without_flushes() -> Arc<Self> {
        Self::new(|call| Ok(call != Call::Sync))
    }

    /// As for a user who may only read.
    pub(crate) fn read_only_medium() -> Arc<Self> {
        Self::new(|call| match call {
            Call::Open(Access::ReadWrite) => Err(io::ErrorKind::PermissionDenied.into()),
            Call::WriteAt(_) | Call::Sync => panic!("{call:?} on a read-only medium"),
            _ => Ok(true),
        })
    }

    fn wrap(&self, inner: Arc<dyn StoreFile>) -> Arc<dyn StoreFile> {
        Arc::new(HookedFile { inner, hook: Arc::clone(&self.0) })
    }
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooked")
    }
}

impl FileSystem for Hooked {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        (self.0)(Call::Open(access))?;
        Ok(self.wrap(OsFileSystem.open(path, access)?))
    }

    fn create(
        &self,
        path: &Path,
        fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
    ) -> io::Result<Arc<dyn StoreFile>> {
        Ok(self.wrap(OsFileSystem.create(path, fill)?))
    }

    fn key_of(&self, path: &Path) -> io::Result<FileKey> {
        OsFileSystem.key_of(path)
    }

    fn create_aside(&self, beside: &Path) -> io::Result<(PathBuf, Arc<dyn StoreFile>)> {
        let (path, file) = OsFileSystem.create_aside(beside)?;
        Ok((path, self.wrap(file)))
    }
}

struct HookedFile {
    inner: Arc<dyn StoreFile>,
    hook: Arc<Hook>,
}

impl fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl StoreFile for HookedFile {
    fn len(&self) -> io::Result<u64> {
        (self.hook)(Call::Len)?;
        self.inner.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.hook)(Call::ReadAt(buffer.len()))?;
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        (self.hook)(Call::WriteAt(bytes.len()))?;
        self.inner.write_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.allocate(offset, len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.inner.punch_hole(offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        if !(self.hook)(Call::Sync)? {
            return Ok(());
        }
        self.inner.sync()?;
        (self.hook)(Call::Synced).map(drop)
    }

    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map> {
        self.inner.map(alignment, need, wish)
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        self.inner.next_data(offset)
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.inner.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.inner.unlock()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.inner.key()
    }

    fn is_on_network(&self) -> io::Result<bool> {
        self.inner.is_on_network()
    }
}
