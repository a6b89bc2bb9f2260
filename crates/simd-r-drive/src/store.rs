//! The store itself: what a program holds, and how it is opened, flushed and closed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use simd_r_drive_writer::{Location, Placed, WriteError};

use crate::checkpoint::Maintenance;
use crate::compact::Backpressure;
#[cfg(doc)]
use crate::error::StoreError;
use crate::error::about;
use crate::events;
use crate::events::QuietMutex;
use crate::flush::{Background, Flush};
use crate::log::{Current, Loaded, ReadState};
use crate::open::{self, Opened, RecoveryReport};
use crate::options::OpenOptions;
use crate::shared::Shared;
use crate::stats::StoreStats;
use crate::write::Writer;

/// An embedded, append-only key/value store in one file, whose values are used in place.
///
/// Any number of threads read and write through one `DataStore`, behind an `Arc` or a reference; readers
/// never wait for writers. The methods are those of the traits
/// [`DataStoreReader`](crate::traits::DataStoreReader) and [`DataStoreWriter`](crate::traits::DataStoreWriter).
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
/// Dropping a store closes it; [`DataStore::close`] does the same and reports errors. A store that is not
/// closed, because its process was killed, loses nothing that was acknowledged.
pub struct DataStore {
    pub(crate) shared: Arc<Shared>,
    report: RecoveryReport,
}

impl DataStore {
    /// Opens the store at `path` for reading and writing; creates it if there is no file, or an empty one. A
    /// store whose file or medium is read-only is opened for reading.
    ///
    /// # Errors
    /// See [`OpenOptions::open`].
    pub fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).open(path)
    }

    /// Opens the store at `path` for reading and writing; creates nothing.
    ///
    /// # Errors
    /// `NotFound` if there is no file; else see [`OpenOptions::open`].
    pub fn open_existing(path: &Path) -> io::Result<Self> {
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
            // What was just created is ours alone, and nobody has been told of it.
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
            // A nested store has no file of its own, and never changes.
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

    /// The read state that readers use now.
    #[inline]
    pub(crate) fn state(&self) -> Loaded<ReadState> {
        self.shared.current.load()
    }

    /// The path that the store was opened with.
    pub fn get_path(&self) -> PathBuf {
        self.shared.path.clone()
    }

    /// Whether the store takes writes.
    pub fn is_read_only(&self) -> bool {
        self.shared.writer.is_none()
    }

    /// What opening the store found and did.
    pub fn recovery_report(&self) -> &RecoveryReport {
        &self.report
    }

    /// How large the store is, how much of it is live, and what it has done since it was opened. Waits for the writer's lock, if it is a writable
    /// store.
    pub fn stats(&self) -> StoreStats {
        let writer = self.shared.lock_writer().map(|writer| writer.counts()).unwrap_or_default();
        let state = self.state();
        let name = self.shared.name_state(&state);
        StoreStats::of(&state, writer, self.shared.flush.counts(), &self.report, name)
    }

    /// Flushes everything that was acknowledged before this call to the medium: when it returns, that
    /// survives the loss of power, if the device honours flushes. On a read-only store it does nothing.
    ///
    /// # Errors
    /// The operating system's. After a failed flush it is unknown what reached the medium: the store refuses
    /// to write until it is opened again, and goes on reading. [`StoreError::Deleted`] if the file was flushed,
    /// but has been deleted: it is gone when the store is closed.
    ///
    /// # Locking
    /// Other threads read and write while the flush runs. Threads that call this at the same time share a
    /// flush.
    pub fn sync(&self) -> io::Result<()> {
        if self.is_read_only() {
            return Ok(());
        }
        self.shared.sync()?;
        Ok(self.shared.check_not_deleted()?)
    }

    /// Flushes and closes the store: the file ends at its last entry, and the next open has nothing to
    /// recover. Later writes are refused, reads go on. Closing twice is fine.
    ///
    /// # Errors
    /// The operating system's. What was acknowledged is in the file all the same; the next open recovers it.
    /// [`StoreError::Deleted`] if the store was closed, but its file has been deleted.
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
    /// Maps the index that is in the file, and reads keys and trailers of what was written after it: about as long as
    /// that takes, whatever the store's size. Without an index in the file, or with a damaged one, it reads those of
    /// the whole log. Payloads are read only in the part that was written since the last durable point.
    ///
    /// # Errors
    /// - [`FormatError`](crate::FormatError) when the file is not a store, is damaged, truncated or newer;
    /// - [`WriteError::Locked`](crate::WriteError::Locked) when it is open for writing elsewhere;
    /// - the operating system's.
    ///
    /// A file that is refused is not changed.
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
