//! The result of opening a store.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// What opening a store found and did. See
/// [`DataStore::recovery_report`](crate::DataStore::recovery_report).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Whether this open created the store.
    pub is_new: bool,
    /// Whether the store had been closed, so that nothing had to be recovered.
    pub was_clean: bool,
    /// The durable tail: everything up to here was known to be on the medium, in bytes.
    pub durable_tail: u64,
    /// Tail of the store: the end of the last commit, in bytes.
    pub tail: u64,
    /// Whether the index in the file was used. Otherwise the whole log was read to build one in
    /// memory.
    pub is_index_used: bool,
    /// Slots read to build the index or to bring it up to date.
    pub slots_replayed: u64,
    /// Length of the data beyond the last commit, in bytes: remains of a commit that was not
    /// acknowledged. A writable open cuts them off.
    pub uncommitted_bytes: u64,
    /// Where those bytes were saved before they were cut off.
    pub saved_to: Option<PathBuf>,
    /// Whether the identity page was damaged and one of its copies was used.
    pub is_identity_damaged: bool,
    /// Ranges of the log that cannot be read, newest first, in bytes. Only a read-only open gets
    /// this far. A range beyond the end of the log is what was or may have been there when the log
    /// was longer.
    pub damaged: Vec<Range<u64>>,
    /// How long opening took.
    pub duration: Duration,
}
