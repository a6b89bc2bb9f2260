//! Statistics of a store.

use std::time::Duration;

use crate::flush::FlushCounts;
use crate::log::{ReadState, Totals};
use crate::open::RecoveryReport;

/// Size, live data and activity of a store. See [`DataStore::stats`](crate::DataStore::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Number of live keys.
    pub live_keys: u64,
    /// Number of dead slots: older versions and tombstones.
    pub dead_slots: u64,
    /// Bytes of the dead slots.
    pub dead_bytes: u64,
    /// Bytes of index tables in the file that are no longer in use. Compaction frees them too.
    pub superseded_index_bytes: u64,
    /// Tail of the store: the end of the last commit, in bytes.
    pub tail: u64,
    /// Length of the file in bytes, including space allocated ahead of the tail.
    pub allocated_bytes: u64,
    /// Alignment of payloads in bytes.
    pub alignment: u64,
    /// Identifies the store; compaction keeps it.
    pub store_id: [u8; 16],
    /// Hashes in the in-memory index: those written since the last checkpoint, or all if there was
    /// none.
    pub index_hashes: u64,
    /// Heap bytes of that index and of the filters for the tables in the file, without groups of
    /// colliding keys.
    pub index_heap_bytes: u64,
    /// Upper bound on the number of hashes in the tables in the file.
    pub frozen_hashes: u64,
    /// Number of tables that make up the index in the file.
    pub frozen_tables: u64,
    /// Bytes of the index in the file.
    pub frozen_bytes: u64,
    /// Whether the index in the file was found damaged and was rebuilt in memory from the log.
    pub is_frozen_rebuilt: bool,
    /// Checkpoints since the store was opened.
    pub checkpoints: u64,
    /// Flushes to the medium since the store was opened, except those of opening, compacting and
    /// closing.
    pub flushes: u64,
    /// Calls that needed a flush and shared another thread's.
    pub shared_flushes: u64,
    /// Commits that those flushes covered. Divided by `flushes`, this is the mean size of a group
    /// commit. What recovery found beyond the durable point counts as one commit.
    pub flushed_commits: u64,
    /// The largest number of commits that a single flush covered.
    pub largest_flush: u64,
    /// Barriers written since the store was opened.
    pub barriers: u64,
    /// Whether the store had been closed, so that opening had nothing to recover. This field and
    /// the next five come from [`DataStore::recovery_report`](crate::DataStore::recovery_report).
    pub was_clean: bool,
    /// Whether opening used the index in the file instead of reading the whole log.
    pub is_index_used: bool,
    /// Slots that opening read to build the index or to bring it up to date.
    pub slots_replayed: u64,
    /// Bytes of log that opening recovered beyond the durable point.
    pub recovered_bytes: u64,
    /// Bytes that opening found beyond the last commit: remains of a commit that was not
    /// acknowledged.
    pub uncommitted_bytes: u64,
    /// Number of ranges of the log that cannot be read.
    pub damaged_ranges: u64,
    /// Space that the file takes on the medium, in bytes; 0 if the system does not report it.
    pub disk_bytes: u64,
    /// What the path of the store leads to now.
    pub name: NameState,
    /// How long opening took.
    pub open_duration: Duration,
}

/// What the path of a store leads to. The store itself stays with its own file in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameState {
    /// The store's file.
    Current,
    /// Nothing. The file was moved and has another name.
    Gone,
    /// Another file.
    Taken,
    /// The file has no name any more. Its contents are lost when the store is closed.
    Deleted,
    /// The system does not tell.
    Unknown,
}

/// Counts that only the writer knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WriterCounts {
    pub(crate) barriers: u64,
    pub(crate) checkpoints: u64,
}

impl StoreStats {
    pub(crate) fn of(
        state: &ReadState,
        writer: WriterCounts,
        flushes: FlushCounts,
        report: &RecoveryReport,
        name: NameState,
    ) -> Self {
        let index = state.index.stats();
        let Totals { tail, live_keys, dead_slots, dead_bytes } = state.totals();
        Self {
            live_keys,
            dead_slots,
            dead_bytes,
            superseded_index_bytes: state.superseded_index_bytes(),
            tail,
            allocated_bytes: state.file.len().map_or(tail, |len| len.max(tail)),
            alignment: state.layout.alignment().bytes(),
            store_id: state.identity.store_id,
            index_hashes: index.hashes_in_memory,
            index_heap_bytes: index.heap_bytes,
            frozen_hashes: index.frozen_hashes,
            frozen_tables: index.tables,
            frozen_bytes: index.table_bytes,
            is_frozen_rebuilt: index.is_rebuilt,
            checkpoints: writer.checkpoints,
            flushes: flushes.flushes,
            shared_flushes: flushes.shared,
            flushed_commits: flushes.commits,
            largest_flush: flushes.largest,
            barriers: writer.barriers,
            was_clean: report.was_clean,
            is_index_used: report.is_index_used,
            slots_replayed: report.slots_replayed,
            recovered_bytes: report.tail.saturating_sub(report.durable_tail),
            uncommitted_bytes: report.uncommitted_bytes,
            damaged_ranges: report.damaged.len() as u64,
            disk_bytes: state.file.status().map_or(0, |status| status.disk_bytes),
            name,
            open_duration: report.duration,
        }
    }
}
