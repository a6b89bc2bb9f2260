//! Backups: copies of the store's file as of one commit, made whole or extended.

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

/// The result of a backup. See [`DataStore::backup`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Whether an existing backup was extended.
    pub is_incremental: bool,
    /// Tail of the store that the backup shows, in bytes; also the length of its file.
    pub tail: u64,
    /// Bytes of slots that were copied.
    pub copied_bytes: u64,
    /// Slots that were copied: values, deletions, barriers.
    pub copied_slots: u64,
    /// Whether everything copied is on the store's own medium too. If not (the store is open
    /// read-only, or a flush failed), power loss can take the last commits from the store. The
    /// backup, which has them, can then no longer be extended.
    pub is_store_flushed: bool,
    /// Where bytes beyond the last commit of an existing backup were saved before they were cut
    /// off. `None` if there were none, or if the store has the same bytes, as after an interrupted
    /// backup.
    pub saved_to: Option<PathBuf>,
    /// How long the backup took.
    pub duration: Duration,
}

impl DataStore {
    /// Copies the store as of now to a file at `path`. Reads and writes continue meanwhile.
    ///
    /// Every slot is checked on the way (seal, link, padding, CRC-32 of the payload), so damage is
    /// not copied. The copy is an ordinary store with all versions and deletions of the original.
    /// To restore it, open it, or put it in the original's place while the original is closed.
    ///
    /// If `path` does not exist, everything is copied. The file appears complete or not at all,
    /// with the permissions of the store's file. If `path` is an earlier backup of the same file,
    /// only what was committed since is appended. If a crash interrupts that, the backup shows some
    /// commit between the two states, and the next backup completes it. Of the previous contents,
    /// only what opening reads is read again, so that nothing is appended to a backup that cannot
    /// be opened. Compaction writes a new file, so the first backup after it needs a new path.
    ///
    /// A backup that is written to becomes a store of its own, and can no longer be extended.
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("store.srd");
    /// # let backup = directory.path().join("backup.srd");
    /// let store = DataStore::open(&path)?;
    /// store.write(b"monday", b"first")?;
    /// assert!(!store.backup(&backup)?.is_incremental);
    /// store.write(b"tuesday", b"second")?;
    /// assert!(store.backup(&backup)?.is_incremental);
    /// assert_eq!(DataStore::open_existing(&backup)?.len()?, 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// Costs two or three passes over the keys and trailers and one over the payloads that are
    /// copied, and up to 32 MiB of memory if slots are as small as possible. Extending a backup
    /// also costs what opening it does (without an index in it, a pass over all of its keys and
    /// trailers), and five flushes, plus one for each 32 MiB.
    ///
    /// # Errors
    /// - [`FormatError::Damaged`](crate::FormatError::Damaged) with the offset of a slot that is
    ///   not as it was written;
    /// - [`StoreError::BackupDamaged`] if the existing backup cannot be opened;
    /// - [`StoreError::BackupOutdated`], [`StoreError::BackupDiverged`],
    ///   [`StoreError::BackupOfOtherStore`] or [`StoreError::BackupOntoItself`] if the file at
    ///   `path` is not a backup that can be extended, and the errors of opening a store for it;
    /// - [`WriteError::Locked`] if the backup is open for writing or being written;
    /// - any I/O error of the files.
    ///
    /// A refused file is not changed. After any other error, a new backup does not exist, and an
    /// existing one shows a commit that it had or was about to get.
    ///
    /// # Locking
    /// Takes the writer's lock for as long as one small commit. The backup is locked while it is
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
        // Taken only once the backup is locked, so that another thread cannot have moved it ahead
        // of us.
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
            // Done last, and on the open file: the store's current permissions, whatever happened
            // to its path.
            copy_permissions(&*source.state.file, file)
        })?;
        // If this fails, closing the file unlocks it.
        let _ = file.unlock();
        let copied_bytes = source.to.end - source.log().root().end;
        Ok(BackupReport { copied_bytes, copied_slots, ..source.report() })
    }

    /// What to copy. A writable store is first flushed and gets a barrier, so that the backup's log
    /// itself records how far it is durable.
    fn settle(&self) -> io::Result<Source> {
        // Such errors concern the writer, not the backup: a store that can only be read is worth
        // backing up.
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

/// The store's file up to one tail.
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
