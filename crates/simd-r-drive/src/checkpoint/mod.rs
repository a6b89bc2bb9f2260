//! Checkpoints: the index in memory goes to the file, while reads and writes go on.
//!
//! 1. Under the writer's lock: space for the new table is appended to the log, as a slot that is sealed but not filled,
//!    and the index gets a new layer for what is written from now on.
//! 2. Without it: the layers that take no more writes are written to that space, together with some of the tables that
//!    there are; the file is flushed.
//! 3. Under the lock: readers get the new table in place of what it was made from; a barrier and the hints name it.
//!
//! Checkpoints that a store makes by itself merge small tables only: what is not in a table yet, and would have to be
//! replayed after a crash, stays little. Large tables are merged alone, and from time to time that work is interrupted
//! for a checkpoint, by the same thread.
//!
//! The space of tables that were merged is given back to the file system, but not at once; see [`Reserved::give_back`].

mod automatic;
mod maintenance;
mod reserved;
mod steps;
mod superseded_tables;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive_indexer::{LayeredIndex, Merging};

pub(crate) use self::automatic::Checkpoints;
pub(crate) use self::maintenance::Maintenance;
pub(crate) use self::reserved::Reserved;
pub(crate) use self::steps::Tables;
use crate::events;
use crate::shared::Shared;
use crate::store::DataStore;

/// With fewer writes since the last checkpoint, none is made while the store is open.
const AUTOMATIC_MIN: u64 = 1 << 15;

/// Nor with fewer writes than this fraction of the hashes in the file, one in 128.
const AUTOMATIC_SHARE: u64 = 128;

/// How often a table is tried to be made: the second time, damaged ones have been rebuilt.
const MAX_ATTEMPTS: usize = 2;

/// Whether so much was written since the last checkpoint that it is time for another one.
///
/// What must be replayed after a crash stays small next to what is there.
#[inline]
pub(crate) fn is_due(index: &LayeredIndex) -> bool {
    index.unfrozen() >= AUTOMATIC_MIN.max(index.frozen_hashes() / AUTOMATIC_SHARE)
}

impl DataStore {
    /// Writes the index to the file. The next open maps it, in time independent of the store's size, and the memory
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
    /// [`StoreError::WithinMaintenance`](crate::StoreError::WithinMaintenance) within the callback of a compaction, or
    /// a subscriber to its events.
    ///
    /// # Locking
    /// The writer's lock is taken twice, each time for as long as a small commit takes. Checkpoints and compactions run
    /// one after the other.
    pub fn checkpoint(&self) -> io::Result<()> {
        if self.is_read_only() { Ok(()) } else { self.shared.checkpoint() }
    }
}

/// Says that a piece of a table was written, and that the next may be: or not, with an error.
type OnProgress<'a> = dyn FnMut() -> io::Result<()> + 'a;

fn check_cancelled(is_cancelled: &AtomicBool) -> io::Result<()> {
    if is_cancelled.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(())
}

impl Shared {
    fn checkpoint(&self) -> io::Result<()> {
        self.check_process()?;
        let _one_at_a_time = self.maintenance.begin()?;
        self.write_layers(Merging::Full, 0, &AtomicBool::new(false))
    }

    /// What a store does by itself: writes what is in memory, and merges tables if it is time.
    fn checkpoint_and_merge(&self, is_cancelled: &AtomicBool) -> io::Result<()> {
        self.write_layers(Merging::Tiered, 0, is_cancelled)?;
        while self.merge_tables(is_cancelled)? {}
        Ok(())
    }

    /// Writes what is in memory to a table, and what `merging` says, but for the oldest `busy` tables.
    ///
    /// Only for the holder of the maintenance lock.
    fn write_layers(
        &self,
        merging: Merging,
        busy: usize,
        is_cancelled: &AtomicBool,
    ) -> io::Result<()> {
        for _ in 0..MAX_ATTEMPTS {
            let reserved = {
                let mut writer = self.writer()?;
                let index = &writer.state().index;
                let is_one_table = index.frozen().len() <= 1;
                if !index.has_unfrozen() && (is_one_table || merging != Merging::Full) {
                    return Ok(());
                }
                writer.reserve_for_layers(merging, busy)?
            };
            if self.write_table(&reserved, &mut || check_cancelled(is_cancelled))? {
                // While others are merged, nobody knows of what is being made.
                if busy == 0 {
                    self.give_back(&reserved);
                }
                return Ok(());
            }
        }
        Err(io::Error::other("the index in the file is damaged, and cannot be made anew"))
    }

    /// Merges tables, if it is time. Returns whether it did.
    fn merge_tables(&self, is_cancelled: &AtomicBool) -> io::Result<bool> {
        let reserved = {
            let mut writer = self.writer()?;
            let Some(plan) = writer.state().index.plan_merge() else { return Ok(false) };
            writer.reserve_for_merge(plan)?
        };
        let mut next = || {
            check_cancelled(is_cancelled)?;
            if is_due(&self.current.load().index) {
                self.write_layers(Merging::Tiered, reserved.plan.busy_tables(), is_cancelled)?;
            }
            Ok(())
        };
        // A damaged table is left to the next checkpoint.
        let is_written = self.write_table(&reserved, &mut next)?;
        if is_written {
            self.give_back(&reserved);
        }
        Ok(is_written)
    }

    /// Fills the space that was set aside for a table, and uses it. False if one that it was to be made from is damaged.
    fn write_table(
        &self,
        reserved: &Reserved,
        on_progress: &mut OnProgress<'_>,
    ) -> io::Result<bool> {
        let Some(built) = reserved.build(on_progress)? else { return Ok(false) };
        let table = reserved.complete(&built)?;
        self.flush_anew()?;
        let mut writer = self.writer()?;
        let before = writer.use_table(reserved, table, built);
        writer.append_barrier()?;
        writer.write_hints(false)?;
        drop(writer);
        // Not under the lock: memory is given back.
        drop(before);
        events::checkpoint_written(&self.path, reserved.end, reserved.plan.table_bytes());
        Ok(true)
    }

    /// Gives the space of old tables back. The checkpoint stands, whatever becomes of this.
    fn give_back(&self, reserved: &Reserved) {
        if reserved.plan.merged_tables() == 0 {
            return;
        }
        let needed = self.writer().map(|mut writer| writer.needed_tables());
        let result = needed.and_then(|needed| reserved.give_back(&needed));
        let _ = result.inspect_err(events::space_not_given_back);
    }
}
