//! One line of a table: 64 bytes with a check.

use simd_r_drive_entry_handle::Block;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Length of a line in bytes.
pub(crate) const LINE_LEN: u64 = 64;

/// Words per bucket.
pub(crate) const WORDS: usize = 8;

/// Length of a line's content in bytes: all but its first number.
pub(crate) const CONTENT_LEN: usize = LINE_LEN as usize - 8;

/// The maximum number of entries of a bucket that can be stored in later ones.
pub(crate) const MAX_OVERFLOW: usize = 254;

/// Bits of a word below its first byte, which stands apart.
const REST_BITS: u32 = 48;

type Bytes = [u8; LINE_LEN as usize];

/// A line as eight little-endian numbers.
///
/// The first one holds its counts and its check. In a bucket, the second one holds the highest byte
/// of each word, so that all words are compared with a tag at once. The next two hold 16 further
/// bits of each word, the last four the low 32 bits.
#[derive(Clone, Copy)]
pub(crate) struct Line([u64; 8]);

/// A bucket's line in the log, of which a look-up reads only the numbers that it needs.
#[derive(Clone, Copy)]
pub(super) struct Bucket<'a>(Block<'a>);

/// The first number of a line.
#[derive(Clone, Copy)]
pub(crate) struct Counts(u64);

impl Counts {
    /// Whether the line is not zeros, like space that was never written or was given back.
    #[inline]
    fn is_written(self) -> bool {
        self.0 & 0xFF_0000 != 0
    }

    #[inline]
    pub(crate) fn is_group(self, at: usize) -> bool {
        (self.0 >> at) & 1 != 0
    }

    /// How many words the bucket holds.
    #[inline]
    pub(crate) fn words(self) -> usize {
        ((self.0 >> 8 & 0xF) as usize).min(WORDS)
    }

    /// How many of them, counted from the first, belong to earlier buckets.
    #[inline]
    pub(crate) fn displaced(self) -> usize {
        ((self.0 >> 12 & 0xF) as usize).min(self.words())
    }

    /// How many entries of this bucket are stored in later ones.
    #[inline]
    pub(crate) fn overflow(self) -> usize {
        ((self.0 >> 16 & 0xFF) as usize).saturating_sub(1)
    }

    #[inline]
    fn check(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    fn without_check(self) -> u64 {
        self.0 & u64::from(u32::MAX)
    }
}

impl<'a> Bucket<'a> {
    #[inline]
    pub(super) fn new(block: Block<'a>) -> Self {
        Self(block)
    }

    /// See [`words_like`].
    #[inline]
    pub(super) fn words_like(self, word: u64) -> u64 {
        words_like(self.0.number(1), word)
    }

    #[inline]
    pub(super) fn word(self, at: usize) -> u64 {
        word_at(|number| self.0.number(number), at)
    }

    /// The counts. Call this last: `None` means that the space was given back meanwhile, so nothing
    /// that was read before counts.
    #[inline]
    pub(super) fn counts(self) -> Option<Counts> {
        let counts = Counts(self.0.first_at_last());
        counts.is_written().then_some(counts)
    }
}

impl Line {
    /// Line `number`, if it was ever written and its check is right.
    pub(crate) fn decode(line: [u64; 8], number: u64, seed: u64) -> Option<Self> {
        let line = Self::written(line)?;
        (line.counts().check() == line.check(number, seed)).then_some(line)
    }

    /// A line, if it was ever written.
    #[inline]
    pub(crate) fn written(line: [u64; 8]) -> Option<Self> {
        let line = Self(line);
        line.counts().is_written().then_some(line)
    }

    /// The bytes, with their check.
    pub(crate) fn seal(self, number: u64, seed: u64) -> Bytes {
        let check = self.check(number, seed);
        Self::bytes(&Self::with_first(
            self.0,
            self.counts().without_check() | u64::from(check) << 32,
        ))
    }

