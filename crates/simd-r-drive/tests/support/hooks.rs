//! The file system of the operating system, with a hook before some calls.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{
    Access, FileKey, FileStatus, FileSystem, Location, OsFileSystem, PendingFile, Placed,
    StoreFile, Visibility,
};

/// A call that a hook may look at, fail, or hold up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Open(Access),
    Len,
    /// The number of bytes.
    ReadAt(usize),
    /// The number of bytes.
    WriteAt(usize),
    Sync,
    /// The end of a [`Call::Sync`] that was not skipped.
    Synced,
    Allocate,
    IsOnNetwork,
    CreateReplacement,
    SyncDirectory,
}

/// What a hook wants: `Ok(true)` to go on; `Ok(false)` to skip a [`Call::Sync`] and report success,
/// or to be on a network.
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
    fn locate(&self, path: &Path) -> io::Result<Arc<dyn Location>> {
        Ok(Arc::new(HookedLocation { inner: OsFileSystem.locate(path)?, hooked: self.clone() }))
    }
}

#[derive(Debug)]
struct HookedLocation {
    inner: Arc<dyn Location>,
    hooked: Hooked,
}

impl Location for HookedLocation {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.inner.key()
    }

    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        (self.hooked.0)(Call::Open(access))?;
        Ok(self.hooked.wrap(self.inner.open(access)?))
    }

    fn create_pending(&self, visibility: Visibility) -> io::Result<Box<dyn PendingFile>> {
        let inner = self.inner.create_pending(visibility)?;
        Ok(Box::new(HookedPending { inner, hooked: self.hooked.clone() }))
    }

    fn create_replacement(&self, old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        (self.hooked.0)(Call::CreateReplacement)?;
        let inner = self.inner.create_replacement(old)?;
        Ok(Box::new(HookedPending { inner, hooked: self.hooked.clone() }))
    }

    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>> {
        let inner = self.inner.create_aside()?;
        Ok(Box::new(HookedPending { inner, hooked: self.hooked.clone() }))
    }

    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>> {
        self.inner.create_spool()
    }

    fn sync_directory(&self) -> io::Result<()> {
        (self.hooked.0)(Call::SyncDirectory)?;
        self.inner.sync_directory()
    }
}

#[derive(Debug)]
struct HookedPending {
    inner: Box<dyn PendingFile>,
    hooked: Hooked,
}

impl PendingFile for HookedPending {
    fn file(&self) -> Arc<dyn StoreFile> {
        self.hooked.wrap(self.inner.file())
    }

    fn place(self: Box<Self>) -> io::Result<Placed> {
        self.inner.place()
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
        (self.hook)(Call::Allocate)?;
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

    fn status(&self) -> io::Result<FileStatus> {
        self.inner.status()
    }

    fn is_on_network(&self) -> io::Result<bool> {
        Ok(!(self.hook)(Call::IsOnNetwork)? || self.inner.is_on_network()?)
    }
}
