//! A file system whose calls fail on demand.

use std::fmt::Debug;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{
    Access, FileKey, FilePermissions, FileStatus, FileSystem, Location, OsFileSystem, PendingFile,
    Placed, StoreFile, Visibility,
};

use crate::faults::{CallKind, Faults};

/// The file system of the operating system, with faults.
///
/// A flush succeeds without doing anything, unless it is to fail. [`Disk`](crate::Disk) simulates
/// what a loss of power does to data that was not flushed. Maps are those of the real file.
#[derive(Debug, Clone, Default)]
pub struct FaultyFileSystem {
    faults: Faults,
}

impl FaultyFileSystem {
    /// A file system whose calls fail as `faults` decides.
    pub fn new(faults: Faults) -> Self {
        Self { faults }
    }
}

impl FileSystem for FaultyFileSystem {
    fn locate(&self, path: &Path) -> io::Result<Arc<dyn Location>> {
        self.faults.pass(CallKind::Locate)?;
        let inner = OsFileSystem.locate(path)?;
        Ok(Arc::new(FaultyLocation { inner, faults: self.faults.clone() }))
    }
}

/// A path, with faults. Its directory is never flushed; see [`FaultyFileSystem`].
#[derive(Debug)]
struct FaultyLocation {
    inner: Arc<dyn Location>,
    faults: Faults,
}

impl FaultyLocation {
    fn file(&self, inner: Arc<dyn StoreFile>) -> Arc<dyn StoreFile> {
        Arc::new(FaultyFile { inner, faults: self.faults.clone() })
    }

    fn pending(
        &self,
        kind: CallKind,
        create: impl FnOnce() -> io::Result<Box<dyn PendingFile>>,
    ) -> io::Result<Box<dyn PendingFile>> {
        self.faults.pass(kind)?;
        Ok(Box::new(FaultyPending { inner: create()?, faults: self.faults.clone() }))
    }
}

impl Location for FaultyLocation {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.faults.pass(CallKind::KeyOf)?;
        self.inner.key()
    }

    fn open(&self, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        self.faults.pass(CallKind::Open)?;
        Ok(self.file(self.inner.open(access)?))
    }

    fn create_pending(&self, visibility: Visibility) -> io::Result<Box<dyn PendingFile>> {
        self.pending(CallKind::CreatePending, || self.inner.create_pending(visibility))
    }

    fn create_replacement(&self, old: &Arc<dyn StoreFile>) -> io::Result<Box<dyn PendingFile>> {
        self.pending(CallKind::CreateReplacement, || self.inner.create_replacement(old))
    }

    fn create_aside(&self) -> io::Result<Box<dyn PendingFile>> {
        self.pending(CallKind::CreateAside, || self.inner.create_aside())
    }

    fn create_spool(&self) -> io::Result<Arc<dyn StoreFile>> {
        self.faults.pass(CallKind::CreateSpool)?;
        Ok(self.file(self.inner.create_spool()?))
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.faults.pass(CallKind::SyncDirectory)
    }

    fn remove_orphans(&self, is_ours: &dyn Fn(&dyn StoreFile) -> bool) -> io::Result<u64> {
        self.faults.pass(CallKind::RemoveOrphans)?;
        self.inner.remove_orphans(is_ours)
    }
}

/// A pending file, with faults.
#[derive(Debug)]
struct FaultyPending {
    inner: Box<dyn PendingFile>,
    faults: Faults,
}

impl PendingFile for FaultyPending {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::new(FaultyFile { inner: self.inner.file(), faults: self.faults.clone() })
    }

    fn place(self: Box<Self>) -> io::Result<Placed> {
        self.faults.pass(CallKind::Place)?;
        self.inner.place()
    }
}

/// A file of a [`FaultyFileSystem`].
#[derive(Debug)]
pub struct FaultyFile<F> {
    inner: F,
    faults: Faults,
}

