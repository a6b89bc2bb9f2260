//! The 32-byte trailer that ends every slot.

use crate::constants::{BLOCK_SIZE, METADATA_SIZE};
use crate::error::{Damage, FormatError};

/// Length in bytes of the part of the trailer that the seal covers. It is the first part.
pub const SEALED_LEN: usize = 24;

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A value under a key.
    Value = 1,
    /// The deletion of a key.
    Tombstone = 2,
    /// A durable point; see [`Barrier`](crate::Barrier).
    Barrier = 3,
    /// A table of the index.
    Index = 4,
}

impl Kind {
    /// Whether slots of this kind belong to a key.
    #[inline]
    pub const fn is_keyed(self) -> bool {
        matches!(self, Self::Value | Self::Tombstone)
    }
}

/// Properties of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u8);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// The last slot of a commit. The slots of a commit count only if this one is there.
    pub const COMMIT: Self = Self(1);
    /// The key bytes are a 64-bit hash that the caller chose, not a key.
    pub const BARE_HASH: Self = Self(2);
    /// The payload has checks of its own, and its CRC-32 field is 0.
    pub const OPAQUE: Self = Self(4);
    /// The previous version of the key was live, not a tombstone.
    pub const REPLACES_LIVE: Self = Self(8);
    /// No slot of an earlier commit has the hash of this slot's key.
    pub const NEW_HASH: Self = Self(16);

    const KNOWN: u8 = 31;

    /// The flags of both sets.
    #[must_use]
    #[inline]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags of both sets if `condition` holds, else those of `self`.
    #[must_use]
    #[inline]
    pub const fn with_if(self, other: Self, condition: bool) -> Self {
        if condition { self.with(other) } else { self }
    }

    /// Whether all flags of `other` are set.
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// The fields of a trailer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Length of the payload in bytes (48 bits).
    pub payload_len: u64,
    /// Length of the key in bytes.
    pub key_len: u16,
    /// Where the slot of the previous version of this key ends, in bytes: a multiple of 64, or 0 if
    /// there is none.
    pub previous_end: u64,
    /// What the slot holds.
    pub kind: Kind,
    /// Properties of the slot.
    pub flags: Flags,
    /// When the slot was written, in units of 10 ms since 1970-01-01 UTC (40 bits). Clocks jump, so
    /// these times need not increase along the log.
    pub written_at: u64,
    /// CRC-32 of the payload; 0 if the slot is [`Flags::OPAQUE`].
    pub payload_crc: u32,
}

/// A trailer as stored in the file: its fields and the two words that hold the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedTrailer {
    /// The fields.
    pub fields: Trailer,
    /// Low half of the seal.
    pub self_half: u32,
    /// High half of the seal XOR the predecessor's `self_half`.
    pub link: u32,
}

impl Trailer {
    /// Whether the slot deletes its key.
    #[inline]
    pub fn is_tombstone(&self) -> bool {
        self.kind == Kind::Tombstone
    }

    /// Whether the slot ends a commit.
    #[inline]
    pub const fn is_commit(&self) -> bool {
        self.flags.has(Flags::COMMIT)
    }

    /// Whether the key bytes are a hash that the caller chose.
    #[inline]
    pub const fn is_bare(&self) -> bool {
        self.flags.has(Flags::BARE_HASH)
    }

    /// Whether the previous version of the key was live.
    #[inline]
    pub const fn replaces_live(&self) -> bool {
        self.flags.has(Flags::REPLACES_LIVE)
    }

    /// Whether no slot of an earlier commit has the hash of this slot's key.
    #[inline]
    pub const fn is_new_hash(&self) -> bool {
        self.flags.has(Flags::NEW_HASH)
    }
}

/// The bytes of a well-formed trailer. Each field is decoded when it is asked for.
///
/// The bytes are four little-endian words, which hold, from the lowest byte: payload length (6
/// bytes) and key length (2); previous end in blocks (5), kind, flags and the first byte of the
/// time; the rest of the time (4) and the CRC-32 (4); `self` and `link`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WellFormed<'a>(&'a [[u8; 8]; METADATA_SIZE / 8]);

impl<'a> WellFormed<'a> {
    /// `None` if the trailer is malformed; see [`SealedTrailer::decode`].
    #[inline(always)]
    pub(crate) fn new(bytes: &'a [u8; METADATA_SIZE]) -> Option<Self> {
        let trailer = Self(bytes.as_chunks().0.first_chunk()?);
        let [.., kind, flags, _] = trailer.word(1).to_le_bytes();
        let is_kind = (Kind::Value as u8..=Kind::Index as u8).contains(&kind);
        let has_key = !Flags(flags).has(Flags::BARE_HASH) || trailer.key_len() == 8;
        (is_kind && flags & !Flags::KNOWN == 0 && has_key).then_some(trailer)
    }

