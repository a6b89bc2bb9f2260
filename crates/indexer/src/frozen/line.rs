//! One line of a table: 64 bytes with a check.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Length of a line in bytes.
pub(crate) const LINE_LEN: u64 = 64;

/// Words per bucket.
pub(crate) const WORDS: usize = 8;

const WORD_LEN: usize = 7;
const WORD_MASK: u64 = (1 << (8 * WORD_LEN)) - 1;

const AT_GROUPS: usize = WORDS * WORD_LEN;
const AT_COUNTS: usize = AT_GROUPS + 1;
const AT_OVERFLOW: usize = AT_GROUPS + 2;
const AT_CHECK: usize = 60;

/// The maximum number of entries of a bucket that can be stored in later ones.
pub(crate) const MAX_OVERFLOW: usize = 254;

type Bytes = [u8; LINE_LEN as usize];

/// A line whose check is right, as eight little-endian numbers, so that look-ups take its words
/// from registers.
#[derive(Clone, Copy)]
pub(crate) struct Line([u64; 8]);

impl Line {
    /// Decodes line `number`; `None` if its check is wrong. A line of zeros is never valid.
    #[inline]
    pub(crate) fn decode(line: [u64; 8], number: u64, seed: u64) -> Option<Self> {
        let line = Self(line);
        // This byte is nonzero in every written line, so zeros are rejected even if their check is
        // zero.
        let is_right =
            line.byte(AT_OVERFLOW) != 0 && line.stored_check() == line.check(number, seed);
        is_right.then_some(line)
    }

    /// The bytes, with their check.
    pub(crate) fn seal(self, number: u64, seed: u64) -> Bytes {
        let mut bytes = self.bytes();
        bytes[AT_CHECK..].copy_from_slice(&self.check(number, seed).to_le_bytes());
        bytes
    }

    #[inline]
    fn bytes(&self) -> Bytes {
        let mut bytes = [0; LINE_LEN as usize];
        for (bytes, number) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = number.to_le_bytes();
        }
        bytes
    }

    /// The bytes of a line as numbers.
    pub(super) fn numbers(bytes: &Bytes) -> [u64; 8] {
        let mut line = [0; 8];
        for (number, bytes) in line.iter_mut().zip(bytes.as_chunks().0) {
            *number = u64::from_le_bytes(*bytes);
        }
        line
    }

    fn from_bytes(bytes: &Bytes) -> Self {
        Self(Self::numbers(bytes))
    }

    /// One of the last eight bytes.
    #[inline]
    fn byte(&self, at: usize) -> u8 {
        (self.0[7] >> (8 * (at - AT_GROUPS))) as u8
    }

    #[inline]
    fn check(&self, number: u64, seed: u64) -> u32 {
        // An odd multiplier spreads consecutive numbers.
        let seed = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        xxh3_64_with_seed(&self.bytes()[..AT_CHECK], seed) as u32
    }

    #[inline]
    fn stored_check(&self) -> u32 {
        (self.0[7] >> 32) as u32
    }

    /// A bucket of these words. Those in `groups` are groups. The first `displaced` words belong to
    /// earlier buckets; `overflow` entries of this bucket are stored in later ones.
    #[inline]
    pub(crate) fn bucket(
        words: &[u64; WORDS],
        groups: u8,
        count: usize,
        displaced: usize,
        overflow: usize,
    ) -> Self {
        // See `word`.
        let mut line: [u64; 8] = std::array::from_fn(|number| {
            let next =
                words.get(number + 1).map_or(0, |next| next.wrapping_shl(56 - 8 * number as u32));
            (words[number] >> (8 * number)) | next
        });
        let counts = (count | (displaced << 4)) as u64;
        line[7] = u64::from(groups) | counts << 8 | (overflow as u64 + 1) << 16;
        Self(line)
    }

    /// A line that is not a bucket, with up to 57 bytes.
    pub(crate) fn record(content: &[u8]) -> Self {
        let mut bytes = [0; LINE_LEN as usize];
        bytes[..content.len()].copy_from_slice(content);
        bytes[AT_OVERFLOW] = 1;
        Self::from_bytes(&bytes)
    }

    /// The content of a line made by [`Line::record`].
    pub(crate) fn content(&self) -> [u8; AT_OVERFLOW] {
        let bytes = self.bytes();
        std::array::from_fn(|at| bytes[at])
    }

    #[inline]
    pub(crate) fn word(&self, number: usize) -> u64 {
        // A word is a byte shorter than a number, so each but the first begins in the number
        // before.
        let end = self.0[number] << (8 * number);
        let start = if number == 0 { 0 } else { self.0[number - 1] >> (64 - 8 * number) };
        (start | end) & WORD_MASK
    }

    /// A bit for each word, set if the word equals `wanted` in the bits of `mask`. Branch-free:
    /// takes the same time wherever the matches are.
    #[inline]
    pub(crate) fn words_like(&self, wanted: u64, mask: u64) -> u8 {
        let is_like = |number| u8::from(self.word(number) & mask == wanted) << number;
        (0..WORDS).map(is_like).fold(0, |found, bit| found | bit)
    }

    #[inline]
    pub(crate) fn is_group(&self, number: usize) -> bool {
        (self.byte(AT_GROUPS) >> number) & 1 != 0
    }

    /// How many words the bucket holds.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        usize::from(self.byte(AT_COUNTS) & 0xF).min(WORDS)
    }

    /// How many of them, counted from the first, belong to earlier buckets.
    #[inline]
    pub(crate) fn displaced(&self) -> usize {
        usize::from(self.byte(AT_COUNTS) >> 4).min(self.count())
    }

    /// How many entries of this bucket are stored in later ones.
    #[inline]
    pub(crate) fn overflow(&self) -> usize {
        usize::from(self.byte(AT_OVERFLOW)) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Bytes {
        let words =
            std::array::from_fn(|i| if i < 7 { (i as u64 + 1) * 0x0101_0101_0101 } else { 0 });
        Line::bucket(&words, 1 << 2, 7, 2, 1).seal(7, 9)
    }

    fn decode(bytes: Bytes, number: u64, seed: u64) -> Option<Line> {
        Line::decode(Line::from_bytes(&bytes).0, number, seed)
    }

    #[test]
    fn a_bucket_says_what_was_put_in() {
        let line = decode(sample(), 7, 9).unwrap();
        assert_eq!((line.count(), line.displaced(), line.overflow()), (7, 2, 1));
        assert!((0..7).all(|at| line.word(at) == (at as u64 + 1) * 0x0101_0101_0101));
        assert!(line.is_group(2) && !line.is_group(3));
        assert_eq!(line.words_like(0x02_0000, 0xFE_0000), 1 << 1 | 1 << 2);
    }

    #[test]
    fn every_flipped_bit_and_every_other_place_is_noticed() {
        for bit in 0..512 {
            let mut bytes = sample();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(bytes, 7, 9).is_none(), "bit {bit}");
        }
        assert!(decode(sample(), 8, 9).is_none());
        assert!(decode(sample(), 7, 10).is_none());
        assert!((0..1000).all(|number| decode([0; 64], number, 9).is_none()));
    }
}
