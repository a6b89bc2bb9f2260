//! A file in memory that fails on demand, and a log in it.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use simd_r_drive_entry_handle::{Alignment, Identity, IdentitySeeds, Kind, Layout, Map, Seal};
use simd_r_drive_writer::{Appender, FileKey, NewEntry, StoreFile};

/// What goes wrong.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// This many more writes succeed, then all fail.
    pub(crate) writes_left: Option<usize>,
    pub(crate) set_len_fails: bool,
    /// How allocation fails, if it does.
    pub(crate) allocate_fails: Option<io::ErrorKind>,
    /// Most bytes that a write takes.
    pub(crate) write_len_max: Option<usize>,
    /// Every other write is interrupted.
    pub(crate) interrupts: bool,
    pub(crate) is_interrupted: bool,
}

/// A file in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryFile {
    bytes: Mutex<Vec<u8>>,
    faults: Mutex<Faults>,
}

impl MemoryFile {
    pub(crate) fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap()
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap()
    }

    pub(crate) fn heal(&self) {
        *self.faults() = Faults::default();
    }
}

impl StoreFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.bytes();
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut faults = self.faults();
        match &mut faults.writes_left {
            Some(0) => return Err(io::ErrorKind::StorageFull.into()),
            Some(left) => *left -= 1,
            None => {}
        }
        if faults.interrupts {
            faults.is_interrupted = !faults.is_interrupted;
            if faults.is_interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
        }
        let len = bytes.len().min(faults.write_len_max.unwrap_or(usize::MAX));
        let mut all = self.bytes();
        let (start, end) = (offset as usize, offset as usize + len);
        if all.len() < end {
            all.resize(end, 0);
        }
        all[start..end].copy_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.faults().set_len_fails {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.bytes().resize(len as usize, 0);
        Ok(())
    }

    fn allocate(&self, offset: u64, len: u64) -> io::Result<()> {
        if let Some(kind) = self.faults().allocate_fails {
            return Err(kind.into());
        }
        let mut bytes = self.bytes();
        let end = (offset + len) as usize;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self, _: Alignment, _: u64, _: u64) -> io::Result<Map> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }

    fn key(&self) -> io::Result<FileKey> {
        Ok(FileKey { device: 0, inode: 0 })
    }
}

/// An identity that is the same every time.
pub(crate) fn identity(alignment: Alignment) -> Identity {
    let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
    Identity::new(seeds, alignment, 0, 0)
}

/// A log without slots: its file, its layout, and what appends to it.
pub(crate) fn empty_log(alignment: Alignment) -> (Arc<MemoryFile>, Layout, Appender) {
    let identity = identity(alignment);
    let layout = identity.layout();
    let file = Arc::new(MemoryFile::default());
    file.bytes().resize(layout.header_len() as usize, 0);
    let shared: Arc<dyn StoreFile> = Arc::clone(&file) as _;
    let log =
        Appender::new(shared, layout, layout.header_len(), Seal(identity.checksum())).unwrap();
    (file, layout, log.with_clock(|| 12_345))
}

/// The first version of a value.
pub(crate) fn value<'a>(key: &'a [u8], payload: &'a [u8]) -> NewEntry<'a> {
    NewEntry {
        kind: Kind::Value,
        key,
        is_bare: false,
        payload,
        previous_end: 0,
        replaces_live: false,
        is_new_hash: false,
        written_at: None,
    }
}
