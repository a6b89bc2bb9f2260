//! Options for opening a store.

use std::sync::Arc;

use simd_r_drive_entry_handle::Access;
use simd_r_drive_entry_handle::constants::PAYLOAD_ALIGNMENT;
use simd_r_drive_writer::{FileSystem, OsFileSystem};

use crate::durability::Durability;

/// Options for opening a store, in the manner of [`std::fs::OpenOptions`].
///
/// ```
/// use simd_r_drive::OpenOptions;
/// use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("vectors.srd");
/// let store = OpenOptions::new().create(true).alignment(256).verify_reads(true).open(&path)?;
/// store.write(b"row 1", &[7; 1700])?;
/// let row = store.read(b"row 1")?.unwrap();
/// assert_eq!(row.as_ptr().addr() % 256, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OpenOptions {
    pub(crate) create: bool,
    pub(crate) create_new: bool,
    pub(crate) read_only: bool,
    pub(crate) alignment: u64,
    pub(crate) verify_reads: bool,
    pub(crate) automatic_checkpoints: bool,
    pub(crate) durability: Durability,
    pub(crate) salvage: bool,
    pub(crate) allow_network_file_system: bool,
    pub(crate) access: Access,
    pub(crate) file_system: Arc<dyn FileSystem>,
}

impl OpenOptions {
    /// Defaults: open an existing store for reading and writing, create nothing, align to 64 bytes.
    pub fn new() -> Self {
        Self {
            create: false,
            create_new: false,
            read_only: false,
            alignment: PAYLOAD_ALIGNMENT,
            verify_reads: false,
            automatic_checkpoints: true,
            durability: Durability::default(),
            salvage: false,
            allow_network_file_system: false,
            access: Access::default(),
            file_system: Arc::new(OsFileSystem),
        }
    }

    /// Creates the store if the file does not exist or is empty. Default: no.
    #[must_use]
    pub fn create(mut self, create: bool) -> Self {
        self.create = create;
        self
    }

    /// Creates the store. Fails with `AlreadyExists` if the file exists. Default: no.
    #[must_use]
    pub fn create_new(mut self, create_new: bool) -> Self {
        self.create_new = create_new;
        self
    }

    /// Opens the store for reading only. This takes no lock, changes no byte, and works alongside a
    /// writer in this process or another. The store shows its state at the time of opening until
    /// [`DataStore::refresh`](crate::DataStore::refresh) is called. Default: no.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Alignment of payloads in bytes: a power of two from 64 to 65,536. A store that is created
    /// gets it for good. An existing store keeps its own, and is refused with
    /// [`StoreError::AlignmentTooSmall`](crate::StoreError::AlignmentTooSmall) if that is smaller.
    /// Default: 64, which every store has.
    ///
    /// Each entry occupies a multiple of the alignment in the file, for its value, its key and 32
    /// bytes. A value of 4,096 bytes thus takes 8,192 bytes in a store aligned to 4,096; aligned to
    /// 64, it takes 4,160. Ask for no more than the consumers of the values need: 64 is enough for
    /// every SIMD load and typed slice.
    #[must_use]
    pub fn alignment(mut self, bytes: u64) -> Self {
        self.alignment = bytes;
        self
    }

    /// Checks the seal and the CRC-32 of every entry that is read, and every line of the index that
    /// is used, each time. Costs a pass over the payload, at a few GB/s to tens of GB/s.
    ///
    /// Default: no. Reads then trust the payload bytes, and check a key, a trailer or a line of the
    /// index only once while the store is open: when it is opened, or when they first read it. So
    /// damage that comes after that is not noticed.
    #[must_use]
    pub fn verify_reads(mut self, verify_reads: bool) -> Self {
        self.verify_reads = verify_reads;
        self
    }

    /// Writes the index to the file after enough has been written, on compaction, and on close, so
    /// that the next open need not read the log. Default: yes. Otherwise only
    /// [`DataStore::checkpoint`](crate::DataStore::checkpoint) does.
    #[must_use]
    pub fn automatic_checkpoints(mut self, automatic: bool) -> Self {
        self.automatic_checkpoints = automatic;
        self
    }

    /// What an acknowledged write survives. Default: [`Durability::Process`].
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// When a damaged store is opened read-only, serves what is left even where it may be outdated.
    /// Otherwise, a key whose newest known version is older than a damaged part of the log answers
    /// [`FormatError::Damaged`](crate::FormatError::Damaged), and so does a missing key. Default:
    /// no.
    #[must_use]
    pub fn salvage(mut self, salvage: bool) -> Self {
        self.salvage = salvage;
        self
    }

    /// Allows a store on a network file system, where locks and memory maps may not keep their
    /// promises. Default: no.
    #[must_use]
    pub fn allow_network_file_system(mut self, allow: bool) -> Self {
        self.allow_network_file_system = allow;
        self
    }

    /// How the store is going to be read. Matters for pages that are not in memory. Costs a system
    /// call for each memory map. Default: [`Access::Normal`], which costs none.
    ///
    /// ```
    /// use simd_r_drive::{Access, OpenOptions};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("larger-than-memory.srd");
    /// let store = OpenOptions::new().create(true).access(Access::Random).open(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// Replaces the file system beneath the store, for instance to inject faults in tests. Default:
    /// the operating system's.
    #[must_use]
    pub fn file_system(mut self, file_system: Arc<dyn FileSystem>) -> Self {
        self.file_system = file_system;
        self
    }
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}
