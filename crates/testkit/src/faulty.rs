//! A file system whose calls fail when they are told to.

use std::fmt::Debug;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::{
    Access, FileKey, FileSystem, OsFile, OsFileSystem, Replacement, StoreFile,
};
use tempfile::NamedTempFile;

use crate::faults::{CallKind, Faults};

/// The operating system's files, with faults.
///
/// A flush that is not told to fail succeeds without touching the device: what a flush promises is taken
/// away by [`Disk`](crate::Disk), not by pulling a plug. Maps are those of the real file.
#[derive(Debug, Clone, Default)]
pub struct FaultyFileSystem {
    faults: Faults,
}

impl FaultyFileSystem {
    /// A file system that does what `faults` says.
    pub fn new(faults: Faults) -> Self {
        Self { faults }
    }

    fn on_its_way(&self, path: PathBuf, replaces: bool) -> io::Result<Box<dyn Replacement>> {
        let mut builder = tempfile::Builder::new();
        let directory = path.parent().unwrap_or(Path::new("."));
        let temporary = builder.prefix(".simd-r-drive-").tempfile_in(directory)?;
        let inner = Arc::new(OsFile::new(temporary.as_file().try_clone()?));
        let faults = self.faults.clone();
        Ok(Box::new(FaultyReplacement { inner, temporary, path, replaces, faults }))
    }
}

impl FileSystem for FaultyFileSystem {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn StoreFile>> {
        self.faults.pass(CallKind::Open)?;
        let inner = OsFileSystem.open(path, access)?;
        Ok(Arc::new(FaultyFile { inner, faults: self.faults.clone() }))
    }

    /// The flush and the rename that end it are calls of their own.
    fn create(
        &self,
        path: &Path,
        fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
    ) -> io::Result<Arc<dyn StoreFile>> {
        self.faults.pass(CallKind::Create)?;
        // As the real one does it, but without waiting for the device.
        let temporary = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        let inner = OsFile::new(temporary.as_file().try_clone()?);
        fill(&FaultyFile { inner: &inner, faults: self.faults.clone() })?;
        self.faults.pass(CallKind::Sync)?;
        self.faults.pass(CallKind::Rename)?;
        temporary.persist_noclobber(path).map_err(|error| error.error)?;
        let inner: Arc<dyn StoreFile> = Arc::new(inner);
        self.faults.pass(CallKind::SyncDirectory).inspect_err(|_| {
            let _ = std::fs::remove_file(path);
        })?;
        Ok(Arc::new(FaultyFile { inner, faults: self.faults.clone() }))
    }

    fn key_of(&self, path: &Path) -> io::Result<FileKey> {
        self.faults.pass(CallKind::KeyOf)?;
        OsFileSystem.key_of(path)
    }

    fn create_aside(&self, beside: &Path) -> io::Result<(PathBuf, Arc<dyn StoreFile>)> {
        self.faults.pass(CallKind::CreateAside)?;
        let (path, inner) = OsFileSystem.create_aside(beside)?;
        Ok((path, Arc::new(FaultyFile { inner, faults: self.faults.clone() })))
    }

    fn create_replacement(&self, path: &Path) -> io::Result<Box<dyn Replacement>> {
        self.faults.pass(CallKind::CreateReplacement)?;
        // As the real one does it, but for owner and mode, and without waiting for the device.
        self.on_its_way(std::fs::canonicalize(path)?, true)
    }

    fn create_pending(&self, path: &Path) -> io::Result<Box<dyn Replacement>> {
        self.faults.pass(CallKind::CreatePending)?;
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.on_its_way(path.to_owned(), false)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.faults.pass(CallKind::Remove)?;
        OsFileSystem.remove(path)
    }

    fn sync_directory_of(&self, _: &Path) -> io::Result<()> {
        self.faults.pass(CallKind::SyncDirectory)
    }
}

/// A file on its way, with faults.
#[derive(Debug)]
struct FaultyReplacement {
    inner: Arc<OsFile>,
    temporary: NamedTempFile,
    path: PathBuf,
    replaces: bool,
    faults: Faults,
}

impl Replacement for FaultyReplacement {
    fn file(&self) -> Arc<dyn StoreFile> {
        Arc::new(FaultyFile { inner: Arc::clone(&self.inner), faults: self.faults.clone() })
    }

    /// The rename, and the flush of the directory, are calls of their own.
    fn replace(self: Box<Self>) -> io::Result<()> {
        self.faults.pass(CallKind::Rename)?;
        let result = if self.replaces {
            self.temporary.persist(&self.path)
        } else {
            self.temporary.persist_noclobber(&self.path)
        };
        result.map_err(|error| error.error)?;
        self.faults.pass(CallKind::SyncDirectory).inspect_err(|_| {
            if !self.replaces {
                let _ = std::fs::remove_file(&self.path);
            }
        })
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

    fn adopt_permissions(&self, path: &Path) -> io::Result<()> {
        self.faults.pass(CallKind::AdoptPermissions)?;
        self.inner.adopt_permissions(path)
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
        let file = FaultyFileSystem::new(faults.clone()).open(&path, Access::ReadWrite)?;
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
