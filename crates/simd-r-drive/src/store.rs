//! The store handle: opening, flushing and closing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use simd_r_drive_writer::{Location, Placed, WriteError};

#[cfg(doc)]
use crate::error::StoreError;
use crate::error::about;
use crate::events;
use crate::events::QuietMutex;
use crate::flush::{Background, Flush};
use crate::log::{Current, Loaded, ReadState};
use crate::maintenance::{Backpressure, Maintenance};
use crate::open::{self, Opened, RecoveryReport};
use crate::options::OpenOptions;
use crate::shared::Shared;
use crate::stats::StoreStats;
use crate::write::Writer;

/// An embedded, append-only key/value store in one file, whose values are used in place.
///
/// Any number of threads can read and write through one `DataStore`, shared by `Arc` or by
/// reference. Readers never wait for writers. Most operations are methods of the traits
/// [`DataStoreReader`](crate::traits::DataStoreReader) and
/// [`DataStoreWriter`](crate::traits::DataStoreWriter).
///
/// ```
/// use simd_r_drive::DataStore;
/// use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("example.srd");
/// let store = DataStore::open(&path)?;
/// store.write(b"weights", bytemuck::cast_slice(&[0.5_f32, 1.5, 2.5]))?;
///
/// let entry = store.read(b"weights")?.expect("just written");
/// let weights: &[f32] = entry.as_typed().expect("aligned, and a whole number of floats");
/// assert_eq!(weights, [0.5, 1.5, 2.5]);
/// store.close()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Dropping a store closes it; [`DataStore::close`] does the same and reports errors. If the
/// process is killed before the store is closed, no acknowledged write is lost.
pub struct DataStore {
    pub(crate) shared: Arc<Shared>,
    report: RecoveryReport,
}

