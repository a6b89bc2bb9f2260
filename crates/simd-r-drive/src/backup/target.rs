//! The file that a backup is written to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Checkpoint, FormatError, Identity};
use simd_r_drive_writer::{Access, Location, Placed, StoreFile, WriteError, write_all_at};

use super::checked_copy::{CheckedCopy, Cut, Log};
use super::remains::are_in_source;
use crate::error::StoreError;
use crate::log::{LogPosition, checkpoint_at, write_hints};
use crate::open::{
    Found, Header, LogBounds, Sound, check_sound, identify, index_in, nothing_in_it,
    refuse_network, save_aside,
};
use crate::options::OpenOptions;

/// Writes the log up to `to` into a new file, then its header. Returns the number of slots copied.
///
/// The file stays invisible until it is complete and flushed, so no hint marks it as being copied
/// to.
///
/// # Errors
/// See [`CheckedCopy::copy_to`].
pub(super) fn fill_new(file: &dyn StoreFile, log: Log<'_>, to: LogPosition) -> io::Result<u64> {
    let root = log.root();
    // Allocated before anything is read, so that lack of space shows at once.
    allocate(file, 0, to.end)?;
    let mut copy = CheckedCopy::new(log, file, root, to.end);
    for cut in log.cuts(root, to)?.unwrap_or_default().into_iter().rev() {
        copy.copy_to(cut.point)?;
    }
    let barrier_end = log.barrier_ends()?.into_iter().find(|end| *end <= to.end).unwrap_or(0);
    for sequence in [0, 1] {
        let checkpoint = checkpoint_at(sequence, to, barrier_end);
        write_hints(file, log.identity, &Checkpoint { is_clean: true, ..checkpoint }, to.end)?;
    }
    write_all_at(file, &log.identity.encode(), 0)?;
    file.sync()?;
    Ok(copy.copied_slots)
}

/// An existing backup, locked.
#[derive(Debug)]
pub(super) struct Existing {
    file: Arc<dyn StoreFile>,
    location: Arc<dyn Location>,
    path: PathBuf,
    header: Header,
    sound: Sound,
    len: u64,
}

impl Existing {
    /// Opens and locks the file at `path`. Makes sure that it is a backup of the file with
    /// `identity`, and that it opens without damage.
    ///
    /// # Errors
    /// `NotFound`; an error that says what the file is, if it is no such backup;
    /// [`WriteError::Locked`]; [`StoreError::BackupDamaged`].
    pub(super) fn open(
        location: &Arc<dyn Location>,
        path: &Path,
        identity: &Identity,
        options: &OpenOptions,
    ) -> io::Result<Self> {
        let file = location.open(Access::ReadWrite)?;
        refuse_network(&*file, path, options)?;
        check_identity(&read_header(&*file)?, identity, path)?;
        if !file.try_lock()? {
            return Err(WriteError::Locked { path: path.to_owned() }.into());
        }
        if location.key().ok() != Some(file.key()?) {
            return Err(StoreError::PathUnstable { path: path.to_owned() }.into());
        }
        // Read again, now that no one else writes to the file.
        let header = read_header(&*file)?;
        check_identity(&header, identity, path)?;
        header.identity.check_writable()?;
        let len = file.len()?;
        let sound = check_sound(&file, &header, len, options);
        let sound = sound.map_err(|error| damaged_backup(path, error))?;
        let (location, path) = (Arc::clone(location), path.to_owned());
        Ok(Self { file, location, path, header, sound, len })
    }

