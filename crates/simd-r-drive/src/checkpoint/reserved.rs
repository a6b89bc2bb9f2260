//! Space reserved for a table in the log: filling it, and giving back the space of older tables.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Kind, LogSlot, read_slot};
use simd_r_drive_indexer::{BuildError, BuiltTable, FrozenIndex, TablePlan};
use simd_r_drive_writer::write_all_at;

use crate::log::{Direction, ReadState, WindowReader};

/// After this many tables whose space was given back, older ones most likely were as well.
const ENOUGH_GIVEN_BACK: usize = 8;

/// Called before each piece of a table is written. An error ends the work.
type OnProgress<'a> = dyn FnMut() -> io::Result<()> + 'a;

/// Space for a table in the log, and what goes there.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) state: Arc<ReadState>,
    /// Start and end of the slot, in bytes.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) plan: TablePlan,
}

impl Reserved {
    /// Writes the table except for its header, and calls `on_progress` before each piece. `None` if
    /// a source table is damaged. It has then been rebuilt in memory, and a new table plan takes
    /// this into account.
    pub(super) fn build(&self, on_progress: &mut OnProgress<'_>) -> io::Result<Option<BuiltTable>> {
        let log = &*self.state.log;
        let mut write = |offset: u64, bytes: &[u8]| {
            on_progress()?;
            write_all_at(&*log.file, bytes, self.start + offset)
        };
        let index = &self.state.index;
        match index.build_table(&log.layout, self.start, self.plan, log, &mut write) {
            Ok(built) => Ok(Some(built)),
            Err(BuildError::Damaged) => Ok(None),
            Err(BuildError::Source(error) | BuildError::Write(error)) => Err(error),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    /// Writes the header, which makes it a table. Flushes nothing.
    pub(super) fn complete(&self, built: &BuiltTable) -> io::Result<FrozenIndex> {
        let log = &*self.state.log;
        write_all_at(&*log.file, &built.header(), self.start)?;
        log.frozen_index(self.start, self.plan.table_bytes(), self.end)
            .ok_or_else(|| io::Error::other("the index cannot be read back"))
    }

    /// Gives the space of old tables back to the file system, where supported.
    ///
    /// Readers in other processes that still use one find zeros. No line of a table is zero, so
    /// they rebuild what they need from the log. To spare them that, the newest old tables stay, up
    /// to as many bytes as the tables in use have.
    ///
    /// # Errors
    /// Any I/O error of the file. No harm is done then.
    pub(crate) fn give_back(&self, needed: &NeededTables) -> io::Result<()> {
        for (start, len) in self.unused(needed)? {
            match self.state.file.punch_hole(start, len) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => break,
                result => result?,
            }
        }
        Ok(())
    }

    /// The space of unneeded tables, in whole pages: start and length in bytes. The
    /// previous-version field of each index slot names the index slot before it.
    fn unused(&self, needed: &NeededTables) -> io::Result<Vec<(u64, u64)>> {
        let log = &*self.state.log;
        let mut spare = needed.current_bytes;
        let (mut ranges, mut given_back) = (Vec::new(), 0);
        let mut end = needed.newest_index_end;
        while given_back < ENOUGH_GIVEN_BACK {
            let mut source = WindowReader::new(&*log.file, end, Direction::Backward);
            let slot = read_slot(&mut source, &log.layout, end)?;
            if slot.trailer.kind != Kind::Index {
                break;
            }
            let (start, len) = whole_pages(&slot);
            let is_table = || log.frozen_index(slot.start, slot.trailer.payload_len, end).is_some();
            if len == 0 || needed.current.contains(&end) {
                // In use, or smaller than a page.
            } else if log.file.next_data(start)?.is_none_or(|data| data >= start + len) {
                given_back += 1;
            } else if needed.others.contains(&end) || (spare >= len && is_table()) {
                spare = spare.saturating_sub(len);
            } else {
                // Not needed, or never completed.
                ranges.push((start, len));
            }
            let previous_end = slot.trailer.previous_end;
            if previous_end == 0 || previous_end >= end {
                break;
            }
            end = previous_end;
        }
        Ok(ranges)
    }
}

/// Tables that may still be read, by the ends of their slots.
#[derive(Debug)]
pub(crate) struct NeededTables {
    pub(super) newest_index_end: u64,
    /// The tables in use, and their length in bytes.
    pub(super) current: Vec<u64>,
    pub(super) current_bytes: u64,
    /// Tables that snapshots read, or that would be used again after a crash.
    pub(super) others: Vec<u64>,
}

/// Start and length of the whole pages in a slot's payload.
fn whole_pages(slot: &LogSlot<'_>) -> (u64, u64) {
    let page = PAGE_SIZE as u64;
    let start = slot.start.next_multiple_of(page);
    (start, ((slot.start + slot.trailer.payload_len) / page * page).saturating_sub(start))
}
