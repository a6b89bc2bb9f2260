//! Slot arithmetic: where a slot starts and ends.

use crate::FormatError;
use crate::constants::{
    MAX_FILE_LEN, METADATA_SIZE, MIN_HEADER_LEN, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT,
};

/// The alignment of a store: every payload starts, and every slot ends, at a multiple of it.
///
/// ```
/// use simd_r_drive_entry_handle::Alignment;
///
/// let page = Alignment::new(4096)?;
/// assert_eq!(page.header_len(), 16 * 1024);
/// // payload, zeros, key, 32-byte trailer, rounded up to the alignment
/// assert_eq!(page.slot_len(10, 3), Some(4096));
/// assert!(Alignment::new(48).is_err());
/// # Ok::<(), simd_r_drive_entry_handle::FormatError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Alignment {
    /// The alignment in bytes, less one: the bits that are zero in its multiples.
    mask: u16,
}

impl Alignment {
    /// The default alignment: 64 bytes.
    pub const DEFAULT: Self = Self { mask: (1 << PAYLOAD_ALIGN_LOG2) - 1 };

    /// log2 of the largest alignment.
    pub const MAX_LOG2: u8 = 16;

    /// The alignment of `bytes` bytes, a power of two from 64 to 65,536.
    ///
    /// # Errors
    /// [`FormatError::BadAlignment`] for anything else.
    pub fn new(bytes: u64) -> Result<Self, FormatError> {
        let log2 = bytes.trailing_zeros();
        match u8::try_from(log2) {
            Ok(log2) if bytes.is_power_of_two() => {
                Self::from_log2(log2).ok_or(FormatError::BadAlignment(bytes))
            }
            _ => Err(FormatError::BadAlignment(bytes)),
        }
    }

    /// The alignment of `1 << log2` bytes, if the format allows it.
    pub const fn from_log2(log2: u8) -> Option<Self> {
        if log2 >= PAYLOAD_ALIGN_LOG2 && log2 <= Self::MAX_LOG2 {
            Some(Self { mask: u16::MAX >> Self::MAX_LOG2.wrapping_sub(log2) })
        } else {
            None
        }
    }

    /// log2 of the alignment.
    pub const fn log2(self) -> u8 {
        self.mask.count_ones() as u8
    }

    /// The alignment in bytes.
    #[inline]
    pub const fn bytes(self) -> u64 {
        self.mask().wrapping_add(1)
    }

    /// Length of the header in bytes. The first slot starts there.
    #[inline]
    pub const fn header_len(self) -> u64 {
        if self.bytes() > MIN_HEADER_LEN { self.bytes() } else { MIN_HEADER_LEN }
    }

    /// Whether `offset` is a multiple of the alignment.
    #[inline]
    pub const fn is_aligned(self, offset: u64) -> bool {
        offset & self.mask() == 0
    }

    /// `offset` rounded down to a multiple of the alignment.
    #[inline]
    pub const fn round_down(self, offset: u64) -> u64 {
        offset & !self.mask()
    }

    /// `offset` rounded up to a multiple of the alignment; `None` on overflow.
    #[inline]
    pub const fn round_up(self, offset: u64) -> Option<u64> {
        match offset.checked_add(self.mask()) {
            Some(sum) => Some(sum & !self.mask()),
            None => None,
        }
    }

    /// Length in bytes of a slot that holds `payload_len` bytes under a key of `key_len` bytes;
    /// `None` if no file can hold it.
    #[inline]
    pub fn slot_len(self, payload_len: u64, key_len: u16) -> Option<u64> {
        let tail_len = u64::from(key_len).wrapping_add(METADATA_SIZE as u64);
        let len = self.round_up(payload_len.checked_add(tail_len)?)?;
        (len <= MAX_FILE_LEN).then_some(len)
    }

    #[inline]
    const fn mask(self) -> u64 {
        self.mask as u64
    }
}

impl Default for Alignment {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Panics in debug builds if `ptr` is not aligned to `align` bytes or `align` is not a power of
/// two. Does nothing in release builds.
#[inline]
pub fn debug_assert_aligned(ptr: *const u8, align: usize) {
    debug_assert!(align.is_power_of_two(), "alignment {align} is not a power of two");
    debug_assert!(
        ptr.addr() & align.wrapping_sub(1) == 0,
        "pointer {ptr:p} is not aligned to {align} bytes"
    );
}

/// Panics in debug builds if `offset`, of a payload in the file, is not a multiple of
/// [`PAYLOAD_ALIGNMENT`]. Does nothing in release builds.
#[inline]
pub fn debug_assert_aligned_offset(offset: u64) {
    debug_assert!(
        offset & PAYLOAD_ALIGNMENT.wrapping_sub(1) == 0,
        "payload offset {offset} is not a multiple of {PAYLOAD_ALIGNMENT}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_powers_of_two_from_64_to_65536_are_alignments() {
        for bytes in 0..=200_000_u64 {
            let allowed = bytes.is_power_of_two() && (64..=65_536).contains(&bytes);
            assert_eq!(Alignment::new(bytes).is_ok(), allowed, "{bytes}");
        }
        assert!(Alignment::new(u64::MAX).is_err());
    }

    #[test]
    fn a_value_and_key_of_32_bytes_take_one_line() {
        assert_eq!(Alignment::DEFAULT.slot_len(8, 24), Some(64));
        assert_eq!(Alignment::DEFAULT.slot_len(8, 25), Some(128));
        assert_eq!(Alignment::DEFAULT.slot_len(0, 0), Some(64));
    }

    #[test]
    fn slot_length_never_overflows() {
        assert_eq!(Alignment::DEFAULT.slot_len(u64::MAX, 0), None);
        assert_eq!(Alignment::DEFAULT.slot_len(u64::MAX - 70_000, u16::MAX), None);
        assert_eq!(Alignment::DEFAULT.slot_len(MAX_FILE_LEN, 0), None);
    }
}
