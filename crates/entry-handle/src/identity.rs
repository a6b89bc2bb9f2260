//! The identity page: what makes a file a store, and which store.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

use crate::alignment::Alignment;
use crate::bytes::{array, put, u16_at, u64_at};
use crate::constants::FORMAT_MAJOR;
use crate::constants::PAGE_SIZE;
use crate::error::FormatError;
use crate::layout::Layout;
use crate::seal::Sealer;

/// The first bytes of every store: a byte that is never valid UTF-8, the name, then line ends and
/// the DOS end-of-file character. As in PNG, text-mode transfers damage these and are so detected.
pub const MAGIC: [u8; 16] = *b"\xF5SIMDR-DRIVE\r\n\x1A\n";

/// Minor version of the format that this crate writes.
pub const FORMAT_MINOR: u16 = 0;

/// Incompatible features that this crate knows: none yet.
const KNOWN_INCOMPATIBLE: u64 = 0;

/// Features that only writers must know: none yet.
const KNOWN_READ_ONLY_COMPATIBLE: u64 = 0;

const AT_MAJOR: usize = 16;
const AT_MINOR: usize = 18;
const AT_ALIGN_LOG2: usize = 20;
const AT_RESERVED: usize = 21;
const AT_INCOMPATIBLE: usize = 24;
const AT_READ_ONLY_COMPATIBLE: usize = 32;
const AT_COMPATIBLE: usize = 40;
const AT_STORE_ID: usize = 48;
const AT_FILE_ID: usize = 64;
const AT_SEAL_KEY: usize = 80;
const AT_GENERATION: usize = 96;
const AT_CREATED: usize = 104;
const AT_CHECK: usize = 112;

/// Length of the encoded identity in bytes; the rest of page 0 is zero.
#[cfg(test)]
const IDENTITY_LEN: usize = 120;

/// What a store is, fixed when its file is created.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Minor version of the format that the file was created with.
    pub minor_version: u16,
    /// Feature bits that a reader must know.
    pub incompatible_features: u64,
    /// Feature bits that a writer must know.
    pub read_only_compatible_features: u64,
    /// Feature bits that can be ignored.
    pub compatible_features: u64,
    /// Alignment of payloads and slots.
    pub alignment: Alignment,
    /// Identifies the store; unchanged by compaction.
    pub store_id: [u8; 16],
    /// Identifies the file; compaction generates a new one.
    pub file_id: [u8; 16],
    /// The number of files that the store has had before this one.
    pub generation: u64,
    /// Creation time in units of 10 ms since 1970-01-01 UTC.
    pub created_at: u64,
    /// Zero so far. Values of later minor versions must be preserved when the identity is copied.
    reserved: [u8; 3],
    seal_key: [u8; 16],
    check: u64,
}

/// Random values of a new identity. They must come from the operating system's generator.
#[derive(Clone, Copy)]
pub struct IdentitySeeds {
    /// Names the store.
    pub store_id: [u8; 16],
    /// Names the file.
    pub file_id: [u8; 16],
    /// Secret that seals the file's slots.
    pub seal_key: [u8; 16],
}

impl Identity {
    /// The identity of a new file.
    pub fn new(
        seeds: IdentitySeeds,
        alignment: Alignment,
        generation: u64,
        created_at: u64,
    ) -> Self {
        let mut identity = Self {
            minor_version: FORMAT_MINOR,
            incompatible_features: 0,
            read_only_compatible_features: 0,
            compatible_features: 0,
            alignment,
            store_id: seeds.store_id,
            file_id: seeds.file_id,
            generation,
            created_at,
            reserved: [0; 3],
            seal_key: seeds.seal_key,
            check: 0,
        };
        identity.check = checksum(&identity.encode());
        identity
    }

