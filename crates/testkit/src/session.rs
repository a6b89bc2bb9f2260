//! A store under test, with its model and its file system.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive::traits::DataStoreReader;
use simd_r_drive::{DataStore, Durability, OpenOptions};
use simd_r_drive_writer::FileSystem;

use crate::case::{KeyId, Value};
use crate::compare::assert_same;
use crate::faults::Faults;
use crate::faulty::FaultyFileSystem;
use crate::journal::Journal;
use crate::model::Model;
use crate::operation::Operation;
use crate::perform::{compact, perform};
use crate::recording::RecordingFileSystem;

/// A store under test with its model, on a file system that fails on demand and records its
/// changes.
#[derive(Debug)]
pub struct Session {
    path: PathBuf,
    options: OpenOptions,
    store: Option<DataStore>,
    /// What the store must hold.
    pub model: Model,
    /// Decides which calls fail.
    pub faults: Faults,
    /// The changes to the files.
    pub journal: Journal,
    /// The commits that were acknowledged during the last operation: the number of changes at that
    /// time, and what the store held.
    pub(crate) acknowledged: Vec<(usize, Model)>,
}

impl Session {
    /// A session for the store at `path`, which is not opened yet. If the store is created, it gets
    /// this alignment.
    pub fn new(path: &Path, alignment: u64) -> Self {
        let (faults, journal) = (Faults::default(), Journal::default());
        let faulty: Arc<dyn FileSystem> = Arc::new(FaultyFileSystem::new(faults.clone()));
        let recording = RecordingFileSystem::new(faulty, journal.clone());
        let options = OpenOptions::new().create(true).alignment(alignment);
        let options = options.file_system(Arc::new(recording));
        Self {
            path: path.to_owned(),
            options,
            store: None,
            model: Model::default(),
            faults,
            journal,
            acknowledged: Vec::new(),
        }
    }

    /// Opens the store with this durability.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options = self.options.durability(durability);
        self
    }

    /// Opens the store, or creates it. Does nothing if it is open.
    ///
    /// # Errors
    /// Any error of opening the store.
    pub fn open(&mut self) -> io::Result<&DataStore> {
        if self.store.is_none() {
            self.store = Some(self.options.open(&self.path)?);
        }
        Ok(self.store())
    }

    /// The store.
    ///
    /// # Panics
    /// If it is not open.
    pub fn store(&self) -> &DataStore {
        self.store.as_ref().expect("the store is open")
    }

    /// Whether the store is open.
    pub fn is_open(&self) -> bool {
        self.store.is_some()
    }

    /// Drops the store if it is open.
    pub fn drop_store(&mut self) {
        self.store = None;
    }

    /// Drops the store as if the process had died: nothing more reaches the files.
    pub fn kill(&mut self) {
        self.faults.kill();
        self.store = None;
        self.faults.revive();
    }

    /// Performs `operation`, and opens the store first if necessary. Does not apply it to the
    /// model, except for the writes during a compaction. Returns the tail.
    ///
    /// # Errors
    /// Any error of the store. If it cannot be opened again, it is not open afterwards.
    pub fn perform(&mut self, operation: &Operation) -> io::Result<u64> {
        self.open()?;
        match operation {
            Operation::CloseAndReopen => {
                let closed = self.store().close();
                self.store = None;
                closed?;
            }
            Operation::DropAndReopen => self.store = None,
            Operation::KillAndReopen => self.kill(),
            Operation::ReadBeside => {
                let reader = self.reader()?;
                assert_same(&reader, &self.model)?;
            }
            Operation::Compact(entries) => self.compact(entries)?,
            _ => return perform(self.store(), operation),
        }
        self.open()?.file_size()
    }

    /// Applies each write to the model as soon as it is acknowledged, whether or not the compaction
    /// succeeds.
    fn compact(&mut self, entries: &[(KeyId, Value)]) -> io::Result<()> {
        let Self { store, model, journal, acknowledged, .. } = self;
        let store = store.as_ref().expect("the store is open");
        compact(store, entries, &mut |id, value| {
            model.apply(&Operation::Write(id, value)).expect("a write is never refused");
            acknowledged.push((journal.len(), model.clone()));
        })
    }

    /// Opens the store read-only, on the same file system.
    ///
    /// # Errors
    /// Any error of opening the store.
    pub fn reader(&self) -> io::Result<DataStore> {
        self.options.clone().create(false).read_only(true).open(&self.path)
    }

    /// Performs `operation` on the store and on the model, and checks that they agree on its
    /// outcome.
    ///
    /// # Errors
    /// Any error of the store, unless the model refuses the operation with the same kind.
    ///
    /// # Panics
    /// If they disagree.
    pub fn step(&mut self, operation: &Operation) -> io::Result<()> {
        self.acknowledged.clear();
        let tail = self.open()?.file_size()?;
        let mut model = self.model.clone();
        match (self.perform(operation), model.apply(operation)) {
            (Ok(end), Ok(())) => {
                let size = self.store().file_size()?;
                let has_barrier = self.store().stats().barriers > 0;
                assert!(end == size || has_barrier && end < size, "{end}, not {size}, is returned");
                let is_compaction = matches!(operation, Operation::Compact(_));
                assert!(end >= tail || is_compaction, "the tail never moves back");
                if end == tail && !is_compaction {
                    assert_eq!(model.content(), self.model.content(), "nothing was appended");
                }
                self.model = model;
                Ok(())
            }
            (Err(error), Err(kind)) => {
                assert_eq!(error.kind(), kind, "{error}");
                assert_eq!(self.store().file_size()?, tail, "what is refused changes nothing");
                Ok(())
            }
            (Err(error), Ok(())) => Err(error),
            (Ok(_), Err(kind)) => panic!("{operation:?} must be refused as {kind:?}"),
        }
    }

    /// Compares the store with the model.
    ///
    /// # Errors
    /// Any error of the store.
    ///
    /// # Panics
    /// If they differ.
    pub fn check(&self) -> io::Result<()> {
        assert_same(self.store(), &self.model)
    }
}
