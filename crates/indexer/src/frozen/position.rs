//! Where a hash is in a table, and how many bits of its hashes a table determines.

/// Bits of a word in a bucket.
pub(crate) const WORD_BITS: u32 = 56;

/// With a shorter tag, too many keys would be compared in vain.
const TAG_BITS_MIN: u32 = 16;

/// How mixed hashes are split into a bucket and a tag.
///
/// Let `q` be the largest number for which 2^q does not exceed the number of buckets, and `t` the
/// number of bits of a word not used for the block. The tag is bits `q` to `q + t` of the mixed
/// hash, counted from the top. The `q` bits above it follow, almost always, from the bucket, which
/// is known from the position of the word; see [`Span::prefix`].
///
/// When a table grows, `q` grows no faster than the log does, since every key takes at least a
/// block, and `t` shrinks as the log grows. So `q + t`, the number of known bits, also suffices for
/// the larger table. (Both are whole numbers, so a table's tag may be one bit shorter than there is
/// room for.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    buckets: u64,
    block_bits: u32,
    quotient_bits: u32,
    tag_bits: u32,
}

/// What a table determines of a mixed hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// The known bits, from the top, followed by zeros.
    pub(crate) bits: u64,
    /// How many bits are known.
    pub(crate) len: u32,
}

impl Prefix {
    /// A mixed hash that is known completely.
    pub(crate) fn whole(mixed: u64) -> Self {
        Self { bits: mixed, len: u64::BITS }
    }

    /// Whether two mixed hashes with these prefixes may be the same.
    pub(crate) fn may_equal(self, other: Self) -> bool {
        let known = self.len.min(other.len);
        (self.bits ^ other.bits).checked_shr(u64::BITS - known).unwrap_or(0) == 0
    }

    /// The largest mixed hash with this prefix.
    #[inline]
    pub(crate) fn last(self) -> u64 {
        self.bits | u64::MAX.checked_shr(self.len).unwrap_or(0)
    }
}

impl Geometry {
    /// With the longest tag there is room for.
    pub(crate) fn new(buckets: u64, block_bits: u32) -> Self {
        let quotient_bits = buckets.max(1).ilog2();
        let tag_bits = WORD_BITS.saturating_sub(block_bits).min(u64::BITS - quotient_bits).max(1);
        Self { buckets, block_bits, quotient_bits, tag_bits }
    }

    /// With a tag of the given length; `None` if there is no room for it.
    pub(crate) fn with_tag_bits(self, tag_bits: u32) -> Option<Self> {
        (1..=self.tag_bits).contains(&tag_bits).then_some(Self { tag_bits, ..self })
    }

    /// With the longest tag there is room for, or with the shorter one for which `older` determines
    /// enough bits of its hashes, if that is still long enough to tell keys apart.
    pub(crate) fn made_from(self, older: Self) -> Self {
        let known = (older.quotient_bits + older.tag_bits).saturating_sub(self.quotient_bits);
        let tag_bits = self.tag_bits.min(known);
        self.with_tag_bits(tag_bits).filter(|_| tag_bits >= TAG_BITS_MIN).unwrap_or(self)
    }

    pub(crate) fn tag_bits(&self) -> u32 {
        self.tag_bits
    }

    #[inline]
    pub(crate) fn bucket(&self, mixed: u64) -> u64 {
        ((u128::from(mixed) * u128::from(self.buckets)) >> 64) as u64
    }

    #[inline]
    pub(crate) fn tag(&self, mixed: u64) -> u64 {
        (mixed << self.quotient_bits) >> (u64::BITS - self.tag_bits)
    }

    /// A tag at its position in a word.
    #[inline]
    pub(crate) fn tag_in_word(&self, mixed: u64) -> u64 {
        self.tag(mixed) << self.block_bits
    }

    /// A word: a tag, and a block or the number of a line.
    #[inline]
    pub(crate) fn word(&self, mixed: u64, block: u64) -> u64 {
        self.tag_in_word(mixed) | block
    }

    #[inline]
    pub(crate) fn block(&self, word: u64) -> u64 {
        word & !(u64::MAX << self.block_bits)
    }

    /// The mask of the tag in a word.
    #[inline]
    pub(crate) fn tag_mask(&self) -> u64 {
        u64::MAX << self.block_bits
    }

