//! Figures of a store.

use std::time::Duration;

use crate::flush::FlushCounts;
use crate::log::{ReadState, Totals};
use crate::open::RecoveryReport;

/// How large a store is, and how much of it is live. See [`DataStore::stats`](crate::DataStore::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStats {
    /// Keys that exist.
    pub live_keys: u64,
    /// Slots that hold no live value: older versions and deletions.
    pub dead_slots: u64,
    /// Bytes of those slots.
    pub dead_bytes: u64,
    /// Bytes of tables of the index in the file that are no longer in use. Compaction frees them too.
    pub superseded_index_bytes: u64,
    /// End of the last published entry, in bytes.
    pub tail: u64,
    /// Length of the file in bytes, with the space that is allocated ahead of the tail.
    pub allocated_bytes: u64,
    /// Alignment of payloads in bytes.
    pub alignment: u64,
    /// Names the store, across compactions.
    pub store_id: [u8; 16],
    /// Hashes in the index in memory: what was written since the last checkpoint, or everything if there was none.
    pub index_hashes: u64,
    /// Memory of that index, but for groups of colliding keys, and of the filters in front of the one in the file, in bytes.
    pub index_heap_bytes: u64,
    /// Hashes in the index in the file, at most.
    pub frozen_hashes: u64,
    /// Tables that the index in the file consists of.
    pub frozen_tables: u64,
    /// Bytes of the index in the file.
    pub frozen_bytes: u64,
    /// Whether the index in the file was found damaged, and has been rebuilt in memory from the log.
    pub is_frozen_rebuilt: bool,
    /// Checkpoints since the store was opened: how often the index was written to the file.
    pub checkpoints: u64,
    /// Flushes to the medium since the store was opened, but for those of opening, compacting and closing.
    pub flushes: u64,
    /// Calls that wanted a flush and were served by that of another thread.
    pub shared_flushes: u64,
    /// Commits that those flushes brought to the medium. Divided by `flushes`, the mean size of a group commit.
    /// What recovery found beyond the durable point counts as one.
    pub flushed_commits: u64,
    /// Most commits that one flush brought to the medium.
    pub largest_flush: u64,
    /// Barriers written since the store was opened.
    pub barriers: u64,
    /// Whether the store had been closed, so that opening had nothing to recover. This and what follows are the
    /// figures of [`DataStore::recovery_report`](crate::DataStore::recovery_report).
    pub was_clean: bool,
    /// Whether opening used the index in the file, rather than read the whole log.
    pub is_index_used: bool,
    /// Slots that opening read to build the index, or to bring it up to date.
    pub slots_replayed: u64,
    /// Bytes of the log that opening found beyond what was known to be on the medium.
    pub recovered_bytes: u64,
    /// Bytes beyond the last commit: remains of one that was not acknowledged.
    pub uncommitted_bytes: u64,
    /// Parts of the log that cannot be read.
    pub damaged_ranges: u64,
    /// Space that the file takes on the medium, in bytes; 0 if the system does not tell.
    pub disk_bytes: u64,
    /// What the path by which the store was opened leads to now.
    pub name: NameState,
    /// How long opening took.
    pub open_duration: Duration,
}

/// What the name by which a store was opened leads to. The store itself goes on in its own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameState {
    /// The store's file.
    Current,
    /// Nothing: the file has been moved, and has another name.
    Gone,
    /// Another file.
    Taken,
    /// The file has no name any more. What is written is gone when the store is closed.
    Deleted,
    /// It cannot be told.
    Unknown,
}

/// What the writer knows beyond what readers see.
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
            index_hashes: index.live_hashes,
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
