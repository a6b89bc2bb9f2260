//! The public view of a slot's trailer.

/// A view of an entry's trailer.
///
/// It is never used to derive the bounds of an entry. Other data of the format (write time,
/// previous version) is on [`EntryHandle`](crate::EntryHandle).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryMetadata {
    /// Hash of the key: its XXH3-64, or the hash that the entry was written under.
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
