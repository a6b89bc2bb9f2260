//! What a compaction says of itself.

/// How far a compaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionProgress {
    /// How much of the old file has been gone through, in bytes.
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
    /// Bytes of the log that were gone through while writers waited, at most 1 MiB; all else was copied beside them.
    pub locked_bytes: u64,
}