    #[inline(always)]
    fn word(self, number: usize) -> u64 {
        self.0.get(number).map_or(0, |word| u64::from_le_bytes(*word))
    }

    #[inline(always)]
    pub(crate) fn payload_len(self) -> u64 {
        self.word(0) & (u64::MAX >> 16)
    }

    #[inline(always)]
    pub(crate) fn key_len(self) -> u16 {
        (self.word(0) >> 48) as u16
    }

    #[inline(always)]
    pub(crate) fn kind(self) -> Kind {
        let [.., kind, _, _] = self.word(1).to_le_bytes();
        match kind {
            1 => Kind::Value,
            2 => Kind::Tombstone,
            3 => Kind::Barrier,
            // There is no other in a well-formed trailer.
            _ => Kind::Index,
        }
    }

    #[inline(always)]
    pub(crate) fn decode(self) -> SealedTrailer {
        let (version, content, seal) = (self.word(1), self.word(2), self.word(3));
        let [.., flags, _] = version.to_le_bytes();
        let fields = Trailer {
            payload_len: self.payload_len(),
            key_len: self.key_len(),
            previous_end: (version & (u64::MAX >> 24)).wrapping_mul(BLOCK_SIZE),
            kind: self.kind(),
            flags: Flags(flags),
            written_at: (version >> 56) | ((content & (u64::MAX >> 32)) << 8),
            payload_crc: (content >> 32) as u32,
        };
        SealedTrailer { fields, self_half: seal as u32, link: (seal >> 32) as u32 }
    }
}

impl SealedTrailer {
    /// Reads a trailer. `None` if it is malformed: kind and flags must be known, and the key of a
    /// bare entry must be as long as a hash. Only the seal can tell whether the trailer is genuine.
    #[inline]
    pub fn decode(bytes: &[u8; METADATA_SIZE]) -> Option<Self> {
        WellFormed::new(bytes).map(WellFormed::decode)
    }

    /// Like [`SealedTrailer::decode`], for the trailer of the slot that ends at `end`.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] with the trailer's offset if it is malformed.
    #[inline]
    pub fn decode_at(bytes: &[u8; METADATA_SIZE], end: u64) -> Result<Self, FormatError> {
        Self::decode(bytes).ok_or_else(|| {
            FormatError::damaged(end.saturating_sub(METADATA_SIZE as u64), Damage::Trailer)
        })
    }

    /// The trailer's 32 bytes. Lengths, offsets and times are truncated to the width of their
    /// fields; callers check the limits first.
    #[inline]
    pub fn encode(&self) -> [u8; METADATA_SIZE] {
        let Trailer { payload_len, key_len, previous_end, kind, flags, written_at, payload_crc } =
            self.fields;
        let blocks = (previous_end / BLOCK_SIZE) & (u64::MAX >> 24);
        let words = [
            payload_len & (u64::MAX >> 16) | u64::from(key_len) << 48,
            blocks | (kind as u64) << 40 | u64::from(flags.0) << 48 | written_at << 56,
            (written_at >> 8) & (u64::MAX >> 32) | u64::from(payload_crc) << 32,
            u64::from(self.self_half) | u64::from(self.link) << 32,
        ];
        let mut bytes = [0; METADATA_SIZE];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn zeros_and_unknown_flags_are_no_trailer() {
        assert_eq!(SealedTrailer::decode(&[0; 32]), None);
        assert_eq!(SealedTrailer::decode(&[0xff; 32]), None);
        let mut bytes = [0; 32];
        bytes[13] = Kind::Value as u8;
        assert!(SealedTrailer::decode(&bytes).is_some());
        bytes[14] = 32;
        assert_eq!(SealedTrailer::decode(&bytes), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_decode_to_themselves_or_not_at_all(bytes: [u8; 32]) {
            if let Some(trailer) = SealedTrailer::decode(&bytes) {
                prop_assert_eq!(trailer.encode(), bytes);
            }
        }

        #[test]
        fn trailers_round_trip(
            payload_len in 0..1_u64 << 48,
            key_len: u16,
            blocks in 0..1_u64 << 40,
            kind in 0..4_usize,
            flags in 0..16_u8,
            written_at in 0..1_u64 << 40,
            payload_crc: u32,
            self_half: u32,
            link: u32,
        ) {
            let flags = Flags(flags);
            let key_len = if flags.has(Flags::BARE_HASH) { 8 } else { key_len };
            let trailer = SealedTrailer {
                fields: Trailer {
                    payload_len,
                    key_len,
                    previous_end: blocks * 64,
                    kind: [Kind::Value, Kind::Tombstone, Kind::Barrier, Kind::Index][kind],
                    flags,
                    written_at,
                    payload_crc,
                },
                self_half,
                link,
            };
            prop_assert_eq!(SealedTrailer::decode(&trailer.encode()), Some(trailer));
        }
    }
}
