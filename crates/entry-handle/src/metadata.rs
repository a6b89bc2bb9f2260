//! What users see of a slot's trailer.

/// A view of an entry's trailer.
///
/// Bounds of an entry are never derived from it; what else the format knows (write time, previous
/// version) is on [`EntryHandle`](crate::EntryHandle).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryMetadata {
    /// Hash of the key: XXH3-64, or whatever the caller handed in for an entry written by hash.
    pub key_hash: u64,
    /// Where the entry's slot starts: the tail of the store before the entry, in bytes.
    pub prev_offset: u64,
    /// CRC-32 of the payload, little-endian.
    pub checksum: [u8; 4],
}

impl EntryMetadata {
    /// A view from its parts.
    pub fn new(key_hash: u64, prev_offset: u64, checksum: [u8; 4]) -> Self {
        Self { key_hash, prev_offset, checksum }
    }
}