    fn bytes(line: &[u64; 8]) -> Bytes {
        let mut bytes = [0; LINE_LEN as usize];
        for (bytes, number) in bytes.as_chunks_mut().0.iter_mut().zip(line) {
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

    fn with_first(mut line: [u64; 8], first: u64) -> [u64; 8] {
        line[0] = first;
        line
    }

    #[inline]
    pub(crate) fn counts(&self) -> Counts {
        Counts(self.0[0])
    }

    #[inline]
    fn check(&self, number: u64, seed: u64) -> u32 {
        // An odd multiplier spreads consecutive numbers.
        let seed = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            ^ self.counts().without_check();
        xxh3_64_with_seed(&self.content(), seed) as u32
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
        let mut line = [0; 8];
        let counts = (count | (displaced << 4)) as u64;
        line[0] = u64::from(groups) | counts << 8 | (overflow as u64 + 1) << 16;
        for (at, word) in words.iter().enumerate() {
            line[1] |= (word >> REST_BITS) << (8 * at);
            line[2 + at / 4] |= (word >> 32 & 0xFFFF) << (16 * (at % 4));
            line[4 + at / 2] |= (word & u64::from(u32::MAX)) << (32 * (at % 2));
        }
        Self(line)
    }

    /// A line that is not a bucket, with up to [`CONTENT_LEN`] bytes.
    pub(crate) fn record(content: &[u8]) -> Self {
        let mut bytes = [0; LINE_LEN as usize];
        bytes[8..][..content.len()].copy_from_slice(content);
        Self(Self::with_first(Self::numbers(&bytes), 1 << 16))
    }

    /// The content of a line made by [`Line::record`].
    #[inline]
    pub(crate) fn content(&self) -> [u8; CONTENT_LEN] {
        let mut content = [0; CONTENT_LEN];
        for (bytes, number) in content.as_chunks_mut().0.iter_mut().zip(&self.0[1..]) {
            *bytes = number.to_le_bytes();
        }
        content
    }

    #[inline]
    pub(crate) fn word(&self, at: usize) -> u64 {
        word_at(|number| self.0[number], at)
    }
}

#[inline]
fn word_at(number: impl Fn(usize) -> u64, at: usize) -> u64 {
    let high = number(1) >> (8 * at) & 0xFF;
    let middle = number(2 + at / 4) >> (16 * (at % 4)) & 0xFFFF;
    let low = number(4 + at / 2) >> (32 * (at % 2)) & u64::from(u32::MAX);
    high << REST_BITS | middle << 32 | low
}

/// Which words may have the highest byte of `word`, given the highest bytes of all: bit `8 * n + 7`
/// stands for word `n`. All that have it, and rarely one that does not, are in the result.
///
/// Finds zero bytes in a number ("Bit Twiddling Hacks", Sean Eron Anderson, 2005).
#[inline]
fn words_like(highest: u64, word: u64) -> u64 {
    const LOWEST: u64 = u64::MAX / 0xFF;
    let differing = highest ^ ((word >> REST_BITS) * LOWEST);
    differing.wrapping_sub(LOWEST) & !differing & (LOWEST << 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Bytes {
        let words = std::array::from_fn(|i| if i < 7 { word(i) } else { 0 });
        Line::bucket(&words, 1 << 2, 7, 2, 1).seal(7, 9)
    }

    /// All bytes of all words differ.
    fn word(number: usize) -> u64 {
        let first = 7 * number as u64;
        (0..7).map(|at| (first + at + 1) << (8 * at)).sum()
    }

    fn decode(bytes: Bytes, number: u64, seed: u64) -> Option<Line> {
        Line::decode(Line::numbers(&bytes), number, seed)
    }

    #[test]
    fn a_bucket_says_what_was_put_in() {
        let line = decode(sample(), 7, 9).unwrap();
        let counts = line.counts();
        assert_eq!((counts.words(), counts.displaced(), counts.overflow()), (7, 2, 1));
        assert!((0..7).all(|at| line.word(at) == word(at)));
        assert!(counts.is_group(2) && !counts.is_group(3));
        assert!((0..7).all(|at| words_like(line.0[1], word(at)) == 0x80 << (8 * at)));
        assert_eq!(words_like(line.0[1], 0xFF << 48), 0);
    }

    #[test]
    fn the_content_of_a_record_is_what_was_put_in() {
        let content: [u8; CONTENT_LEN] = std::array::from_fn(|at| at as u8);
        let line = decode(Line::record(&content).seal(3, 9), 3, 9).unwrap();
        assert_eq!(line.content(), content);
        assert_eq!(Line::record(&content[..5]).content()[..6], [0, 1, 2, 3, 4, 0]);
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