impl<F> StoreFile for FaultyFile<F>
where
    F: Deref + Debug + Send + Sync,
    F::Target: StoreFile,
{
    fn len(&self) -> io::Result<u64> {
        self.faults.pass(CallKind::Len)?;
        self.inner.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = self.faults.transfer(CallKind::Read, buffer.len())?;
        self.inner.read_at(&mut buffer[..len], offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let len = self.faults.transfer(CallKind::Write, bytes.len())?;
        self.inner.write_at(&bytes[..len], offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.pass(CallKind::SetLen)?;
        self.inner.set_len(len)
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.faults.pass(CallKind::Allocate)?;
        self.inner.allocate(offset, len)
    }

    fn punch_hole(&self, offset: u64, len: u64) -> io::Result<()> {
        self.faults.pass(CallKind::PunchHole)?;
        self.inner.punch_hole(offset, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.faults.pass(CallKind::Sync)
    }

    fn map(&self, alignment: Alignment, need: u64, wish: u64) -> io::Result<Map> {
        self.faults.pass(CallKind::Map)?;
        self.inner.map(alignment, need, wish)
    }

    fn next_data(&self, offset: u64) -> io::Result<Option<u64>> {
        self.faults.pass(CallKind::NextData)?;
        self.inner.next_data(offset)
    }

    fn next_hole(&self, offset: u64) -> io::Result<u64> {
        self.faults.pass(CallKind::NextHole)?;
        self.inner.next_hole(offset)
    }

    fn status(&self) -> io::Result<FileStatus> {
        self.faults.pass(CallKind::Status)?;
        self.inner.status()
    }

    fn set_permissions(&self, permissions: FilePermissions) -> io::Result<()> {
        self.faults.pass(CallKind::SetPermissions)?;
        self.inner.set_permissions(permissions)
    }

    fn max_len(&self) -> io::Result<u64> {
        self.inner.max_len()
    }

    fn may_maps_lag(&self) -> io::Result<bool> {
        self.inner.may_maps_lag()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.faults.pass(CallKind::Lock)?;
        self.inner.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.faults.pass(CallKind::Unlock)?;
        self.inner.unlock()
    }

    fn key(&self) -> io::Result<FileKey> {
        self.faults.pass(CallKind::Key)?;
        self.inner.key()
    }

    fn is_on_network(&self) -> io::Result<bool> {
        self.faults.pass(CallKind::IsOnNetwork)?;
        self.inner.is_on_network()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Errno, Fault, Rule};

    fn open() -> io::Result<(tempfile::TempDir, Faults, Arc<dyn StoreFile>)> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("file");
        std::fs::write(&path, b"0123456789")?;
        let faults = Faults::default();
        let location = FaultyFileSystem::new(faults.clone()).locate(&path)?;
        let file = location.open(Access::ReadWrite)?;
        Ok((directory, faults, file))
    }

    #[test]
    fn the_second_write_fails_once_and_then_all_is_well() -> io::Result<()> {
        let (_directory, faults, file) = open()?;
        let fault = Fault::Error(Errno::Enospc);
        let kind = Some(CallKind::Write);
        faults.arm(Rule { kind, after: 1, is_lasting: false, fault });
        assert_eq!(file.write_at(b"ab", 0)?, 2);
        assert_eq!(file.len()?, 10);
        assert_eq!(file.write_at(b"cd", 0).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.write_at(b"ef", 0)?, 2);
        assert_eq!(faults.struck(), [CallKind::Write]);
        assert_eq!(faults.count(kind), 3);
        Ok(())
    }

    #[test]
    fn a_lasting_fault_lasts_until_it_is_healed() -> io::Result<()> {
        let (_directory, faults, file) = open()?;
        let fault = Fault::Error(Errno::Eio);
        faults.arm(Rule { kind: Some(CallKind::Read), after: 0, is_lasting: true, fault });
        for _ in 0..3 {
            assert_eq!(file.read_at(&mut [0], 0).unwrap_err().raw_os_error(), Some(5));
        }
        faults.heal();
        assert_eq!(file.read_at(&mut [0], 0)?, 1);
        Ok(())
    }

    #[test]
    fn a_full_disk_takes_a_part_and_then_nothing() -> io::Result<()> {
        let (_directory, faults, file) = open()?;
        let fault = Fault::ShortThenError(3, Errno::Enospc);
        faults.arm(Rule { kind: Some(CallKind::Write), after: 0, is_lasting: false, fault });
        assert_eq!(file.write_at(b"abcdef", 0)?, 3);
        assert!(file.write_at(b"def", 3).is_err());
        let mut bytes = [0; 10];
        file.read_at(&mut bytes, 0)?;
        assert_eq!(&bytes, b"abc3456789");
        Ok(())
    }
}
