//! What a compaction says of itself.

/// Progress of a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionProgress {
    /// Bytes of the old file processed so far.
    pub done_bytes: u64,
    /// The old file's tail, in bytes. It grows while others write.
    pub total_bytes: u64,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionReport {
    /// Tail before, in bytes.
    pub bytes_before: u64,
    /// Tail after, in bytes.
    pub bytes_after: u64,
    /// Bytes of log processed while writers waited, at most 1 MiB. Everything else was copied while
    /// they could write.
    pub locked_bytes: u64,
}