    /// The spans of all buckets, from the first one on.
    pub(crate) fn spans(&self) -> Spans {
        let buckets = self.buckets.max(1);
        let all = u128::from(u64::MAX) + 1;
        Spans {
            geometry: *self,
            bucket: 0,
            first: 0,
            remainder: 0,
            step: all / u128::from(buckets),
            step_remainder: (all % u128::from(buckets)) as u64,
        }
    }

    /// The number of bits of a mixed hash that a word needs.
    #[inline]
    pub(crate) fn known_bits(&self) -> u32 {
        self.quotient_bits + self.tag_bits
    }

    /// The bucket of a prefix, if the known bits determine bucket and tag.
    #[inline]
    pub(crate) fn place(&self, prefix: Prefix) -> Option<u64> {
        let bucket = self.bucket(prefix.bits);
        let is_known = prefix.len >= self.known_bits() && bucket == self.bucket(prefix.last());
        is_known.then_some(bucket)
    }
}

/// The mixed hashes of one bucket: the known bits of the smallest and of the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    first: u64,
    last: u64,
    geometry: Geometry,
}

impl Span {
    /// What a word of the bucket determines of its mixed hash. `None` if the top bits are
    /// ambiguous.
    ///
    /// Call the numbers with the same `q` top bits a cell. The mixed hashes of a bucket are an
    /// interval no longer than a cell, so it lies in one cell or in two adjacent ones. The tag
    /// determines which, unless it is the tag at which the interval both begins in one cell and
    /// ends in the next.
    #[inline]
    pub(crate) fn prefix(&self, word: u64) -> Option<Prefix> {
        let Geometry { block_bits, tag_bits, .. } = self.geometry;
        let len = self.geometry.known_bits();
        let tag = word >> block_bits;
        let cell = self.first >> tag_bits;
        let low = (cell << tag_bits) | tag;
        let is_in_span = |bits: u64| (self.first..=self.last).contains(&bits);
        // There is no cell beyond the last one.
        let high =
            (cell + 1).checked_shl(tag_bits).filter(|bits| *bits > low).map(|bits| bits | tag);
        let bits = match (is_in_span(low), high.filter(|bits| is_in_span(*bits))) {
            (true, None) => low,
            (false, Some(high)) => high,
            _ => return None,
        };
        Some(Prefix { bits: bits << (u64::BITS - len), len })
    }
}

/// Iterates over the buckets of a table without a division for each.
///
/// The smallest mixed hash of bucket `b` is `b * 2^64 / buckets`, rounded up.
pub(crate) struct Spans {
    geometry: Geometry,
    bucket: u64,
    /// `bucket * 2^64 / buckets`, rounded down, and the remainder.
    first: u128,
    remainder: u64,
    step: u128,
    step_remainder: u64,
}

impl Spans {
    /// The span of `bucket`, which must not be less than in the previous call.
    pub(crate) fn of(&mut self, bucket: u64) -> Span {
        while self.bucket < bucket {
            (self.first, self.remainder) = self.next();
            self.bucket += 1;
        }
        let round_up = |(first, remainder): (u128, u64)| first + u128::from(remainder > 0);
        let (first, behind) = (round_up((self.first, self.remainder)), round_up(self.next()));
        let unit = u64::BITS - self.geometry.known_bits();
        Span {
            // The first hash of a bucket is below 2^64. For the end of the last bucket it is
            // exactly 2^64.
            first: (first >> unit) as u64,
            last: ((behind - 1) >> unit) as u64,
            geometry: self.geometry,
        }
    }

