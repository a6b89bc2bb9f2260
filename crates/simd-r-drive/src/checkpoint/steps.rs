//! The steps of a checkpoint under the writer's lock.

use std::io;
use std::sync::{Arc, Weak};

use simd_r_drive_entry_handle::constants::{MAX_FILE_LEN, PAGE_SIZE};
use simd_r_drive_entry_handle::{Barrier, FormatError};
use simd_r_drive_indexer::{BuiltTable, FrozenIndex, Merging, TablePlan};

use super::Reserved;
use super::reserved::NeededTables;
use crate::log::{Delta, ReadState, SPARSE_GAP, Totals};
use crate::write::Writer;

/// Closing makes no checkpoint if opening would read fewer bytes of what was written since the last
/// one (256 KiB).
const CLOSE_MIN_READ: u64 = 256 << 10;

/// The tables of a log, as the writer knows them.
#[derive(Debug)]
pub(crate) struct Tables {
    /// End of the newest barrier, which names the tables; 0 if there is none.
    pub(crate) named_by: u64,
    /// End of the newest index slot, whether its table was completed or not.
    pub(crate) newest_index_end: u64,
    /// Tables that were in use, by the ends of their slots. Snapshots may still read them.
    users: Vec<(u64, Weak<FrozenIndex>)>,
    /// Ends of the slots of the tables in use before the last checkpoint. After a crash they may be
    /// used again.
    before: Vec<u64>,
    /// Checkpoints since the store was opened.
    pub(crate) checkpoints: u64,
}

impl Tables {
    pub(crate) fn new(named_by: u64, newest_index_end: u64) -> Self {
        Self { named_by, newest_index_end, users: Vec::new(), before: Vec::new(), checkpoints: 0 }
    }
}

impl Writer {
    /// Whether a checkpoint pays off for a file that is being closed: either opening would read
    /// much without one, or merging its tables would speed up every look-up.
    pub(crate) fn is_worth_checkpoint(&self) -> bool {
        let index = &self.state().index;
        // `pending` because closing cancels a running checkpoint: what it was to write counts too.
        index.pending() > 0 && self.read_by_opening() >= CLOSE_MIN_READ || index.frozen().len() > 2
    }

    /// Approximate number of bytes that opening reads of what was written since the last
    /// checkpoint: all of them, or one page per slot where slots are large.
    fn read_by_opening(&self) -> u64 {
        let header_len = self.state().layout.header_len();
        let covered = self.state().index.frozen().next().map_or(0, |table| table.tail());
        let since = self.tail().saturating_sub(covered.max(header_len));
        let Totals { live_keys, dead_slots, .. } = self.totals();
        let slots = live_keys.saturating_add(dead_slots).max(1);
        let mean_len = (self.tail().saturating_sub(header_len) / slots).max(1);
        if mean_len < SPARSE_GAP { since } else { since / mean_len * PAGE_SIZE as u64 }
    }

    /// The tail that a log without tables would have after a checkpoint and the barrier that names
    /// its table.
    pub(crate) fn tail_after_checkpoint(&self) -> u64 {
        let layout = self.state().layout;
        let table_bytes = self.state().index.plan_table(Merging::OnClose, 0).table_bytes();
        let slot_len = |len| layout.slot_len(len, 0).unwrap_or(u64::MAX);
        let table_len = usize::try_from(table_bytes).map_or(u64::MAX, slot_len);
        self.tail().saturating_add(table_len).saturating_add(slot_len(Barrier::len_with(1)))
    }

    /// A checkpoint while no one else can write: for a file that is being closed or is not in use
    /// yet. The caller flushes the file before anything names the table.
    pub(crate) fn checkpoint_alone(&mut self) -> io::Result<Reserved> {
        let mut attempts = 0;
        loop {
            let reserved = self.reserve_for_layers(Merging::OnClose, 0)?;
            attempts += 1;
            if let Some(built) = reserved.build(&mut || Ok(()))? {
                let table = reserved.complete(&built)?;
                self.use_table(&reserved, table, built);
                return Ok(reserved);
            }
            if attempts == super::MAX_ATTEMPTS {
                return Err(io::Error::other("the index in the file is damaged"));
            }
        }
    }

    /// First step of a checkpoint: reserves space in the log and gives writes a new active layer,
    /// so that the sealed ones can be written to that space.
    pub(super) fn reserve_for_layers(
        &mut self,
        merging: Merging,
        busy: usize,
    ) -> io::Result<Reserved> {
        let plan = self.state().index.plan_table(merging, busy);
        self.reserve(plan)
    }

    /// First step of a merge of tables: reserves space in the log.
    pub(super) fn reserve_for_merge(&mut self, plan: TablePlan) -> io::Result<Reserved> {
        self.reserve(plan)
    }

    /// Reserves space in the log, and installs the index to use while the table is made.
    fn reserve(&mut self, plan: TablePlan) -> io::Result<Reserved> {
        self.check()?;
        let payload_len = usize::try_from(plan.table_bytes())
            .map_err(|_| FormatError::StoreFull { max: MAX_FILE_LEN })?;
        let start = self.tail();
        let end = self.append_index(payload_len)?;
        self.replace_index(self.state().index.started(plan));
        Ok(Reserved { state: Arc::clone(&self.state()), start, end, plan })
    }

    fn append_index(&mut self, payload_len: usize) -> io::Result<u64> {
        let slot_len = self.state().layout.slot_len(payload_len, 0)?;
        self.make_room(slot_len)?;
        let previous_end = self.tables.newest_index_end;
        let end = self.appender.append_index(payload_len as u64, previous_end);
        let end = self.appended(end)?;
        self.publish(end, Delta::default(), |_| Ok(()))?;
        self.tables.newest_index_end = end;
        Ok(end)
    }

    /// Last step of a checkpoint. The table is on the medium, or will be before a hint names it;
    /// from now on readers use it. Returns the previous read state.
    pub(super) fn use_table(
        &mut self,
        reserved: &Reserved,
        table: FrozenIndex,
        built: BuiltTable,
    ) -> Arc<ReadState> {
        let state = self.state();
        let index = state.index.with_table(table, reserved.plan, built);
        let tables = &mut self.tables;
        tables.before = state.index.frozen().map(|table| table.end()).collect();
        let is_dropped =
            |table: &&Arc<FrozenIndex>| index.frozen().all(|other| other.end() != table.end());
        let dropped = state.index.frozen().filter(is_dropped);
        tables.users.extend(dropped.map(|table| (table.end(), Arc::downgrade(table))));
        tables.checkpoints += 1;
        // The previous list of layers may lack later commits.
        self.replace_index(index)
    }

    /// The tables that may still be read.
    pub(crate) fn needed_tables(&mut self) -> NeededTables {
        self.tables.users.retain(|(_, users)| users.strong_count() > 0);
        let users = self.tables.users.iter().map(|(end, _)| *end);
        let others = users.chain(self.tables.before.iter().copied()).collect();
        let current = &self.state().index;
        NeededTables {
            newest_index_end: self.tables.newest_index_end,
            current: current.frozen().map(|table| table.end()).collect(),
            current_bytes: current.frozen().map(|table| table.table_bytes()).sum(),
            others,
        }
    }
}