impl DataStore {
    /// Opens the store at `path` for reading and writing. Creates it if the file does not exist or
    /// is empty. If the file or the medium is read-only, the store is opened for reading.
    ///
    /// # Errors
    /// See [`OpenOptions::open`].
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().create(true).open(path)
    }

    /// Opens the store at `path` for reading and writing. Never creates a file.
    ///
    /// # Errors
    /// `NotFound` if the file does not exist; otherwise as [`OpenOptions::open`].
    pub fn open_existing(path: impl AsRef<Path>) -> io::Result<Self> {
        OpenOptions::new().open(path)
    }

    pub(crate) fn open_with(path: &Path, options: &OpenOptions) -> io::Result<Self> {
        Self::open_at(path, options).map_err(|error| about(path, error))
    }

    fn open_at(path: &Path, options: &OpenOptions) -> io::Result<Self> {
        let background = Background::new(options.durability, options.read_only)?;
        let location = options.file_system.locate(path)?;
        let mut opened = open::open(path, &location, options)?;
        let created = opened.created.take();
        Self::from_opened(opened, path, Some(location), options, background).inspect_err(|_| {
            // The file was just created, and nothing else knows of it yet.
            created.map(Placed::remove);
        })
    }

    pub(crate) fn from_opened(
        opened: Opened,
        path: &Path,
        location: Option<Arc<dyn Location>>,
        options: &OpenOptions,
        background: Background,
    ) -> io::Result<Self> {
        let current = Arc::new(Current::new(Arc::new(opened.state)));
        let writer = match opened.writable {
            Some(resume) => Some(QuietMutex::new(Writer::new(Arc::clone(&current), resume)?)),
            None => None,
        };
        let shared = Shared {
            path: path.to_owned(),
            options: options.clone(),
            current,
            // A nested store has no file of its own and never changes, so it cannot follow
            // anything.
            follower: (writer.is_none() && location.is_some())
                .then(|| QuietMutex::new(opened.tail)),
            location,
            is_deleted: AtomicBool::new(false),
            writer,
            maintenance: Maintenance::default(),
            checkpoints: Arc::default(),
            pace: Backpressure::default(),
            flush: Flush::default(),
            background: Arc::new(background),
            owner: process::id(),
        };
        let shared = Arc::new(shared);
        shared.keep_recovered()?;
        let store = Self { shared, report: opened.report };
        events::opened(path, store.is_read_only(), &store.report);
        Ok(store)
    }

    /// The current read state.
    #[inline]
    pub(crate) fn state(&self) -> Loaded<ReadState> {
        self.shared.current.load()
    }

    /// The path with which the store was opened.
    pub fn get_path(&self) -> PathBuf {
        self.shared.path.clone()
    }

    /// Whether the store was opened read-only.
    pub fn is_read_only(&self) -> bool {
        self.shared.writer.is_none()
    }

    /// What recovery found and did when the store was opened.
    pub fn recovery_report(&self) -> &RecoveryReport {
        &self.report
    }

    /// Size, live data, and activity since the store was opened. On a writable store, this waits
    /// for the writer's lock.
    pub fn stats(&self) -> StoreStats {
        let writer = self.shared.lock_writer().map(|writer| writer.counts()).unwrap_or_default();
        let state = self.state();
        let name = self.shared.name_state(&state);
        StoreStats::of(&state, writer, self.shared.flush.counts(), &self.report, name)
    }

    /// Flushes to the medium everything that was acknowledged before this call. Once it returns,
    /// that data survives power loss, provided that the device honours flushes. Does nothing on a
    /// read-only store.
    ///
    /// # Errors
    /// - Any I/O error of the file. After a failed flush it is unknown what reached the medium: the
    ///   store refuses further writes until it is opened again, but reads continue.
    /// - [`StoreError::Deleted`] if the flush succeeded but the file has been deleted. Its contents
    ///   are lost when the store is closed.
    ///
    /// # Locking
    /// Other threads can read and write while the flush runs. Threads that call this at the same
    /// time share a flush.
    pub fn sync(&self) -> io::Result<()> {
        if self.is_read_only() {
            return Ok(());
        }
        self.shared.sync()?;
        Ok(self.shared.check_not_deleted()?)
    }

    /// Flushes and closes the store. The file is cut to its last entry, and the next open has
    /// nothing to recover. Later writes are refused; reads continue. Closing twice is harmless.
    ///
    /// # Errors
    /// - Any I/O error of the file. Acknowledged writes are in the file all the same; the next open
    ///   recovers them.
    /// - [`StoreError::Deleted`] if the store was closed but its file has been deleted.
    pub fn close(&self) -> io::Result<()> {
        if self.is_read_only() {
            return Ok(());
        }
        self.shared.close()?;
        Ok(self.shared.check_not_deleted()?)
    }
}

impl OpenOptions {
    /// Opens the store at `path`.
    ///
    /// Maps the index in the file, then reads the keys and trailers of the slots written after it.
    /// The time depends on the number of those slots, not on the size of the store. If the file has
    /// no index, or a damaged one, the keys and trailers of the whole log are read. Payloads are
    /// read only beyond the last durable point.
    ///
    /// # Errors
    /// - [`FormatError`](crate::FormatError) if the file is not a store, or is damaged, truncated
    ///   or of a newer format;
    /// - [`WriteError::Locked`](crate::WriteError::Locked) if it is open for writing elsewhere;
    /// - [`StoreError`](crate::StoreError) for the other conditions of the engine;
    /// - any I/O error of the file.
    ///
    /// A refused file is not changed.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<DataStore> {
        DataStore::open_with(path.as_ref(), self)
    }
}

impl From<PathBuf> for DataStore {
    /// [`DataStore::open`] for code that cannot handle errors.
    ///
    /// # Panics
    /// If the store cannot be opened.
    fn from(path: PathBuf) -> Self {
        match Self::open(&path) {
            Ok(store) => store,
            Err(error) => panic!("cannot open the store {}: {error}", path.display()),
        }
    }
}

impl Drop for DataStore {
    fn drop(&mut self) {
        match self.close() {
            Ok(()) => {}
            Err(error) if is_forked_child(&error) => {}
            Err(error) => events::close_failed(&self.shared.path, &error),
        }
    }
}

fn is_forked_child(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(WriteError::ForeignProcess { .. }))
}

impl fmt::Debug for DataStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataStore")
            .field("path", &self.shared.path)
            .field("is_read_only", &self.is_read_only())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
