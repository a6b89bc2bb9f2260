//! The file that a backup goes to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive_entry_handle::Identity;
use simd_r_drive_writer::{Access, Location, StoreFile, WriteError, write_all_at};

use super::checked_copy::{CheckedCopy, Cut, Log};
use crate::clean_hints::write_clean_hints;
use crate::error::StoreError;
use crate::open::{
    Found, Header, Point, Tail, find_tail, identify, nothing_in_it, refuse_network, save_aside,
};
use crate::options::OpenOptions;

/// Writes the log up to `to` into a new file, and then the header. Returns how many slots were copied.
///
/// # Errors
/// See [`CheckedCopy::copy_to`].
pub(super) fn fill_new(file: &dyn StoreFile, log: Log<'_>, to: Point) -> io::Result<u64> {
    let root = log.root();
    // Before anything is read: space that is short shows at once.
    allocate(file, 0, to.end)?;
    let mut copy = CheckedCopy::new(log, file, root, to.end);
    for cut in log.cuts(root, to)?.unwrap_or_default().into_iter().rev() {
        copy.copy_to(cut.point)?;
    }
    for sequence in [0, 1] {
        write_clean_hints(file, log.identity, sequence, to, log.index_end(to.end))?;
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
    tail: Tail,
    len: u64,
}

impl Existing {
    /// Opens and locks what is at `path`, and makes sure that it is a backup of the file with `identity`.
    ///
    /// # Errors
    /// `NotFound`; what the file is instead of a backup; [`WriteError::Locked`].
    pub(super) fn open(
        location: &Arc<dyn Location>,
        path: &Path,
        identity: &Identity,
        options: &OpenOptions,
    ) -> io::Result<Self> {
        let file = location.open(Access::ReadWrite)?;
        refuse_network(&*file, options)?;
        check_identity(&read_header(&*file)?, identity, path)?;
        if !file.try_lock()? {
            return Err(WriteError::Locked.into());
        }
        if location.key().ok() != Some(file.key()?) {
            return Err(StoreError::PathUnstable { path: path.to_owned() }.into());
        }
        // Again, now that nobody else writes to it.
        let header = read_header(&*file)?;
        check_identity(&header, identity, path)?;
        header.identity.check_writable()?;
        let len = file.len()?;
        let checkpoints = &header.checkpoints;
        let tail = find_tail(&*file, &header.identity, checkpoints, len, false, &mut |_| {})?;
        let (location, path) = (Arc::clone(location), path.to_owned());
        Ok(Self { file, location, path, header, tail, len })
    }

    /// Appends what `log` has up to `to` and the backup does not.
    ///
    /// Data is flushed before the checkpoint that names it is written: interrupted anywhere, the backup ends
    /// at a commit that it had before, or at a later one.
    ///
    /// # Errors
    /// [`StoreError::BackupDiverged`]; else see [`CheckedCopy::copy_to`]. The backup is then as it was, or
    /// holds some of the commits that were to be appended.
    pub(super) fn append(&self, log: Log<'_>, to: Point) -> io::Result<Appended> {
        let Tail { durable, tail, data_end } = self.tail;
        let diverged = || StoreError::BackupDiverged { path: self.path.clone(), tail: tail.end };
        // A compaction may have come between.
        check_identity(&self.header, log.identity, &self.path)?;
        let mut cuts = log.cuts(tail, to)?.ok_or_else(diverged)?;
        if durable != tail {
            // Not from its tail on: pages whose write-back failed look clean in the cache.
            cuts = log.cuts(durable, to)?.ok_or_else(diverged)?;
        }
        let mut appended =
            Appended { copied_bytes: to.end - durable.end, copied_slots: 0, saved_to: None };
        if durable == to && self.len == to.end {
            return Ok(appended);
        }
        let file = &*self.file;
        if data_end > tail.end {
            let saved = save_aside(&*self.location, file, tail.end, data_end)?;
            appended.saved_to = Some(saved.path().to_owned());
        }
        if self.len > tail.end {
            file.set_len(tail.end)?;
        }
        let mut good_end = tail.end;
        match self.copy(log, durable, to, cuts, &mut good_end) {
            Ok(copied_slots) => Ok(Appended { copied_slots, ..appended }),
            Err(error) => {
                // Best effort: recovery cuts what remains.
                let _ = file.set_len(good_end);
                Err(error)
            }
        }
    }

    fn copy(
        &self,
        log: Log<'_>,
        from: Point,
        to: Point,
        cuts: Vec<Cut>,
        good_end: &mut u64,
    ) -> io::Result<u64> {
        let file = &*self.file;
        allocate(file, *good_end, to.end.saturating_sub(*good_end))?;
        let mut sequence = self.header.checkpoints.first().map_or(0, |newest| newest.sequence);
        let mut copy = CheckedCopy::new(log, file, from, to.end);
        for cut in cuts.into_iter().rev() {
            copy.copy_to(cut.point)?;
            if cut.is_commit {
                sequence += 1;
                let index_end = log.index_end(cut.point.end);
                // Before the checkpoint that names it: once that may be there, nothing below is cut off.
                *good_end = cut.point.end.max(*good_end);
                write_clean_hints(file, &self.header.identity, sequence, cut.point, index_end)?;
            }
        }
        file.sync()?;
        Ok(copy.copied_slots)
    }

    /// Gives the lock back.
    pub(super) fn close(&self) {
        // If this fails, closing the file does it.
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
