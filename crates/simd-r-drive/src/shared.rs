//! The part of a store shared by its handle and its background threads.

use std::io;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive_writer::{Location, WriteError};

use crate::durability::Durability;
use crate::error::StoreError;
use crate::events;
use crate::events::{QuietGuard, QuietMutex};
use crate::flush::{Background, Flush, Progress};
use crate::log::{Current, ReadState};
use crate::maintenance::{Backpressure, Checkpoints, Maintenance};
use crate::options::OpenOptions;
use crate::read::Follower;
use crate::stats::NameState;
use crate::write::{Writer, refuse_reader_of};

/// When this many bytes follow the last barrier, the background thread is woken to flush and append
/// one.
pub(crate) const URGENT_DISTANCE: u64 = 32 << 20;

/// An open store.
#[derive(Debug)]
pub(crate) struct Shared {
    /// As the caller gave it, for messages. The file itself is found through `location`.
    pub(crate) path: PathBuf,
    /// `None` for a nested store.
    pub(crate) location: Option<Arc<dyn Location>>,
    /// Whether a flush found that the file has no name any more.
    pub(crate) is_deleted: AtomicBool,
    pub(crate) options: OpenOptions,
    pub(crate) current: Arc<Current>,
    /// `None` if the store is open read-only.
    pub(crate) writer: Option<QuietMutex<Writer>>,
    /// Position of a follower in the log; `None` if the store is open for writing, or nested.
    pub(crate) follower: Option<Follower>,
    /// Held by the running compaction or checkpoint.
    pub(crate) maintenance: Maintenance,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) pace: Backpressure,
    pub(crate) flush: Flush,
    pub(crate) background: Arc<Background>,
    /// The process that opened the store. A forked child has a copy of this memory, with locks in
    /// any state, and shares the file lock. It must not use any of these.
    pub(crate) owner: u32,
}

impl Shared {
    /// Takes the writer's lock, if this process may write.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`WriteError::ForeignProcess`], [`WriteError::Poisoned`],
    /// [`StoreError::RemainsNotSaved`].
    pub(crate) fn writer(&self) -> io::Result<QuietGuard<'_, Writer>> {
        let mut writer = self.lock_writer()?;
        writer.check()?;
        if let Some(location) = &self.location {
            writer.cut_remains(&self.path, &**location)?;
        }
        Ok(writer)
    }

    /// Takes the writer's lock even if the writer refuses writes.
    pub(crate) fn lock_writer(&self) -> io::Result<QuietGuard<'_, Writer>> {
        let Some(writer) = &self.writer else {
            return Err(StoreError::ReadOnly { path: self.path.clone() }.into());
        };
        self.check_process()?;
        refuse_reader_of(self)?;
        // The writer recovers by itself from the panic of another thread.
        Ok(writer.lock())
    }

    pub(crate) fn check_process(&self) -> Result<(), WriteError> {
        if self.owner == process::id() {
            Ok(())
        } else {
            Err(WriteError::ForeignProcess { owner: self.owner })
        }
    }

    /// Flushes every commit acknowledged so far.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let append = self.lock_writer()?.progress().appends;
        self.flush_to(append)
    }

    /// Flushes everything up to append number `append`, or waits for the thread that does.
    pub(crate) fn flush_to(&self, append: u64) -> io::Result<()> {
        self.flush.reach(append, || self.flush_file())
    }

    /// Flushes the file even if every commit is on the medium: other writes to the file may not be.
    pub(crate) fn flush_anew(&self) -> io::Result<()> {
        self.flush.run_alone(|| self.flush_file())
    }

    /// Flushes the file, and returns how much of what was appended the flush covered.
    fn flush_file(&self) -> io::Result<Progress> {
        let writer = self.lock_writer()?;
        writer.check()?;
        let start = writer.flush_start();
        // The lock is free during the flush.
        drop(writer);
        let result = start.run();
        let mut writer = self.lock_writer()?;
        writer.flushed(&start, result)?;
        let is_deleted = writer.is_file_deleted();
        drop(writer);
        if is_deleted && !self.is_deleted.swap(true, Ordering::Relaxed) {
            events::deleted(&self.path);
        }
        events::flushed(&self.path, start.progress.commits);
        Ok(start.progress)
    }

    /// # Errors
    /// [`StoreError::Deleted`] if the last flush found that the file has no name.
    pub(crate) fn check_not_deleted(&self) -> Result<(), StoreError> {
        if self.is_deleted.load(Ordering::Relaxed) {
            return Err(StoreError::Deleted { path: self.path.clone() });
        }
        Ok(())
    }

    /// What the path of the store leads to now.
    pub(crate) fn name_state(&self, state: &ReadState) -> NameState {
        let Some(location) = &self.location else { return NameState::Current };
        let Ok(status) = state.file.status() else { return NameState::Unknown };
        match location.key() {
            Ok(key) if key == status.key => NameState::Current,
            _ if status.links == 0 => NameState::Deleted,
            Ok(_) => NameState::Taken,
            Err(error) if error.kind() == io::ErrorKind::NotFound => NameState::Gone,
            Err(_) => NameState::Unknown,
        }
    }

    /// Appends a barrier if many bytes follow the last one, or if any do and `is_due`. Returns
    /// whether it did.
    pub(crate) fn barrier(&self, is_due: bool) -> io::Result<bool> {
        let mut writer = self.writer()?;
        let least = if is_due { 1 } else { URGENT_DISTANCE };
        if writer.barrier_distance() < least {
            return Ok(false);
        }
        writer.append_barrier()?;
        writer.write_hints(false)?;
        events::barrier_written(&self.path, writer.tail());
        Ok(true)
    }

    /// Makes what recovery found as durable as the store promises, as if it had just been written.
    ///
    /// # Errors
    /// Those of the flush, at [`Durability::Sync`].
    pub(crate) fn keep_recovered(self: &Arc<Self>) -> io::Result<()> {
        if self.writer.is_none() || self.lock_writer()?.unflushed() == 0 {
            return Ok(());
        }
        if self.options.durability == Durability::Sync {
            self.sync()?;
        }
        self.background.note(self, false);
        Ok(())
    }

    /// Flushes the file, marks it clean and unlocks it. A second call does nothing.
    pub(crate) fn close(&self) -> io::Result<()> {
        self.check_process()?;
        self.checkpoints.stop();
        self.background.stop();
        self.flush.run_alone(|| {
            let mut writer = self.lock_writer()?;
            writer.close(self.options.automatic_checkpoints)?;
            if writer.is_file_deleted() {
                self.is_deleted.store(true, Ordering::Relaxed);
            }
            Ok(writer.progress())
        })
    }
}
