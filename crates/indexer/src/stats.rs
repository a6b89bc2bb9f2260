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
    /// Memory of the main table in bytes. Groups come on top, with some 100 bytes a line.
    pub table_bytes: usize,
}
