//! Backups: a copy of the store's file as of one commit, whole or extended.

mod checked_copy;
mod remains;
mod target;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(doc)]
use simd_r_drive_writer::WriteError;
use simd_r_drive_writer::{Location, Visibility};

use self::checked_copy::Log;
use self::target::{Appended, Existing, fill_new};
use crate::error::{StoreError, about};
use crate::log::{LogPosition, ReadState};
use crate::open::{copy_permissions, lock_new, place_new, remove_orphans};
use crate::store::DataStore;

/// What a backup did. See [`DataStore::backup`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Whether an existing backup was extended.
    pub is_incremental: bool,
    /// The tail of the store that the backup shows, in bytes, and the length of its file.
    pub tail: u64,
    /// Bytes of slots that were copied.
    pub copied_bytes: u64,
    /// Slots that were copied: values, deletions, barriers.
    pub copied_slots: u64,
    /// Whether all that was copied is on the store's own medium too. If not (the store is open read-only, or
    /// a flush failed), a loss of power can take the last commits from the store, and the backup, which has
    /// them, can no longer be extended.
    pub is_store_flushed: bool,
    /// Where bytes beyond the last commit of an existing backup were saved before they were cut
    /// off. `None` if there were none, or if the store has the same, as it has after a backup that
    /// was interrupted.
    pub saved_to: Option<PathBuf>,
    /// How long it took.
    pub duration: Duration,
}

impl DataStore {
    /// Copies the store, as of now, to a file at `path`. Reads and writes go on meanwhile.
    ///
    /// Every slot is checked on the way (seal, link, padding, CRC-32 of the payload), so that damage is not
    /// copied. The copy is a store like any other, with all versions and deletions that the original has; a
    /// restore is to open it, or to put it in the original's place while that is closed.
    ///
    /// If there is nothing at `path`, all is copied, and the file appears complete or not at all,
    /// with the permissions of the store's file. If there is an earlier backup of this very file
    /// there, only what was committed since is appended; interrupted by a crash, it shows some
    /// commit between the two, and the next backup completes it. Of what it held before, only what
    /// opening it reads is read again, so that nothing is appended to a backup that cannot be
    /// opened. Compaction writes a new file, so the first backup after it needs a new path.
    ///
    /// A backup that is itself written to becomes a store of its own, and can no longer be extended.
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let (path, backup) = (directory.path().join("store.srd"), directory.path().join("backup.srd"));
    /// let store = DataStore::open(&path)?;
    /// store.write(b"monday", b"first")?;
    /// assert!(!store.backup(&backup)?.is_incremental);
    /// store.write(b"tuesday", b"second")?;
    /// assert!(store.backup(&backup)?.is_incremental);
    /// assert_eq!(DataStore::open_existing(&backup)?.len()?, 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Costs two or three passes over the keys and trailers, one over the payloads that are copied,
    /// and up to 32 MiB of memory at the smallest slots. Extending a backup costs, besides, what
    /// opening it does: without an index in it, that is a pass over all of its keys and trailers;
    /// and five flushes, or one more for each 32 MiB.
    ///
    /// # Errors
    /// - [`FormatError::Damaged`](crate::FormatError::Damaged) with the offset of a slot that is not as it was
    ///   written;
    /// - [`StoreError::BackupDamaged`] if the existing backup could not be opened;
    /// - [`StoreError::BackupOutdated`], [`StoreError::BackupDiverged`], [`StoreError::BackupOfOtherStore`],
    ///   [`StoreError::BackupOntoItself`], and those of opening a store, for what is at `path` already;
    /// - [`WriteError::Locked`] if the backup is open for writing, or being written;
    /// - the operating system's.
    ///
    /// What is refused is not changed. After any other error, a new backup is not there, and an existing one
    /// shows a commit that it had or was to get.
    ///
    /// # Locking
    /// The writer's lock is taken for as long as one small commit takes. The backup is locked while it is
    /// written.
    pub fn backup(&self, path: &Path) -> io::Result<BackupReport> {
        let started = Instant::now();
        let about_backup = |error| about(path, error);
        let location = self.shared.options.file_system.locate(path).map_err(about_backup)?;
        let state = self.shared.current.load_full();
        let file_key = state.file.key().ok();
        if file_key.is_some() && file_key == location.key().ok() {
            return Err(StoreError::BackupOntoItself { path: path.to_owned() }.into());
        }
        let options = &self.shared.options;
        let report = match Existing::open(&location, path, &state.identity, options) {
            Ok(existing) => self.extend(&existing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.write_backup(&*location),
            Err(error) => Err(about_backup(error)),
        };
        report.map(|report| BackupReport { duration: started.elapsed(), ..report })
    }

    fn extend(&self, existing: &Existing) -> io::Result<BackupReport> {
        // Taken only now that the backup is locked: it cannot be ahead of us because of another thread.
        let source = self.settle()?;
        let appended = existing.append(source.log(), source.to, &self.shared.options);
        existing.close();
        let Appended { copied_bytes, copied_slots, saved_to } = appended?;
        Ok(BackupReport {
            is_incremental: true,
            copied_bytes,
            copied_slots,
            saved_to,
            ..source.report()
        })
    }

    fn write_backup(&self, location: &dyn Location) -> io::Result<BackupReport> {
        let source = self.settle()?;
        remove_orphans(location, &source.state.identity);
        let mut copied_slots = 0;
        let (file, _) = place_new(location, Visibility::Private, &mut |file| {
            lock_new(file, location.path(), &self.shared.options)?;
            copied_slots = fill_new(file, source.log(), source.to)?;
            // At the end, and of the open file: what the store's permissions are now, whatever its path.
            copy_permissions(&*source.state.file, file)
        })?;
        // If this fails, closing the file does it.
        let _ = file.unlock();
        let copied_bytes = source.to.end - source.log().root().end;
        Ok(BackupReport { copied_bytes, copied_slots, ..source.report() })
    }

    /// What is to be copied. A writable store is flushed, and its log gets a barrier, so that the backup's log
    /// says itself how far it is durable.
    fn settle(&self) -> io::Result<Source> {
        // Errors are those of the writer, not of the backup: a store that can only be read is worth one.
        let _ = self.shared.sync().and_then(|()| self.shared.barrier(true));
        let state = self.shared.current.load_full();
        let tail = state.publication.tail();
        let is_flushed = self.shared.sync().is_ok();
        state.refuse_damage()?;
        let log = Log { file: &*state.file, identity: &state.identity };
        let to = log.point(tail)?;
        Ok(Source { state, to, is_flushed })
    }
}

/// A file of the store up to one tail.
#[derive(Debug)]
struct Source {
    state: Arc<ReadState>,
    to: LogPosition,
    is_flushed: bool,
}

impl Source {
    fn log(&self) -> Log<'_> {
        Log { file: &*self.state.file, identity: &self.state.identity }
    }

    fn report(&self) -> BackupReport {
        BackupReport {
            is_incremental: false,
            tail: self.to.end,
            copied_bytes: 0,
            copied_slots: 0,
            is_store_flushed: self.is_flushed,
            saved_to: None,
            duration: Duration::ZERO,
        }
    }
}