    /// Appends the part of `log` up to `to` that the backup does not have.
    ///
    /// Before the first byte, both checkpoints are marked as COPYING, so that no barrier is
    /// believed before the data it vouches for is on this medium too. Data is flushed before a
    /// checkpoint names it, and all of it before a checkpoint says that the copy is complete.
    /// Wherever it is interrupted, the backup ends at a commit that it had before or at a later
    /// one.
    ///
    /// # Errors
    /// [`StoreError::BackupDiverged`]; otherwise as [`CheckedCopy::copy_to`]. The backup is then
    /// unchanged, or has some of the commits to append.
    pub(super) fn append(
        &self,
        log: Log<'_>,
        to: LogPosition,
        options: &OpenOptions,
    ) -> io::Result<Appended> {
        let LogBounds { durable, tail, data_end, .. } = self.sound.tail;
        let diverged = || StoreError::BackupDiverged { path: self.path.clone(), tail: tail.end };
        // A compaction may have come in between.
        check_identity(&self.header, log.identity, &self.path)?;
        let mut cuts = log.cuts(tail, to)?.ok_or_else(diverged)?;
        if durable != tail {
            // Not from its tail: pages whose write-back failed look clean in the cache.
            cuts = log.cuts(durable, to)?.ok_or_else(diverged)?;
        }
        let mut appended =
            Appended { copied_bytes: to.end - durable.end, copied_slots: 0, saved_to: None };
        if durable == to && self.len == to.end && !self.is_incomplete() {
            return Ok(appended);
        }
        let file = &*self.file;
        let mut saved = None;
        // What an interrupted backup left is saved only if the source does not have it.
        if data_end > tail.end && !are_in_source(tail.end..data_end, file, log, to)? {
            let placed = save_aside(&*self.location, file, tail.end, data_end)?;
            appended.saved_to = Some(placed.path().to_owned());
            saved = Some(placed);
        }
        if self.len > tail.end {
            file.set_len(tail.end).inspect_err(|_| {
                // Nothing has been cut off: the next attempt saves it again.
                saved.take().map(Placed::remove);
            })?;
        }
        let mut copy = CheckedCopy::new(log, file, durable, to.end);
        match self.copy(&mut copy, log, cuts, to, options) {
            Ok(()) => Ok(Appended { copied_slots: copy.copied_slots, ..appended }),
            Err(error) => {
                // Best effort: recovery cuts off what remains. Copied data stays, because a reader
                // may already show whole commits of it.
                let _ = file.set_len(copy.reached.max(tail.end));
                Err(error)
            }
        }
    }

    /// Whether an earlier extension of the backup was interrupted.
    fn is_incomplete(&self) -> bool {
        self.header.checkpoints.first().is_some_and(|newest| newest.is_copying)
    }

    fn copy(
        &self,
        copy: &mut CheckedCopy<'_>,
        log: Log<'_>,
        cuts: Vec<Cut>,
        to: LogPosition,
        options: &OpenOptions,
    ) -> io::Result<()> {
        let (file, identity) = (&*self.file, &self.header.identity);
        let Sound { tail: LogBounds { durable, tail, .. }, barrier_end } = self.sound;
        allocate(file, tail.end, to.end.saturating_sub(tail.end))?;
        let mut sequence = self.header.checkpoints.first().map_or(0, |newest| newest.sequence);
        let mut hint = |point: LogPosition, barrier_end, is_clean| {
            sequence = sequence.wrapping_add(1);
            let checkpoint = checkpoint_at(sequence, point, barrier_end);
            let checkpoint = Checkpoint { is_clean, is_copying: !is_clean, ..checkpoint };
            write_hints(file, identity, &checkpoint, point.end)
        };
        // One page at a time, so that one of them is always whole.
        for _ in 0..2 {
            hint(durable, barrier_end, false)?;
            file.sync()?;
        }
        for Cut { point, is_commit } in cuts.into_iter().rev() {
            copy.copy_to(point)?;
            if is_commit && point != to {
                hint(point, barrier_end, false)?;
            }
        }
        // The tables that the source uses, unless one was incomplete when an earlier backup copied
        // it.
        let usable = index_in(&self.file, &self.header, log.barrier_ends()?, to, options)?;
        let barrier_end = usable.unwrap_or(barrier_end);
        for _ in 0..2 {
            hint(to, barrier_end, true)?;
            file.sync()?;
        }
        Ok(())
    }

    /// Unlocks the backup.
    pub(super) fn close(&self) {
        // If this fails, closing the file unlocks it.
        let _ = self.file.unlock();
    }
}

/// What was appended to a backup.
#[derive(Debug)]
pub(super) struct Appended {
    pub(super) copied_bytes: u64,
    pub(super) copied_slots: u64,
    pub(super) saved_to: Option<PathBuf>,
}

fn read_header(file: &dyn StoreFile) -> io::Result<Header> {
    let len = file.len()?;
    match identify(file, len)? {
        Found::Store(header) => Ok(*header),
        Found::Nothing => Err(nothing_in_it(len)),
    }
}

/// The error for a backup at `path` that cannot be opened.
fn damaged_backup(path: &Path, error: io::Error) -> io::Error {
    match error.downcast::<FormatError>() {
        Ok(damage) => StoreError::BackupDamaged { path: path.to_owned(), damage }.into(),
        Err(error) => error,
    }
}

fn check_identity(header: &Header, identity: &Identity, path: &Path) -> Result<(), StoreError> {
    let found = &header.identity;
    let path = || path.to_owned();
    if found == identity {
        Ok(())
    } else if found.store_id == identity.store_id {
        Err(StoreError::BackupOutdated { path: path() })
    } else {
        Err(StoreError::BackupOfOtherStore { path: path() })
    }
}

fn allocate(file: &dyn StoreFile, offset: u64, len: u64) -> io::Result<()> {
    if len == 0 {
        return Ok(());
    }
    match file.allocate(offset, len) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        result => result,
    }
}
