//! How full the index is.

/// Counts of the index, see [`KeyIndexer::stats`](crate::KeyIndexer::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IndexStats {
    /// Hashes in the index.
    pub hashes: usize,
    /// Chains, live or deleted: one per distinct key, and one per hash written bare.
    pub chains: usize,
    /// Hashes with more than one chain.
    pub groups: usize,
    /// Memory of the main table in bytes, not counting the groups.
    pub table_bytes: usize,
}
