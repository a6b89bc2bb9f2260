//! A slot in one word: a 16-bit tag, 8 bits of flags and a 40-bit block number.

use std::num::NonZeroU64;

const TAG_BITS: u32 = 16;
const VALUE_BITS: u32 = 64 - TAG_BITS;
const VALUE_MASK: u64 = (1 << VALUE_BITS) - 1;

const BLOCK_BITS: u32 = 40;
const BLOCK_MASK: u64 = (1 << BLOCK_BITS) - 1;
const BLOCK_LEN_LOG2: u32 = 6;

/// Always set, so that no slot is the zero word and `Option<PackedSlot>` needs no extra space.
const OCCUPIED: NonZeroU64 = NonZeroU64::new(1 << BLOCK_BITS).unwrap();
const TOMBSTONE: u64 = 1 << (BLOCK_BITS + 1);
const BARE: u64 = 1 << (BLOCK_BITS + 2);
const GROUP: u64 = 1 << (BLOCK_BITS + 3);

/// The largest slot end the index can hold, in bytes: 64 TiB minus one block.
pub const MAX_SLOT_END: u64 = BLOCK_MASK << BLOCK_LEN_LOG2;

/// The high 16 bits of a hash.
#[inline]
pub(crate) fn tag_from_hash(hash: u64) -> u16 {
    (hash >> VALUE_BITS) as u16
}

/// Puts a tag above the low 48 bits of `offset`.
#[inline]
pub(crate) fn pack(tag: u16, offset: u64) -> u64 {
    (u64::from(tag) << VALUE_BITS) | (offset & VALUE_MASK)
}

/// The inverse of [`pack`].
#[inline]
pub(crate) fn unpack(packed: u64) -> (u16, u64) {
    (tag_from_hash(packed), packed & VALUE_MASK)
}

/// The newest slot of a chain, or a mark that the hash has a group of chains.
///
/// The tag repeats the top bits of the hash. Look-ups do not need it, since the table compares
/// whole hashes, but debug assertions use it to catch a slot filed under the wrong hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PackedSlot(NonZeroU64);

impl PackedSlot {
    #[inline]
    pub(crate) fn new(hash: u64, end: u64, is_tombstone: bool, is_bare: bool) -> Self {
        debug_assert!(
            end.is_multiple_of(1 << BLOCK_LEN_LOG2) && end != 0 && end <= MAX_SLOT_END,
            "slot end {end}: expected a multiple of 64 in 64..={MAX_SLOT_END}"
        );
        let tombstone = if is_tombstone { TOMBSTONE } else { 0 };
        let bare = if is_bare { BARE } else { 0 };
        let block = (end >> BLOCK_LEN_LOG2) & BLOCK_MASK;
        Self(OCCUPIED | pack(tag_from_hash(hash), tombstone | bare | block))
    }

    /// The mark under which the main table files a hash with several chains.
    #[inline]
    pub(crate) fn group(hash: u64) -> Self {
        Self(OCCUPIED | pack(tag_from_hash(hash), GROUP))
    }

    /// Where the slot ends, in bytes; 0 for a group.
    #[inline]
    pub(crate) fn end(self) -> u64 {
        (self.0.get() & BLOCK_MASK) << BLOCK_LEN_LOG2
    }

    #[inline]
    pub(crate) fn is_tombstone(self) -> bool {
        self.0.get() & TOMBSTONE != 0
    }

    #[inline]
    pub(crate) fn is_bare(self) -> bool {
        self.0.get() & BARE != 0
    }

    #[inline]
    pub(crate) fn is_group(self) -> bool {
        self.0.get() & GROUP != 0
    }

    /// Whether the slot was filed under a hash with the same top bits.
    #[inline]
    pub(crate) fn has_tag_of(self, hash: u64) -> bool {
        unpack(self.0.get()).0 == tag_from_hash(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_survives_packing() {
        for end in [64, 128, 16 << 10, 1 << 40, MAX_SLOT_END] {
            for flags in 0..4 {
                let (is_tombstone, is_bare) = (flags & 1 != 0, flags & 2 != 0);
                for hash in [0, 1, u64::MAX, 0xABCD << 48] {
                    let slot = PackedSlot::new(hash, end, is_tombstone, is_bare);
                    assert_eq!(slot.end(), end);
                    assert_eq!(slot.is_tombstone(), is_tombstone);
                    assert_eq!(slot.is_bare(), is_bare);
                    assert!(!slot.is_group());
                    assert!(slot.has_tag_of(hash));
                }
            }
        }
    }

    #[test]
    fn a_group_mark_names_no_slot() {
        let mark = PackedSlot::group(7);
        assert!(mark.is_group());
        assert_eq!(mark.end(), 0);
        assert!(!mark.is_tombstone() && !mark.is_bare());
    }

    #[test]
    fn an_optional_slot_is_one_word() {
        assert_eq!(size_of::<Option<PackedSlot>>(), 8);
    }
}