    /// Reads an identity from the start of a header page.
    ///
    /// # Errors
    /// `Ok(None)` if the bytes are not an identity or fail their checksum.
    /// [`FormatError::NewerVersion`] or [`FormatError::UnknownFeatures`] if the identity is valid
    /// but this crate cannot read it; [`FormatError::BadAlignment`] if it is valid but its
    /// alignment is not allowed.
    pub fn decode(page: &[u8]) -> Result<Option<Self>, FormatError> {
        Self::parse(page).map_or(Ok(None), |identity| identity.map(Some))
    }

    fn parse(page: &[u8]) -> Option<Result<Self, FormatError>> {
        if array::<16>(page, 0)? != MAGIC || u64_at(page, AT_CHECK)? != checksum(page) {
            return None;
        }
        let major = u16_at(page, AT_MAJOR)?;
        let minor = u16_at(page, AT_MINOR)?;
        if major != FORMAT_MAJOR {
            return Some(Err(FormatError::newer_version(major, minor)));
        }
        let incompatible_features = u64_at(page, AT_INCOMPATIBLE)?;
        let unknown = incompatible_features & !KNOWN_INCOMPATIBLE;
        if unknown != 0 {
            return Some(Err(FormatError::unknown_features(unknown)));
        }
        let [log2] = array::<1>(page, AT_ALIGN_LOG2)?;
        let Some(alignment) = Alignment::from_log2(log2) else {
            let bytes = 1_u64.checked_shl(u32::from(log2)).unwrap_or(0);
            return Some(Err(FormatError::BadAlignment(bytes)));
        };
        Some(Ok(Self {
            minor_version: minor,
            incompatible_features,
            read_only_compatible_features: u64_at(page, AT_READ_ONLY_COMPATIBLE)?,
            compatible_features: u64_at(page, AT_COMPATIBLE)?,
            alignment,
            store_id: array(page, AT_STORE_ID)?,
            file_id: array(page, AT_FILE_ID)?,
            generation: u64_at(page, AT_GENERATION)?,
            created_at: u64_at(page, AT_CREATED)?,
            reserved: array(page, AT_RESERVED)?,
            seal_key: array(page, AT_SEAL_KEY)?,
            check: u64_at(page, AT_CHECK)?,
        }))
    }

    /// The version claimed by a page with the right magic, whatever its checksum.
    ///
    /// A later format may compute its checksum differently. Such a file should be reported as
    /// newer, not as damaged.
    pub fn claimed_version(page: &[u8]) -> Option<(u16, u16)> {
        (array::<16>(page, 0)? == MAGIC)
            .then_some((u16_at(page, AT_MAJOR)?, u16_at(page, AT_MINOR)?))
    }

    /// The page, ready to be written.
    pub fn encode(&self) -> [u8; PAGE_SIZE] {
        let mut page = [0; PAGE_SIZE];
        put(&mut page, 0, &MAGIC);
        put(&mut page, AT_MAJOR, &FORMAT_MAJOR.to_le_bytes());
        put(&mut page, AT_MINOR, &self.minor_version.to_le_bytes());
        put(&mut page, AT_ALIGN_LOG2, &[self.alignment.log2()]);
        put(&mut page, AT_RESERVED, &self.reserved);
        put(&mut page, AT_INCOMPATIBLE, &self.incompatible_features.to_le_bytes());
        put(&mut page, AT_READ_ONLY_COMPATIBLE, &self.read_only_compatible_features.to_le_bytes());
        put(&mut page, AT_COMPATIBLE, &self.compatible_features.to_le_bytes());
        put(&mut page, AT_STORE_ID, &self.store_id);
        put(&mut page, AT_FILE_ID, &self.file_id);
        put(&mut page, AT_SEAL_KEY, &self.seal_key);
        put(&mut page, AT_GENERATION, &self.generation.to_le_bytes());
        put(&mut page, AT_CREATED, &self.created_at.to_le_bytes());
        let check = checksum(&page);
        put(&mut page, AT_CHECK, &check.to_le_bytes());
        page
    }

