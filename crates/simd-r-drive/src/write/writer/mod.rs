//! The one writer of a store: commits, flushes and barriers.

mod closing;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use simd_r_drive_entry_handle::constants::{MAX_FILE_LEN, PAGE_SIZE};
use simd_r_drive_entry_handle::{FormatError, PublishedTail};
use simd_r_drive_indexer::LayeredIndex;
use simd_r_drive_writer::{
    Appender, Location, PoisonCause, StoreFile, WriteError, read_exact_at, write_all_at,
};

use crate::checkpoint::Tables;
use crate::error::StoreError;
use crate::events;
use crate::flush::Progress;
use crate::log::{Current, Delta, Loaded, LogFile, LogPosition, ReadState, Totals};
use crate::open::{Remains, Resume};
use crate::stats::WriterCounts;
use crate::write::CommitBuilder;

/// The state that the writer's lock protects.
#[derive(Debug)]
pub(crate) struct Writer {
    /// The file, and the read state that readers see. Only its writer knows a new file.
    current: Arc<Current>,
    pub(crate) log: Arc<LogFile>,
    pub(crate) appender: Appender,
    totals: Totals,
    /// Length of the last commit in bytes.
    commit_len: u64,
    progress: Progress,
    /// Everything up to here is on the medium.
    durable: LogPosition,
    /// End of what recovery found and must be rewritten before the durable point may pass it: pages
    /// whose write-back failed in an earlier process look clean in the system's cache.
    rewrite_until: u64,
    /// If an interrupted copy left slots beyond what was durable then, their end. The hints keep
    /// saying so until the durable point has reached it.
    copied_until: u64,
    /// End of the newest barrier, or the durable tail at the time of opening.
    barrier_end: u64,
    checkpoint_sequence: u64,
    pub(crate) tables: Tables,
    /// Barriers written since the store was opened.
    barriers: u64,
    /// Whether the file is marked as closed and nothing has been appended since.
    is_clean: bool,
    is_closed: bool,
    /// Whether this is the store's current file. A file that compaction is still building emits no
    /// events.
    is_current: bool,
    /// Bytes beyond the tail that could not be saved when the store was opened.
    remains: Option<Remains>,
}

/// A flush that will run without the writer's lock.
#[derive(Debug)]
pub(crate) struct FlushStart {
    log: Arc<LogFile>,
    point: LogPosition,
    rewrite: Range<u64>,
    /// What the flush will cover.
    pub(crate) progress: Progress,
}

impl FlushStart {
    /// Flushes the file.
    pub(crate) fn run(&self) -> io::Result<()> {
        let file = &*self.log.file;
        rewrite_range(file, self.rewrite.clone())?;
        file.sync()
    }
}

impl Writer {
    pub(crate) fn new(current: Arc<Current>, resume: Resume) -> io::Result<Self> {
        let Resume {
            durable,
            tail,
            checkpoint_sequence,
            must_rewrite,
            is_copying,
            barrier_end: named_by,
            newest_index_end,
            remains,
        } = resume;
        let log = Arc::clone(&current.load().log);
        let appender = Appender::new(Arc::clone(&log.file), log.layout, tail.end, tail.seal)?;
        let recovered = u64::from(tail.end > durable.end);
        Ok(Self {
            appender,
            totals: log.totals(),
            commit_len: 0,
            // What recovery found counts as one commit that is not flushed yet.
            progress: Progress { appends: recovered, commits: recovered },
            durable,
            rewrite_until: if must_rewrite { tail.end } else { durable.end },
            copied_until: if is_copying { tail.end } else { 0 },
            barrier_end: durable.end,
            checkpoint_sequence,
            tables: Tables::new(named_by, newest_index_end),
            barriers: 0,
            is_clean: !must_rewrite,
            is_closed: false,
            is_current: true,
            remains,
            current,
            log,
        })
    }

    /// A writer for a file that may become the store's.
    pub(crate) fn of_new_file(state: ReadState, resume: Resume) -> io::Result<Self> {
        let current = Arc::new(Current::new(Arc::new(state)));
        Ok(Self { is_current: false, ..Self::new(current, resume)? })
    }

