//! The seal that binds a slot to its file, its place and its predecessor.

use std::fmt;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Computes seals with the secret of one file.
///
/// The seal of a slot is `H = XXH3-64(key ‖ trailer[0..24])`, seeded by the file's secret and the
/// offset at which the slot ends. The trailer stores its low half as `self`, and its high half XOR
/// the predecessor's `self` as `link`. So bytes from elsewhere (a nested store, an older tail, a
/// misdirected write) are not mistaken for a slot, and a slot is not mistaken for the successor of
/// another.
///
/// Someone who supplies payloads cannot forge slots, because they do not know the secret. Someone
/// who can read the file can: XXH3 is not a cryptographic MAC.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sealer {
    multiplier: u64,
    offset_mask: u64,
}

impl Sealer {
    pub(crate) fn new(secret: [u8; 16]) -> Self {
        let [a, b] = split(secret);
        Self { multiplier: b | 1, offset_mask: a }
    }

    /// The seal of a slot that ends at `end`. `key_and_fields` are its key and the first 24 bytes
    /// of its trailer, which are adjacent in the file.
    #[inline]
    pub fn seal(&self, key_and_fields: &[u8], end: u64) -> Seal {
        // A folded multiply spreads the offset over all bits of the seed, and costs one or two
        // instructions.
        let product = u128::from(end ^ self.offset_mask).wrapping_mul(u128::from(self.multiplier));
        let seed = (product as u64) ^ ((product >> 64) as u64) ^ self.multiplier;
        Seal(xxh3_64_with_seed(key_and_fields, seed))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(secret)")
    }
}

/// The 64-bit seal of one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal(pub u64);

impl Seal {
    /// What the slot's trailer stores as `self`. The successor's `link` refers to it.
    #[inline]
    pub const fn self_half(self) -> u32 {
        self.0 as u32
    }

    /// What the slot's trailer stores as `link` if the slot follows one whose `self` is
    /// `predecessor`.
    #[inline]
    pub const fn link(self, predecessor: u32) -> u32 {
        self.high_half() ^ predecessor
    }

    /// How it is stored: `self` and `link`.
    #[inline]
    pub(crate) const fn encode(self, predecessor: u32) -> [u8; 8] {
        let link = self.link(predecessor) as u64;
        (self.self_half() as u64 | link << 32).to_le_bytes()
    }

    /// The `self` of the slot that this one claims to follow, from its stored `link`.
    #[inline]
    pub const fn predecessor(self, link: u32) -> u32 {
        self.high_half() ^ link
    }

    #[inline]
    const fn high_half(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

fn split(secret: [u8; 16]) -> [u64; 2] {
    let wide = u128::from_le_bytes(secret);
    [wide as u64, (wide >> 64) as u64]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seal_depends_on_secret_offset_and_every_bit() {
        let bytes: Vec<u8> = (0..40).collect();
        let sealer = Sealer::new([7; 16]);
        let seal = sealer.seal(&bytes, 16_448);
        assert_ne!(seal, Sealer::new([8; 16]).seal(&bytes, 16_448));
        assert_ne!(seal, sealer.seal(&bytes, 16_512));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(seal, sealer.seal(&flipped, 16_448), "bit {bit}");
        }
    }

    #[test]
    fn link_names_its_predecessor() {
        let seal = Seal(0x0123_4567_89ab_cdef);
        assert_eq!(seal.predecessor(seal.link(0xdead_beef)), 0xdead_beef);
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Sealer::new([0xab; 16])), "Sealer(secret)");
    }
}
