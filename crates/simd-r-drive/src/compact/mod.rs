//! Compaction: a new file with the live entries, written while reads and writes go on.
//!
//! 1. The live entries of a snapshot are checked and copied to a new file, oldest first.
//! 2. What was committed meanwhile is appended in rounds that get shorter, with only the newest
//!    version of each key. If a round does not halve what is left, writers are slowed down.
//! 3. Under the writer's lock, the last few commits follow. The new file is flushed and takes the
//!    old one's path. Readers are moved over.
//!
//! A crash at any instant leaves either the old or the new file at the path, complete.

mod copy;
pub(crate) mod report;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use simd_r_drive_writer::{Location, PendingFile, PoisonCause, WriteError};

use self::copy::Compaction;
pub(crate) use self::copy::FLUSH_DISTANCE;
pub use self::report::{CompactionProgress, CompactionReport};
use crate::error::StoreError;
use crate::events;
use crate::events::QuietGuard;
use crate::log::ReadState;
use crate::open::{new_file, next_identity, remove_orphans};
use crate::shared::Shared;
use crate::store::DataStore;
use crate::write::Writer;

/// Writers are made to wait only when at most this many bytes of log are left to process.
const SHORT_ENOUGH: u64 = 1 << 20;

/// They are also made to wait only when at most this many bytes of the new file are not flushed
/// yet. What the last round copies comes on top.
const UNFLUSHED_MAX: u64 = 4 << 20;

/// After this many rounds of catching up, the callback is no longer called: it might write more
/// than a round copies.
const TOLD_ROUNDS: u32 = 16;

impl DataStore {
    /// Writes all live values to a new file, which replaces the old one. Older versions and
    /// deletions are dropped, and history starts anew.
    ///
    /// Reads and writes continue. Handles, iterators and snapshots stay valid. Needs disk space for
    /// the live values besides the old file. A store without dead slots keeps its file. The new
    /// file is never longer than the old one.
    ///
    /// # Errors
    /// - [`FormatError::Damaged`](crate::FormatError::Damaged) if an entry is not as it was
    ///   written: damage is not copied.
    /// - [`WriteError::NameLost`] if the path of the store no longer leads to its file, or ceases
    ///   to during the compaction: another file is never replaced. The directory was held open
    ///   since the store was opened, so the directory may be renamed and the process may change its
    ///   working directory.
    /// - [`WriteError::HardLinked`] if the file has other hard links, which would keep naming the
    ///   old file.
    /// - [`WriteError::MountPoint`] if the file itself is a mount point.
    /// - [`StoreError::WithinMaintenance`](crate::StoreError::WithinMaintenance) if called from the
    ///   callback of a compaction or from a subscriber to its events.
    /// - Any I/O error of the files.
    ///
    /// After an error the store is as it was, with two exceptions. If the new file is in place but
    /// its directory cannot be flushed, or if it is unknown which file is in place
    /// ([`WriteError::PlacementUnknown`]), the store refuses writes until it is opened again.
    ///
    /// # Locking
    /// Writers wait while the last few commits are copied (at most 1 MiB of log) and flushed (at
    /// most 5 MiB of the new file), however large the store is and however much is written
    /// meanwhile. One compaction runs at a time; another call waits.
    ///
    /// Before that, a compaction that catches up slows down faster writers. They pause after each
    /// commit, for 0.1 ms plus 10 ns per byte of the commit. If a round of catching up leaves more
    /// than half of what the round before left, the pauses double, up to about a thousandfold. They
    /// end once the compaction has caught up. It thus finishes beside any writers, in time
    /// proportional to what there is to copy.
    pub fn compact(&self) -> io::Result<()> {
        self.compact_with(|_| ControlFlow::Continue(())).map(drop)
    }

    /// [`DataStore::compact`] with a callback that receives the progress and can cancel. The
    /// callback may use the store, but must not compact it. It is not called for the last part, nor
    /// once catching up has taken many rounds.
    ///
    /// # Errors
    /// As [`DataStore::compact`]; `Interrupted` if the callback breaks.
    pub fn compact_with(
        &self,
        progress: impl FnMut(CompactionProgress) -> ControlFlow<()>,
    ) -> io::Result<CompactionReport> {
        let shared = &*self.shared;
        shared.check_process()?;
        events::compaction_started(&shared.path, self.state().publication.tail());
        let result = self.compact_untold(progress);
        events::compaction_ended(&shared.path, &result);
        result
    }

