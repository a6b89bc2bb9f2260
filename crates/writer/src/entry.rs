//! What the appender is asked to write.

use simd_r_drive_entry_handle::{Flags, Kind, Trailer};

/// One slot to append: a value or a deletion.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// A value or a tombstone.
    pub kind: Kind,
    /// The key; for a bare entry, the hash's 8 bytes, little-endian.
    pub key: &'a [u8],
    /// Whether `key` is a hash.
    pub is_bare: bool,
    /// The payload; empty for a tombstone.
    pub payload: &'a [u8],
    /// Where the previous version in the same chain ends, in bytes; 0 if there is none.
    pub previous_end: u64,
    /// Whether that previous version is live.
    pub replaces_live: bool,
    /// Whether no slot of an earlier commit has this slot's hash. `false` is always correct. `true`
    /// saves a look-up when an index is brought up to date later.
    pub is_new_hash: bool,
    /// When the entry was written, in units of 10 ms since 1970-01-01 UTC; `None` means now.
    pub written_at: Option<u64>,
}

impl NewEntry<'_> {
    pub(crate) fn trailer(&self, payload_crc: u32, is_commit: bool, now: u64) -> Trailer {
        Trailer {
            payload_len: self.payload.len() as u64,
            // `Layout::slot_len` has refused longer ones.
            key_len: self.key.len() as u16,
            previous_end: self.previous_end,
            kind: self.kind,
            flags: Flags::NONE
                .with_if(Flags::COMMIT, is_commit)
                .with_if(Flags::BARE_HASH, self.is_bare)
                .with_if(Flags::REPLACES_LIVE, self.replaces_live)
                .with_if(Flags::NEW_HASH, self.is_new_hash),
            written_at: self.written_at.unwrap_or(now),
            payload_crc,
        }
    }
}