    fn next(&self) -> (u128, u64) {
        let buckets = self.geometry.buckets.max(1);
        let remainder = u128::from(self.remainder) + u128::from(self.step_remainder);
        let carry = remainder >= u128::from(buckets);
        let rest = if carry { remainder - u128::from(buckets) } else { remainder };
        (self.first + self.step + u128::from(carry), rest as u64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simd_r_drive_entry_handle::{Alignment, Identity, IdentitySeeds};

    use super::*;
    use crate::mix::Mixer;

    fn mixer(byte: u8) -> Mixer {
        let seeds = IdentitySeeds { store_id: [0; 16], file_id: [0; 16], seal_key: [byte; 16] };
        Mixer::of_file(&Identity::new(seeds, Alignment::DEFAULT, 0, 0).layout())
    }

    fn first_of(bucket: u64, buckets: u64) -> u128 {
        (u128::from(bucket) << 64).div_ceil(u128::from(buckets))
    }

    /// The span of any bucket.
    fn span(geometry: Geometry, bucket: u64) -> Span {
        let unit = u64::BITS - geometry.known_bits();
        Span {
            first: (first_of(bucket, geometry.buckets) >> unit) as u64,
            last: ((first_of(bucket + 1, geometry.buckets) - 1) >> unit) as u64,
            geometry,
        }
    }

    proptest! {
        #[test]
        fn a_walk_over_the_buckets_finds_their_spans(
            buckets in 1_u64..1 << 40, steps in prop::collection::vec(0_u64..40, 1..40),
        ) {
            let geometry = Geometry::new(buckets, 24);
            let mut spans = geometry.spans();
            let mut bucket = 0;
            for step in steps {
                bucket = (bucket + step).min(buckets - 1);
                prop_assert_eq!(spans.of(bucket), span(geometry, bucket));
            }
        }

        #[test]
        fn a_word_and_its_bucket_tell_the_prefix_or_nothing_but_never_another(
            mixed: u64, buckets in 1_u64..1 << 36, block_bits in 9_u32..=40,
        ) {
            let geometry = Geometry::new(buckets, block_bits);
            let bucket = geometry.bucket(mixed);
            prop_assert!(bucket < buckets);
            if let Some(prefix) = span(geometry, bucket).prefix(geometry.word(mixed, 5)) {
                prop_assert!((prefix.bits..=prefix.last()).contains(&mixed));
            }
        }

        #[test]
        fn what_is_known_of_a_hash_suffices_for_a_table_that_grows_as_the_log_does(
            mixed: u64, buckets in 1_u64..1 << 30, growth in 0_u64..1 << 10, shift in 0_u32..8,
        ) {
            let small = Geometry::new(buckets, 31);
            let Some(prefix) = span(small, small.bucket(mixed)).prefix(small.word(mixed, 5)) else { return Ok(()) };
            let grown = (buckets << shift) + buckets * growth / 1024;
            // The log grows by the same factor as the table, or by more.
            let large = Geometry::new(grown, 31 + shift + 1).made_from(small);
            prop_assert!(prefix.len >= large.quotient_bits + large.tag_bits);
            if let Some(bucket) = large.place(prefix) {
                prop_assert_eq!(bucket, large.bucket(mixed));
                prop_assert_eq!(large.tag(prefix.bits), large.tag(mixed));
            }
        }
    }

    #[test]
    fn few_places_are_ambiguous() {
        let geometry = Geometry::new(1_562_501, 24);
        let mixer = mixer(3);
        let unknown = (0..200_000_u64)
            .filter(|hash| {
                let mixed = mixer.mix(*hash);
                span(geometry, geometry.bucket(mixed)).prefix(geometry.word(mixed, 1)).is_none()
            })
            .count();
        assert!(unknown <= 2, "{unknown} of 200,000");
    }

    /// Chi-square over buckets, per bucket: about 1 for random numbers.
    #[test]
    fn patterned_hashes_spread_whatever_the_secret_is() {
        const BUCKETS: u64 = 1 << 10;
        const N: u64 = 1 << 14;
        type Family = (&'static str, fn(u64) -> u64);
        let families: [Family; 5] = [
            ("1, 2, 3", |i| i),
            ("multiples of 64", |i| i << 6),
            ("low half empty", |i| i << 32),
            ("high bits only", |i| i << 50),
            ("just below the top", |i| u64::MAX - i),
        ];
        for secret in 0..=255 {
            let mixer = mixer(secret);
            let geometry = Geometry::new(BUCKETS, 24);
            for (name, hash) in families {
                let mut counts = vec![0_u64; BUCKETS as usize];
                let mut low_tags = vec![0_u64; 256];
                for i in 0..N {
                    let mixed = mixer.mix(hash(i));
                    counts[geometry.bucket(mixed) as usize] += 1;
                    low_tags[(geometry.tag(mixed) & 255) as usize] += 1;
                }
                for counts in [counts, low_tags] {
                    let mean = N as f64 / counts.len() as f64;
                    let spread =
                        counts.iter().map(|c| (*c as f64 - mean).powi(2) / mean).sum::<f64>()
                            / counts.len() as f64;
                    assert!(spread < 2.0, "{name}, secret {secret}: {spread}");
                }
            }
        }
    }
}
