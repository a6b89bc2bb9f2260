//! Checkpoints: the index in memory goes to the file, while reads and writes go on.
//!
//! 1. Under the writer's lock: space for the new index is appended to the log, as a slot that is sealed but not filled,
//!    and the index gets a new layer for what is written from now on.
//! 2. Without it: the layers that take no more writes are merged with the index in the file before, into that space; the
//!    file is flushed.
//! 3. Under the lock: readers get the new index in place of those layers; a barrier and the hints name it.
//!
//! The new table stands on those that there are, or, when much is newer than the oldest one, or when the caller asks, it
//! is merged from all of them. Then their space is given back to the file system, one merge later: readers in other
//! processes that still use it go on undisturbed, and those that use even older tables find zeros, which no line of a
//! table is, and rebuild what they need from the log.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Kind, read_slot};
use simd_r_drive_indexer::{BuildError, FrozenIndex, FrozenTotals, Merging, TablePlan};
use simd_r_drive_writer::write_all_at;

use crate::events;
use crate::generation::{Generation, Totals};
use crate::open::{Direction, WindowReader};
use crate::shared::Shared;
use crate::store::DataStore;

/// Behind so many tables whose space was given back, all others' was too, most likely.
const ENOUGH_GIVEN_BACK: usize = 8;

/// Space for an index in the log, and the layers that go there.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) generation: Arc<Generation>,
    /// Start and end of the slot, in bytes.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) plan: TablePlan,
    /// The totals at the start of the slot.
    pub(crate) totals: Totals,
}

impl Reserved {
    /// Writes the index. It is not flushed.
    pub(crate) fn build(&self, is_cancelled: &AtomicBool) -> io::Result<FrozenIndex> {
        let Totals { live_keys, dead_slots, dead_bytes, .. } = self.totals;
        let totals = FrozenTotals { live_keys, dead_slots, dead_bytes };
        let log = &*self.generation.log;
        let mut write = |offset: u64, bytes: &[u8]| {
            if is_cancelled.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            write_all_at(&*log.file, bytes, self.start + offset)
        };
        let index = &self.generation.index;
        let header = index.build_table(&log.layout, self.start, self.plan, totals, log, &mut write);
        let header = header.map_err(|error| match error {
            BuildError::Source(error) | BuildError::Write(error) => error,
            error => io::Error::other(error.to_string()),
        })?;
        write(0, &header)?;
        log.frozen_index(self.start, self.plan.table_bytes(), self.end)
            .ok_or_else(|| io::Error::other("the index cannot be read back"))
    }

    /// The space of tables that nobody needs, whole pages of it: start and length, in bytes. In each index slot, the
    /// previous-version field names the one before. A table that stands on others leaves none behind.
    pub(crate) fn unused_tables(
        &self,
        is_used: impl Fn(u64) -> bool,
    ) -> io::Result<Vec<(u64, u64)>> {
        let log = &*self.generation.log;
        let mut ranges = Vec::new();
        let mut given_back = 0;
        let mut end = self.end;
        while self.plan.is_whole() && given_back < ENOUGH_GIVEN_BACK {
            let mut source = WindowReader::new(&*log.file, end, Direction::Backward);
            let slot = read_slot(&mut source, &log.layout, end)?;
            if slot.trailer.kind != Kind::Index {
                break;
            }
            let page = PAGE_SIZE as u64;
            let start = slot.start.next_multiple_of(page);
            let len = ((slot.start + slot.trailer.payload_len) / page * page).saturating_sub(start);
            if len > 0 && !is_used(end) {
                if log.file.next_data(start)?.is_none_or(|data| data >= start + len) {
                    given_back += 1;
                } else {
                    ranges.push((start, len));
                }
            }
            if slot.trailer.previous_end == 0 || slot.trailer.previous_end >= slot.end {
                break;
            }
            end = slot.trailer.previous_end;
        }
        Ok(ranges)
    }

    /// Gives space back to the file system, if that can take it.
    pub(crate) fn give_back(&self, ranges: Vec<(u64, u64)>) -> io::Result<()> {
        for (start, len) in ranges {
            match self.generation.file.punch_hole(start, len) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => break,
                result => result?,
            }
        }
        Ok(())
    }
}

