//! The layout of one file's slots: where they start, and how they are sealed.

use crate::alignment::Alignment;
use crate::constants::{MAX_FILE_LEN, MAX_KEY_LEN, METADATA_SIZE};
use crate::error::{Damage, FormatError};
use crate::seal::{Seal, Sealer};
use crate::trailer::{SEALED_LEN, SealedTrailer, Trailer};

/// Alignment, secret and root of one file. It is cheap to copy. `Debug` does not show the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    alignment: Alignment,
    sealer: Sealer,
    root: u32,
}

impl Layout {
    pub(crate) fn new(alignment: Alignment, sealer: Sealer, root: u32) -> Self {
        Self { alignment, sealer, root }
    }

    /// Alignment of slots and payloads.
    #[inline]
    pub fn alignment(&self) -> Alignment {
        self.alignment
    }

    /// A number that only readers of the file can know. `purpose` separates it from other uses of
    /// the file's secret.
    pub fn derived_secret(&self, purpose: &[u8]) -> u64 {
        // No slot can end at this offset, so no seal reveals anything about the result.
        self.sealer.seal(purpose, u64::MAX).0
    }

    /// Where the first slot starts, in bytes.
    #[inline]
    pub fn header_len(&self) -> u64 {
        self.alignment.header_len()
    }

    /// What the first slot links to instead of a predecessor's `self`.
    #[inline]
    pub fn root(&self) -> u32 {
        self.root
    }

    /// Length of a slot for a payload and a key of these lengths, in bytes.
    ///
    /// # Errors
    /// [`FormatError::KeyTooLong`] if the key is longer than 65,535 bytes;
    /// [`FormatError::StoreFull`] if no file can hold the slot.
    #[inline]
    pub fn slot_len(&self, payload_len: usize, key_len: usize) -> Result<u64, FormatError> {
        let short_key = u16::try_from(key_len).ok();
        let len =
            short_key.and_then(|key_len| self.alignment.slot_len(payload_len as u64, key_len));
        len.ok_or_else(|| no_such_slot_len(key_len))
    }

    /// Where the slot that ends at `end` with this trailer starts. `None` if it would overlap the
    /// header or `end` is not a slot boundary.
    #[inline]
    pub fn slot_start(&self, end: u64, trailer: &Trailer) -> Option<u64> {
        let Trailer { payload_len, key_len, .. } = *trailer;
        let start = end.checked_sub(self.alignment.slot_len(payload_len, key_len)?)?;
        // Slot lengths are multiples of the alignment, so an aligned start means an aligned end.
        (start >= self.header_len() && self.alignment.is_aligned(start)).then_some(start)
    }

    /// Checks the seal of the slot that ends at `end`, but not its link: sufficient for a slot
    /// whose place is known. `key_and_trailer` are its last bytes, from the start of the key.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] with the trailer's offset if the seal does not match;
    /// [`FormatError::NoSuchSlot`] if `key_and_trailer` is too short for the key.
    #[inline]
    pub fn check_seal(
        &self,
        key_and_trailer: &[u8],
        trailer: &SealedTrailer,
        end: u64,
    ) -> Result<Seal, FormatError> {
        let seal = self.seal_of(key_and_trailer, trailer, end);
        match seal {
            Some(seal) if seal.self_half() == trailer.self_half => Ok(seal),
            _ => Err(broken_seal(seal, trailer, end)),
        }
    }

    #[inline]
    fn seal_of(&self, key_and_trailer: &[u8], trailer: &SealedTrailer, end: u64) -> Option<Seal> {
        let sealed = usize::from(trailer.fields.key_len).wrapping_add(SEALED_LEN);
        Some(self.sealer.seal(key_and_trailer.get(..sealed)?, end))
    }

    /// Writes the key and the sealed trailer of the slot that ends at `end` into `out`, which must
    /// be exactly `key.len() + 32` bytes long. Returns the seal. `predecessor` is the `self` half
    /// of the seal of the slot before, or the [`root`](Layout::root).
    ///
    /// # Errors
    /// [`FormatError::KeyTooLong`] if the length of `out` is wrong, or `fields` name another key
    /// length.
    #[inline]
    pub fn seal_into(
        &self,
        out: &mut [u8],
        key: &[u8],
        fields: Trailer,
        end: u64,
        predecessor: u32,
    ) -> Result<Seal, FormatError> {
        let misfit = || FormatError::KeyTooLong { len: key.len(), max: fields.key_len.into() };
        let (key_out, trailer) = out.split_last_chunk_mut().ok_or_else(misfit)?;
        if key_out.len() != key.len() || key.len() != usize::from(fields.key_len) {
            return Err(misfit());
        }
        key_out.copy_from_slice(key);
        *trailer = SealedTrailer { fields, self_half: 0, link: 0 }.encode();
        let sealed = key.len().wrapping_add(SEALED_LEN);
        let seal = self.sealer.seal(out.get(..sealed).ok_or_else(misfit)?, end);
        if let Some(halves) = out.last_chunk_mut() {
            *halves = seal.encode(predecessor);
        }
        Ok(seal)
    }
}

#[cold]
fn no_such_slot_len(key_len: usize) -> FormatError {
    match u16::try_from(key_len) {
        Ok(_) => FormatError::StoreFull { max: MAX_FILE_LEN },
        Err(_) => FormatError::KeyTooLong { len: key_len, max: MAX_KEY_LEN },
    }
}

#[cold]
fn broken_seal(seal: Option<Seal>, trailer: &SealedTrailer, end: u64) -> FormatError {
    let Some(seal) = seal else { return FormatError::no_such_slot(end) };
    FormatError::mismatch(
        end.saturating_sub(METADATA_SIZE as u64),
        Damage::Seal,
        u64::from(seal.self_half()),
        u64::from(trailer.self_half),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, IdentitySeeds};
    use crate::trailer::{Flags, Kind};

    #[test]
    fn what_is_sealed_checks_out_only_at_its_place() {
        let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
        let layout = Identity::new(seeds, Alignment::DEFAULT, 0, 0).layout();
        let fields = Trailer {
            payload_len: 5,
            key_len: 3,
            previous_end: 0,
            kind: Kind::Value,
            flags: Flags::COMMIT,
            written_at: 7,
            payload_crc: 0,
        };
        let mut out = [0; 35];
        let seal = layout.seal_into(&mut out, b"key", fields, 16_448, layout.root()).unwrap();
        let trailer = SealedTrailer::decode(out.last_chunk().unwrap()).unwrap();
        assert_eq!(trailer.fields, fields);
        assert_eq!(layout.check_seal(&out, &trailer, 16_448), Ok(seal));
        assert_eq!(seal.predecessor(trailer.link), layout.root());
        assert!(layout.check_seal(&out, &trailer, 16_512).is_err());
        assert_eq!(layout.slot_start(16_448, &fields), Some(16_384));
        assert_eq!(layout.slot_start(16_384, &fields), None, "reaches into the header");
        assert_eq!(layout.slot_start(16_449, &fields), None, "not a boundary");
        assert!(layout.seal_into(&mut out, b"key!", fields, 16_448, 0).is_err());
    }
}
