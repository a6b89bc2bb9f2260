//! The rewritable pages of the header: checkpoints (pages 1 and 2) and the published tail (page 3).
//!
//! They only save time. A file whose hints are zeroed opens to the same contents.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::bytes::{put, u64_at};
use crate::constants::PAGE_SIZE;
use crate::identity::Identity;

const AT_CHECKPOINT: usize = 128;
const AT_SEQUENCE: usize = AT_CHECKPOINT;
const AT_DURABLE_TAIL: usize = 136;
const AT_DURABLE_SEAL: usize = 144;
const AT_BARRIER_END: usize = 152;
const AT_FLAGS: usize = 160;
const AT_CHECK: usize = 168;

const FLAG_CLEAN: u64 = 1;
const FLAG_COPYING: u64 = 2;

/// A durable point. Barriers write it to pages 1 and 2 alternately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Counts checkpoints; the larger one is newer. Its lowest bit chooses the page.
    pub sequence: u64,
    /// Everything below this offset was on the medium when the checkpoint was written.
    pub durable_tail: u64,
    /// Seal of the slot that ends there, or the identity's checksum if none does.
    pub durable_seal: u64,
    /// End of the newest barrier, which names the tables of the index; 0 if there is none.
    pub barrier_end: u64,
    /// Whether the store was closed after the checkpoint.
    pub is_clean: bool,
    /// Whether a log is being copied to the file, barriers included. Barriers beyond the durable
    /// tail must not be trusted then: they describe the medium of the file they were copied from.
    pub is_copying: bool,
}

impl Checkpoint {
    /// Index of the header page (1 or 2) that this checkpoint goes to.
    pub const fn page(&self) -> usize {
        if self.sequence & 1 == 0 { 1 } else { 2 }
    }

    /// Reads the checkpoint from page 1 or 2; `None` if it is damaged or belongs to another file.
    pub fn decode(page: &[u8], identity: &Identity) -> Option<Self> {
        if u64_at(page, AT_CHECK)? != check(page, identity) {
            return None;
        }
        let flags = u64_at(page, AT_FLAGS)?;
        (flags & !(FLAG_CLEAN | FLAG_COPYING) == 0).then_some(Self {
            sequence: u64_at(page, AT_SEQUENCE)?,
            durable_tail: u64_at(page, AT_DURABLE_TAIL)?,
            durable_seal: u64_at(page, AT_DURABLE_SEAL)?,
            barrier_end: u64_at(page, AT_BARRIER_END)?,
            is_clean: flags & FLAG_CLEAN != 0,
            is_copying: flags & FLAG_COPYING != 0,
        })
    }

    /// Encodes the page: a copy of the identity, and the checkpoint.
    pub fn encode(&self, identity: &Identity) -> [u8; PAGE_SIZE] {
        let mut page = identity.encode();
        put(&mut page, AT_SEQUENCE, &self.sequence.to_le_bytes());
        put(&mut page, AT_DURABLE_TAIL, &self.durable_tail.to_le_bytes());
        put(&mut page, AT_DURABLE_SEAL, &self.durable_seal.to_le_bytes());
        put(&mut page, AT_BARRIER_END, &self.barrier_end.to_le_bytes());
        let clean = if self.is_clean { FLAG_CLEAN } else { 0 };
        let copying = if self.is_copying { FLAG_COPYING } else { 0 };
        put(&mut page, AT_FLAGS, &(clean | copying).to_le_bytes());
        let check = check(&page, identity);
        put(&mut page, AT_CHECK, &check.to_le_bytes());
        page
    }
}

fn check(page: &[u8], identity: &Identity) -> u64 {
    page.get(AT_CHECKPOINT..AT_CHECK)
        .map_or(0, |bytes| xxh3_64_with_seed(bytes, identity.checksum()))
}

/// Page 3: a lower bound of the published tail. It may lag, and is never trusted alone: the slot it
/// names must be sealed, marked as a commit, and linked to a durable point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedTail {
    /// End of a committed slot, or the header's length.
    pub tail: u64,
    /// Set when compaction has moved the store to a new file under the same path.
    pub is_moved: bool,
}

impl PublishedTail {
    /// Length of the record in bytes; the rest of the page is zero.
    pub const LEN: usize = 24;

    /// Reads page 3; `None` if it is zeroed, torn or damaged.
    pub fn decode(page: &[u8]) -> Option<Self> {
        let tail = u64_at(page, 0)?;
        let moved = u64_at(page, 16)?;
        (u64_at(page, 8)? == !tail && moved <= 1).then_some(Self { tail, is_moved: moved == 1 })
    }

    /// Encodes the record, which goes to the start of page 3.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut record = [0; Self::LEN];
        put(&mut record, 0, &self.tail.to_le_bytes());
        put(&mut record, 8, &(!self.tail).to_le_bytes());
        put(&mut record, 16, &u64::from(self.is_moved).to_le_bytes());
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alignment::Alignment;
    use crate::identity::IdentitySeeds;

    fn identity(byte: u8) -> Identity {
        let seeds =
            IdentitySeeds { store_id: [byte; 16], file_id: [byte; 16], seal_key: [byte; 16] };
        Identity::new(seeds, Alignment::DEFAULT, 0, 0)
    }

    fn sample() -> Checkpoint {
        Checkpoint {
            sequence: 9,
            durable_tail: 20_480,
            durable_seal: 0xfeed,
            barrier_end: 0,
            is_clean: true,
            is_copying: false,
        }
    }

    #[test]
    fn checkpoints_round_trip_beside_a_copy_of_the_identity() {
        for (is_clean, is_copying) in [(true, false), (false, false), (false, true), (true, true)] {
            let checkpoint = Checkpoint { is_clean, is_copying, ..sample() };
            let page = checkpoint.encode(&identity(1));
            assert_eq!(Checkpoint::decode(&page, &identity(1)), Some(checkpoint));
            assert_eq!(Identity::decode(&page), Ok(Some(identity(1))));
        }
    }

    #[test]
    fn a_checkpoint_with_an_unknown_flag_is_not_believed() {
        for bit in 2..64 {
            let mut page = sample().encode(&identity(1));
            put(&mut page, AT_FLAGS, &(1_u64 << bit).to_le_bytes());
            let check = check(&page, &identity(1));
            put(&mut page, AT_CHECK, &check.to_le_bytes());
            assert_eq!(Checkpoint::decode(&page, &identity(1)), None, "bit {bit}");
        }
    }

    #[test]
    fn a_checkpoint_of_another_file_is_not_believed() {
        assert_eq!(Checkpoint::decode(&sample().encode(&identity(1)), &identity(2)), None);
    }

    #[test]
    fn every_flipped_bit_of_a_checkpoint_is_noticed() {
        let page = sample().encode(&identity(1));
        for bit in AT_CHECKPOINT * 8..(AT_CHECK + 8) * 8 {
            let mut flipped = page;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Checkpoint::decode(&flipped, &identity(1)), None, "bit {bit}");
        }
    }

    #[test]
    fn a_zeroed_or_torn_published_tail_is_not_believed() {
        let hint = PublishedTail { tail: 77_760, is_moved: false };
        assert_eq!(PublishedTail::decode(&hint.encode()), Some(hint));
        assert_eq!(PublishedTail::decode(&[0; PAGE_SIZE]), None);
        let mut torn = hint.encode();
        torn[1] ^= 1;
        assert_eq!(PublishedTail::decode(&torn), None);
        assert_eq!(PublishedTail::decode(&hint.encode()[..20]), None);
    }
}