    fn compact_untold(
        &self,
        mut progress: impl FnMut(CompactionProgress) -> ControlFlow<()>,
    ) -> io::Result<CompactionReport> {
        let shared = &*self.shared;
        let _one_at_a_time = shared.maintenance.begin()?;
        let source = Arc::clone(&shared.writer()?.state());
        let bytes_before = source.publication.tail();
        let Some(location) = &shared.location else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        remove_orphans(&**location, &source.identity);
        let (target, pending) = create_target(shared, &**location, &source)?;
        let mut compaction = Compaction { source, target, progress: Some(&mut progress) };

        let done = compaction.copy_live()?;
        // Done here, where its duration does not matter yet.
        let has_room = compaction.target.tail_after_checkpoint() <= bytes_before;
        if shared.options.automatic_checkpoints
            && compaction.target.is_worth_checkpoint()
            && has_room
        {
            compaction.target.checkpoint_alone()?;
        }
        let (mut writer, done) = compaction.catch_up_with_writers(shared, done)?;
        let locked_bytes = writer.tail() - done;
        compaction.progress = None;
        compaction.catch_up(done, writer.tail())?;
        let target = &compaction.target;
        let tail_after_barrier = target.tail_after_barrier()?;
        // Tables must be named by a barrier.
        let needs_barrier = target.state().index.frozen().len() > 0;
        let is_in_vain = target.tail() >= writer.tail()
            || writer.totals().dead_slots == 0 && tail_after_barrier >= writer.tail()
            || needs_barrier && tail_after_barrier > writer.tail();
        if is_in_vain {
            // The new file would have been flushed, so this one is too.
            let bytes_after = writer.tail();
            drop(writer);
            shared.sync()?;
            return Ok(CompactionReport { bytes_before, bytes_after, locked_bytes });
        }
        compaction.target.finish_new(writer.tail())?;
        let placed = match pending.place() {
            Ok(placed) => placed,
            Err(error) => {
                if is_placement_unknown(&error) {
                    // From here on, whatever is written to either file could be lost.
                    writer.poison(PoisonCause::NameUnknown);
                }
                return Err(error);
            }
        };
        // The path now names the new file: whatever is written to the old one would be lost.
        let bytes_after = compaction.target.tail();
        writer.move_to(compaction.target);
        if let Err(error) = location.sync_directory() {
            // It is unknown whether the path still names the new file after power loss.
            writer.poison(PoisonCause::SyncFailed);
            return Err(error);
        }
        shared.flush.advance(writer.progress());
        drop(writer);
        placed.remove_displaced();
        Ok(CompactionReport { bytes_before, bytes_after, locked_bytes })
    }

    /// Compacts the store if its dead bytes, as in [`DataStore::estimate_compaction_savings`], make
    /// up at least `dead_share` (0 to 1) of the log and number at least `min_bytes`. Returns
    /// whether it did.
    ///
    /// # Errors
    /// `InvalidInput` if `dead_share` is not from 0 to 1; otherwise as [`DataStore::compact`].
    pub fn compact_if(&self, dead_share: f64, min_bytes: u64) -> io::Result<bool> {
        if !(0.0..=1.0).contains(&dead_share) {
            let advice = "the dead share must be from 0 to 1: 0.3 is three tenths of the log";
            return Err(StoreError::BadOptions(advice).into());
        }
        let state = self.state();
        let dead_bytes = state.dead_bytes();
        let log_len = state.publication.tail() - state.layout.header_len();
        drop(state);
        let is_worth_it =
            dead_bytes >= min_bytes && dead_bytes as f64 >= dead_share * log_len as f64;
        if is_worth_it {
            self.compact()?;
        }
        Ok(is_worth_it)
    }
}

/// Whether it is unknown which file has the store's name.
fn is_placement_unknown(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(WriteError::PlacementUnknown { .. }))
}

/// The new file, with its own writer that nothing else knows yet.
fn create_target(
    shared: &Shared,
    location: &dyn Location,
    source: &ReadState,
) -> io::Result<(Writer, Box<dyn PendingFile>)> {
    let pending = location.create_replacement(&source.file)?;
    let identity = next_identity(&source.identity)?;
    let (state, resume) = new_file(pending.file(), location.path(), &identity, &shared.options)?;
    Ok((Writer::of_new_file(state, resume)?, pending))
}

impl Compaction<'_> {
    /// Copies what is committed from `done` on, until the rest is short enough for writers to wait
    /// for it. Returns the writer's lock and the end of what has been copied.
    ///
    /// Each round except the last takes as long as it takes to copy what the round before left.
    /// Writers that add more than half as much in that time are slowed down until they add less.
    fn catch_up_with_writers<'s>(
        &mut self,
        shared: &'s Shared,
        mut done: u64,
    ) -> io::Result<(QuietGuard<'s, Writer>, u64)> {
        let pace = shared.pace.take();
        let mut left_before = u64::MAX;
        let mut round = 0;
        loop {
            let tail = self.source.publication.tail();
            let mut left = tail - done;
            if left <= SHORT_ENOUGH && self.target.unflushed() <= UNFLUSHED_MAX {
                // A writer that never pauses would hardly let other threads take the lock.
                pace.ask();
                let writer = shared.writer()?;
                left = writer.tail() - done;
                if left <= SHORT_ENOUGH {
                    return Ok((writer, done));
                }
            }
            if left > SHORT_ENOUGH && left > left_before / 2 {
                pace.slow_down();
            }
            left_before = left;
            self.catch_up(done, tail)?;
            done = tail;
            if self.target.unflushed() > UNFLUSHED_MAX {
                self.target.flush()?;
            }
            round += 1;
            if round == TOLD_ROUNDS {
                self.progress = None;
            }
        }
    }
}