/// The checkpoints that a store makes by itself.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    is_running: AtomicBool,
    is_cancelled: AtomicBool,
    /// After a failure: not before so many writes.
    not_before: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpoints {
    /// Ends the one that is under way, and waits for its thread.
    pub(crate) fn stop(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last reference to a store may be dropped by its own thread.
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl DataStore {
    /// Writes the index to the file: the next open maps it, in next to no time whatever the store's size, and the memory
    /// that it took is free. A store does so by itself when enough has been written, and when it is closed; a call is
    /// worth its while after a bulk load, for readers that open the file meanwhile.
    ///
    /// Reads and writes go on. Nothing happens if nothing was written since the last one. On a read-only store neither.
    ///
    /// Costs one pass over the index in the file, and one over what was written since, in memory of 16 bytes for each
    /// key of that; and a flush. Takes some 11 bytes a key in the file.
    ///
    /// # Errors
    /// The operating system's. The index in memory, and the one in the file before, are then used as they were.
    ///
    /// # Locking
    /// The writer's lock is taken twice, each time for as long as a small commit takes. Checkpoints and compactions run
    /// one after the other.
    pub fn checkpoint(&self) -> io::Result<()> {
        if self.is_read_only() { Ok(()) } else { self.shared.checkpoint() }
    }
}

impl Shared {
    fn checkpoint(&self) -> io::Result<()> {
        self.check_process()?;
        let _one_at_a_time = self.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        self.checkpoint_unless_cancelled(Merging::Always, &AtomicBool::new(false))
    }

    /// Makes a checkpoint, while no compaction runs and no other checkpoint.
    fn checkpoint_unless_cancelled(
        &self,
        merging: Merging,
        is_cancelled: &AtomicBool,
    ) -> io::Result<()> {
        let reserved = {
            let mut writer = self.writer()?;
            let index = &writer.generation_ref().index;
            let is_one_table = index.frozen().len() <= 1;
            if !index.has_unfrozen() && (is_one_table || merging != Merging::Always) {
                return Ok(());
            }
            writer.reserve_index(&self.current, merging)?
        };
        let table = reserved.build(is_cancelled)?;
        self.flush_anew()?;
        let mut writer = self.writer()?;
        let before = writer.complete_index(&reserved, table, &self.current);
        writer.append_barrier()?;
        writer.write_hints(false)?;
        let unused = reserved.unused_tables(|end| writer.is_table_used(end));
        drop(writer);
        // Not under the lock: memory is given back, and space.
        drop(before);
        events::checkpoint_written(&self.path, reserved.end, reserved.plan.table_bytes());
        // The checkpoint stands, whatever becomes of this.
        let given_back = unused.and_then(|unused| reserved.give_back(unused));
        let _ = given_back.inspect_err(events::space_not_given_back);
        Ok(())
    }

    /// Starts a checkpoint in a thread of its own, if none is under way.
    pub(crate) fn start_checkpoint(self: &Arc<Self>, unfrozen: u64) {
        let checkpoints = &self.checkpoints;
        if unfrozen < checkpoints.not_before.load(Ordering::Relaxed)
            || checkpoints.is_running.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let weak = Arc::downgrade(self);
        let run = move || {
            if let Some(shared) = weak.upgrade() {
                shared.run_checkpoint(unfrozen);
            }
        };
        let mut thread = checkpoints.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread::Builder::new().name("simd-r-drive-index".into()).spawn(run) {
            Ok(handle) => *thread = Some(handle),
            Err(error) => {
                events::checkpoint_failed(&error);
                checkpoints.not_before.store(unfrozen.saturating_mul(2), Ordering::Relaxed);
                checkpoints.is_running.store(false, Ordering::Relaxed);
            }
        }
    }

    fn run_checkpoint(&self, unfrozen: u64) {
        let checkpoints = &self.checkpoints;
        let result = match self.maintenance.try_lock() {
            // A compaction makes one.
            Err(TryLockError::WouldBlock) => Ok(()),
            Ok(_one_at_a_time) => {
                self.checkpoint_unless_cancelled(Merging::Late, &checkpoints.is_cancelled)
            }
            Err(TryLockError::Poisoned(_one_at_a_time)) => {
                self.checkpoint_unless_cancelled(Merging::Late, &checkpoints.is_cancelled)
            }
        };
        let not_before = match result {
            Ok(()) => 0,
            Err(error) => {
                if !checkpoints.is_cancelled.load(Ordering::Relaxed) {
                    events::checkpoint_failed(&error);
                }
                unfrozen.saturating_mul(2)
            }
        };
        checkpoints.not_before.store(not_before, Ordering::Relaxed);
        checkpoints.is_running.store(false, Ordering::Relaxed);
    }
}