    /// Makes sure that the writer still accepts writes.
    ///
    /// # Errors
    /// [`WriteError::Poisoned`].
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        self.appender.check()
    }

    /// Cuts off the bytes beyond the tail if opening could not, so that appends are possible.
    ///
    /// # Errors
    /// [`StoreError::RemainsNotSaved`]; any I/O error of the file.
    #[inline]
    pub(crate) fn cut_remains(&mut self, path: &Path, location: &dyn Location) -> io::Result<()> {
        let Some(remains) = self.remains else { return Ok(()) };
        if let Err(source) = remains.cut(path, location, &*self.log.file)? {
            let (path, bytes) = (path.to_owned(), remains.end - remains.start);
            return Err(StoreError::RemainsNotSaved { path, bytes, source }.into());
        }
        self.remains = None;
        self.appender.trimmed()
    }

    /// Makes the writer refuse all further writes.
    pub(crate) fn poison(&mut self, cause: PoisonCause) {
        self.appender.poison(cause);
        if self.is_current {
            events::poisoned(cause);
        }
    }

    /// Passes on the result of an append. Emits an event if a failed append could not be undone.
    pub(crate) fn appended(&self, result: io::Result<u64>) -> io::Result<u64> {
        if let (Err(_), Err(WriteError::Poisoned { cause }), true) =
            (&result, self.check(), self.is_current)
        {
            events::poisoned(cause);
        }
        result
    }

    /// The current read state. Only the holder of the writer's lock replaces it.
    #[inline]
    pub(crate) fn state(&self) -> Loaded<ReadState> {
        self.current.load()
    }

    /// Replaces the list of index layers. Returns the previous read state.
    pub(crate) fn replace_index(&self, index: LayeredIndex) -> Arc<ReadState> {
        let next = ReadState::new(Arc::clone(&self.log), index);
        self.current.replace_index(self.tail(), next)
    }

    /// Totals as of the tail.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// How much has been appended.
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// Length of the last commit in bytes.
    pub(crate) fn commit_len(&self) -> u64 {
        self.commit_len
    }

    /// Counts that only the writer keeps.
    pub(crate) fn counts(&self) -> WriterCounts {
        WriterCounts { barriers: self.barriers, checkpoints: self.tables.checkpoints }
    }

    pub(crate) fn tail(&self) -> u64 {
        self.appender.tail()
    }

    /// Bytes of log after the last barrier.
    pub(crate) fn barrier_distance(&self) -> u64 {
        self.appender.tail() - self.barrier_end
    }

    /// Appends the entries of a commit builder as one commit and publishes it. Returns the new
    /// tail.
    ///
    /// Everything that can fail comes before the index is touched.
    pub(crate) fn commit(&mut self, commit: &CommitBuilder<'_>) -> io::Result<u64> {
        if commit.is_empty() {
            return Ok(self.tail());
        }
        let state = self.state();
        self.make_room(commit.len())?;
        let insertions = commit.insertions(self.tail());
        state.index.prepare(&insertions, &*self.log)?;
        let end = self.appender.append(commit.entries());
        let end = self.appended(end)?;
        self.publish(end, commit.delta, |log| state.index.insert_prepared(&insertions, log))?;
        self.progress.commits += 1;
        Ok(end)
    }

    /// As [`Writer::commit`], but the last entry takes its payload from `reader`.
    pub(crate) fn commit_from(
        &mut self,
        commit: &CommitBuilder<'_>,
        reader: &mut dyn io::Read,
        payload_len: u64,
        payload_crc: Option<u32>,
    ) -> io::Result<u64> {
        let Some((value, before)) = commit.entries().split_last() else { return Ok(self.tail()) };
        let state = self.state();
        let alignment = self.log.layout.alignment();
        let value_len = alignment.slot_len(payload_len, value.key.len() as u16);
        let value_len = value_len.ok_or(FormatError::StoreFull { max: MAX_FILE_LEN })?;
        self.make_room(commit.last_start().saturating_add(value_len))?;
        let mut insertions = commit.insertions(self.tail());
        state.index.prepare(&insertions, &*self.log)?;
        let end = self.appender.append_from(before, value, reader, payload_len, payload_crc);
        let end = self.appended(end)?;
        if let Some(last) = insertions.last_mut() {
            last.end = end;
        }
        self.publish(end, commit.delta, |log| state.index.insert_prepared(&insertions, log))?;
        self.progress.commits += 1;
        Ok(end)
    }

    /// Makes sure that a map covers `len` more bytes before they are written.
    pub(crate) fn make_room(&self, len: u64) -> io::Result<()> {
        self.log.make_room(self.appender.tail_after(len)?)
    }

    pub(crate) fn publish(
        &mut self,
        end: u64,
        delta: Delta,
        index: impl FnOnce(&LogFile) -> io::Result<()>,
    ) -> io::Result<u64> {
        self.is_clean = false;
        let totals = self.totals.after(end, delta);
        let log = &*self.log;
        let result = log.publication.publish(end, || {
            index(log)?;
            log.counts.store(totals);
            Ok(())
        });
        if let Err(error) = result {
            // The commit is in the file, and a reopened store will show it. This process cannot.
            self.poison(PoisonCause::PublishFailed);
            return Err(error);
        }
        self.commit_len = end - self.totals.tail;
        self.totals = totals;
        self.progress.appends += 1;
        Ok(end)
    }

    /// What a flush that starts now will cover.
    pub(crate) fn flush_start(&self) -> FlushStart {
        FlushStart {
            log: Arc::clone(&self.log),
            point: self.tail_point(),
            rewrite: self.durable.end..self.rewrite_until,
            progress: self.progress,
        }
    }

    /// Records the result of a flush. A failed flush is never retried: the system may have dropped
    /// the data, and would report the next flush as a success.
    pub(crate) fn flushed(&mut self, start: &FlushStart, result: io::Result<()>) -> io::Result<()> {
        if !Arc::ptr_eq(&start.log, &self.log) {
            // Compaction has moved the store meanwhile, and has flushed everything it moved.
            return Ok(());
        }
        if let Err(error) = result {
            self.poison(PoisonCause::SyncFailed);
            return Err(error);
        }
        if start.point.end > self.durable.end {
            self.durable = start.point;
        }
        Ok(())
    }

    /// Bytes of log after the durable point.
    pub(crate) fn unflushed(&self) -> u64 {
        self.tail() - self.durable.end
    }

    /// Moves the writer and readers to the file of `target`, which holds the same entries. The old
    /// file is no longer at the store's path.
    pub(crate) fn move_to(&mut self, target: Self) {
        let old = self.current.replace_file(target.current.load_full());
        let barriers = self.barriers + target.barriers;
        let checkpoints = self.tables.checkpoints + target.tables.checkpoints;
        let current = Arc::clone(&self.current);
        *self = Self { current, progress: self.progress, barriers, is_current: true, ..target };
        self.tables.checkpoints = checkpoints;
        // For readers in other processes. This is a hint: they also notice that the path names
        // another file.
        let moved = PublishedTail { tail: old.publication.tail(), is_moved: true };
        let _ = write_all_at(&*old.file, &moved.encode(), 3 * PAGE_SIZE as u64);
    }

    /// Whether the file has no name any more, which makes flushing it pointless.
    pub(crate) fn is_file_deleted(&self) -> bool {
        self.log.file.status().is_ok_and(|status| status.links == 0)
    }

    /// Flushes under the writer's lock.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let start = self.flush_start();
        let result = start.run();
        self.flushed(&start, result)
    }

    fn tail_point(&self) -> LogPosition {
        LogPosition { end: self.appender.tail(), seal: self.appender.tail_seal() }
    }
}

/// Rewrites a range of the file with its own bytes, so that the next flush covers it even if the
/// system's cache believes it clean.
fn rewrite_range(file: &dyn StoreFile, range: Range<u64>) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let mut buffer = vec![0; 1 << 20];
    let mut at = range.start;
    while at < range.end {
        let len = (range.end - at).min(buffer.len() as u64) as usize;
        let piece = &mut buffer[..len];
        read_exact_at(file, piece, at)?;
        write_all_at(file, piece, at)?;
        at += len as u64;
    }
    Ok(())
}