    /// Fails if the store uses features that a writer must know and this crate does not.
    ///
    /// # Errors
    /// [`FormatError::UnknownFeatures`] with the unknown bits.
    pub fn check_writable(&self) -> Result<(), FormatError> {
        match self.read_only_compatible_features & !KNOWN_READ_ONLY_COMPATIBLE {
            0 => Ok(()),
            bits => Err(FormatError::unknown_features(bits)),
        }
    }

    /// The layout of this file's slots.
    pub fn layout(&self) -> Layout {
        Layout::new(self.alignment, Sealer::new(self.seal_key), self.check as u32)
    }

    /// XXH3-64 of the encoded identity. It seeds the checks of the hint pages, and its low half is
    /// the predecessor of the first slot.
    pub fn checksum(&self) -> u64 {
        self.check
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("version", &format_args!("{FORMAT_MAJOR}.{}", self.minor_version))
            .field("alignment", &self.alignment.bytes())
            .field("store_id", &format_args!("{:032x}", u128::from_be_bytes(self.store_id)))
            .field("file_id", &format_args!("{:032x}", u128::from_be_bytes(self.file_id)))
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

fn checksum(page: &[u8]) -> u64 {
    page.get(..AT_CHECK).map_or(0, xxh3_64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Identity {
        let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [0x5e; 16] };
        Identity::new(seeds, Alignment::new(128).unwrap(), 3, 17_000)
    }

    #[test]
    fn identity_round_trips() {
        let identity = sample();
        assert_eq!(Identity::decode(&identity.encode()), Ok(Some(identity)));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let page = sample().encode();
        for bit in 0..IDENTITY_LEN * 8 {
            let mut flipped = page;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Identity::decode(&flipped), Ok(None), "bit {bit}");
        }
    }

    #[test]
    fn a_copy_of_an_identity_with_reserved_bytes_used_to_be_another_identity() {
        let mut page = sample().encode();
        page[AT_RESERVED..AT_RESERVED + 3].copy_from_slice(&[1, 2, 3]);
        let check = checksum(&page);
        put(&mut page, AT_CHECK, &check.to_le_bytes());
        let identity = Identity::decode(&page).unwrap().unwrap();
        assert_eq!(identity.encode(), page);
        assert_eq!(Identity::decode(&identity.encode()), Ok(Some(identity)));
    }

    #[test]
    fn newer_versions_and_unknown_features_are_told_apart() {
        let reseal = |mut page: [u8; PAGE_SIZE]| {
            let check = checksum(&page);
            put(&mut page, AT_CHECK, &check.to_le_bytes());
            page
        };
        let mut page = sample().encode();
        page[AT_MAJOR] = 2;
        assert_eq!(Identity::decode(&reseal(page)), Err(FormatError::newer_version(2, 0)));
        let mut page = sample().encode();
        page[AT_INCOMPATIBLE] = 4;
        assert_eq!(Identity::decode(&reseal(page)), Err(FormatError::unknown_features(4)));
        let mut page = sample().encode();
        page[AT_READ_ONLY_COMPATIBLE] = 8;
        let identity = Identity::decode(&reseal(page)).unwrap().unwrap();
        assert_eq!(identity.check_writable(), Err(FormatError::unknown_features(8)));
        let mut page = sample().encode();
        page[AT_ALIGN_LOG2] = 200;
        assert_eq!(Identity::decode(&reseal(page)), Err(FormatError::BadAlignment(0)));
    }

    #[test]
    fn debug_output_does_not_show_the_secret() {
        let shown = format!("{:?}", sample());
        assert!(shown.contains("0101"), "{shown}");
        assert!(!shown.contains("5e5e") && !shown.contains("94, 94"), "{shown}");
    }

    #[test]
    fn short_or_empty_pages_are_no_identity() {
        let page = sample().encode();
        for len in 0..IDENTITY_LEN {
            assert_eq!(Identity::decode(&page[..len]), Ok(None));
        }
    }
}
