//! How full the index is.

/// Counts of the index, see [`KeyIndexer::stats`](crate::KeyIndexer::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexStats {
    /// Hashes in the index.
    pub hashes: usize,
    /// Lines of versions, live or deleted: distinct keys, and hashes written bare.
    pub lines: usize,
    /// Hashes of more than one line.
    pub groups: usize,
    /// Memory of the main table in bytes; that of the groups comes on top.
    pub table_bytes: usize,
}
