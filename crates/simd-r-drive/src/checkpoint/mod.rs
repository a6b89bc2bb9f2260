//! Checkpoints: the index in memory is written to the file while reads and writes go on.
//!
//! 1. Under the writer's lock: space for the new table is appended to the log, as a slot that is
//!    sealed but not filled, and the index gets a new active layer.
//! 2. Without the lock: the sealed layers are written to that space, together with some of the
//!    existing tables. The file is flushed.
//! 3. Under the lock: readers get the new table in place of its sources. A barrier and the hints
//!    name it.
//!
//! Automatic checkpoints merge small tables only. This keeps short what is not in a table yet and
//! would have to be replayed after a crash. Large tables are merged separately; from time to time,
//! the same thread interrupts that work for a checkpoint.
//!
//! The space of merged tables is given back to the file system, but not at once; see
//! [`Reserved::give_back`].

mod automatic;
mod reserved;
mod steps;
mod superseded_tables;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use simd_r_drive_indexer::{BuiltTable, Merging};

pub(crate) use self::automatic::is_due;
pub(crate) use self::reserved::Reserved;
pub(crate) use self::steps::Tables;
use crate::events;
use crate::shared::Shared;
use crate::store::DataStore;

/// Attempts to build a table. On the second one, damaged tables have been rebuilt.
const MAX_ATTEMPTS: usize = 2;

impl DataStore {
    /// Writes the index to the file. The next open maps it, in time independent of the store's
    /// size, and the memory of the written part is freed. A store does this by itself after enough
    /// writes and on close. An explicit call pays off after a bulk load, for readers that open the
    /// file meanwhile.
    ///
    /// Reads and writes continue. Does nothing if nothing was written since the last checkpoint, or
    /// if the store is read-only.
    ///
    /// Costs a flush, one pass over the index in the file, and one over what was written since,
    /// with 16 bytes of memory for each key of the latter. Takes about 11 bytes per key in the
    /// file.
    ///
    /// # Errors
    /// - Any I/O error of the file. The index in memory and the previous one in the file then stay
    ///   in use.
    /// - [`StoreError::WithinMaintenance`](crate::StoreError::WithinMaintenance) if called from the
    ///   callback of a compaction or from a subscriber to its events.
    ///
    /// # Locking
    /// Takes the writer's lock twice, each time for as long as a small commit. Checkpoints and
    /// compactions run one after the other.
    pub fn checkpoint(&self) -> io::Result<()> {
        if self.is_read_only() { Ok(()) } else { self.shared.checkpoint() }
    }
}

impl Shared {
    /// An explicit checkpoint: writes the index in memory, and merges all tables.
    fn checkpoint(&self) -> io::Result<()> {
        self.check_process()?;
        let _one_at_a_time = self.maintenance.begin()?;
        self.write_layers(Merging::Full, 0, &AtomicBool::new(false))
    }

    /// An automatic checkpoint: writes the index in memory, and merges tables if it is time.
    ///
    /// The caller must hold the maintenance lock.
    fn checkpoint_and_merge(&self, is_cancelled: &AtomicBool) -> io::Result<()> {
        self.write_layers(Merging::Tiered, 0, is_cancelled)?;
        while self.merge_tables(is_cancelled)? {}
        Ok(())
    }

    /// Merges tables if it is time, with a checkpoint between two pieces of the new table whenever
    /// one is due. Returns whether it did.
    ///
    /// The build calls back rather than being driven: between two pieces it has a half-merged run
    /// of entries and a line that waits for more of them, wherever in the table that is.
    fn merge_tables(&self, is_cancelled: &AtomicBool) -> io::Result<bool> {
        let reserved = {
            let mut writer = self.writer()?;
            let Some(plan) = writer.state().index.plan_merge() else { return Ok(false) };
            writer.reserve_for_merge(plan)?
        };
        let busy = reserved.plan.busy_tables();
        let built = reserved.build(&mut || {
            check_cancelled(is_cancelled)?;
            if is_due(&self.current.load().index) {
                self.write_layers(Merging::Tiered, busy, is_cancelled)?;
            }
            Ok(())
        })?;
        // A damaged table is left to the next checkpoint.
        let Some(built) = built else { return Ok(false) };
        self.put_to_use(&reserved, built)?;
        self.give_back(&reserved);
        Ok(true)
    }

    /// Writes the sealed layers to a table, together with the tables that `merging` selects, except
    /// the oldest `busy` ones.
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
            if let Some(built) = reserved.build(&mut || check_cancelled(is_cancelled))? {
                self.put_to_use(&reserved, built)?;
                // While other tables are merged, the space of their new table looks unused.
                if busy == 0 {
                    self.give_back(&reserved);
                }
                return Ok(());
            }
        }
        Err(io::Error::other("the index in the file is damaged, and cannot be made anew"))
    }

    /// Completes a table that has been built, flushes it, and lets readers use it.
    fn put_to_use(&self, reserved: &Reserved, built: BuiltTable) -> io::Result<()> {
        let table = reserved.complete(&built)?;
        self.flush_anew()?;
        let mut writer = self.writer()?;
        let before = writer.use_table(reserved, table, built);
        writer.append_barrier()?;
        writer.write_hints(false)?;
        drop(writer);
        // Outside the lock, because this frees memory.
        drop(before);
        events::checkpoint_written(&self.path, reserved.end, reserved.plan.table_bytes());
        Ok(())
    }

    /// Gives back the space of old tables. A failure does not affect the checkpoint.
    fn give_back(&self, reserved: &Reserved) {
        if reserved.plan.merged_tables() == 0 {
            return;
        }
        let needed = self.writer().map(|mut writer| writer.needed_tables());
        let result = needed.and_then(|needed| reserved.give_back(&needed));
        let _ = result.inspect_err(events::space_not_given_back);
    }
}

fn check_cancelled(is_cancelled: &AtomicBool) -> io::Result<()> {
    if is_cancelled.load(Ordering::Relaxed) {
        return Err(io::ErrorKind::Interrupted.into());
    }
    Ok(())
}
