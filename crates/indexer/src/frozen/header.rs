//! The first line of a table.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::MAX_DISPLACEMENT;
use super::line::{LINE_LEN, WORDS};

const MAGIC: [u8; 7] = *b"SRDINDX";

/// The number of the line that holds the first bucket.
pub(crate) const FIRST_BUCKET: u64 = 1;

/// Length of the header in bytes: one line.
pub(crate) const HEADER_LEN: usize = LINE_LEN as usize;

const AT_TAG_BITS: usize = 7;
const AT_IS_COMPLETE: usize = 40;
const AT_CHECK: usize = HEADER_LEN - 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bits of a tag.
    pub(crate) tag_bits: u8,
    pub(crate) buckets: u64,
    /// Number of record lines.
    pub(crate) record_lines: u64,
    /// Hashes in the table.
    pub(crate) hashes: u64,
    /// This table and the older ones answer for the log up to here. It is where the slot of the
    /// table starts, or, for a table merged from tables alone, the tail of the newest of them.
    pub(crate) tail: u64,
    /// Whether the table holds every hash of the log up to its tail, and so needs no older table.
    pub(crate) is_complete: bool,
}

/// Number of lines of a table.
pub(crate) fn lines(buckets: u64, record_lines: u64) -> u64 {
    first_record(buckets).saturating_add(record_lines)
}

fn first_record(buckets: u64) -> u64 {
    buckets.saturating_add(MAX_DISPLACEMENT).saturating_add(FIRST_BUCKET)
}

impl Header {
    /// Number of bucket lines. Some more than the buckets that hashes map to, to take the overflow
    /// of the last ones.
    pub(crate) fn bucket_lines(&self) -> u64 {
        self.buckets.saturating_add(MAX_DISPLACEMENT)
    }

    /// The number of the first record line.
    pub(crate) fn first_record(&self) -> u64 {
        first_record(self.buckets)
    }

    /// Number of lines of the table.
    pub(crate) fn lines(&self) -> u64 {
        lines(self.buckets, self.record_lines)
    }

    pub(crate) fn fits(&self, lines: u64) -> bool {
        let most_hashes = self.bucket_lines().saturating_mul(WORDS as u64);
        self.buckets > 0 && self.lines() == lines && self.hashes <= most_hashes
    }

    /// Decodes the line; `None` if its check is wrong.
    pub(crate) fn decode(line: &[u8; HEADER_LEN], seed: u64) -> Option<Self> {
        let field = |number: usize| {
            let bytes = line.get(number * 8..).and_then(<[u8]>::first_chunk);
            bytes.map(|bytes| u64::from_le_bytes(*bytes))
        };
        let is_right = field(AT_CHECK / 8)? == check(line, seed) && line.starts_with(&MAGIC);
        let header = Self {
            tag_bits: line[AT_TAG_BITS],
            buckets: field(1)?,
            record_lines: field(2)?,
            hashes: field(3)?,
            tail: field(4)?,
            is_complete: line[AT_IS_COMPLETE] == 1,
        };
        is_right.then_some(header)
    }

    pub(crate) fn encode(&self, seed: u64) -> [u8; HEADER_LEN] {
        let Self { buckets, record_lines, hashes, tail, .. } = *self;
        let mut line = [0; HEADER_LEN];
        line[..AT_TAG_BITS].copy_from_slice(&MAGIC);
        line[AT_TAG_BITS] = self.tag_bits;
        for (number, field) in [buckets, record_lines, hashes, tail].iter().enumerate() {
            line[8 + number * 8..16 + number * 8].copy_from_slice(&field.to_le_bytes());
        }
        line[AT_IS_COMPLETE] = u8::from(self.is_complete);
        let check = check(&line, seed);
        line[AT_CHECK..].copy_from_slice(&check.to_le_bytes());
        line
    }
}

fn check(line: &[u8; HEADER_LEN], seed: u64) -> u64 {
    xxh3_64_with_seed(&line[..AT_CHECK], seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        for is_complete in [false, true] {
            let header = Header {
                tag_bits: 9,
                buckets: 1,
                record_lines: 2,
                hashes: 3,
                tail: 640,
                is_complete,
            };
            let line = header.encode(11);
            assert_eq!(Header::decode(&line, 11), Some(header.clone()));
            assert_eq!(Header::decode(&line, 12), None);
            assert_eq!(Header::decode(&[0; HEADER_LEN], 0), None);
            for bit in 0..HEADER_LEN * 8 {
                let mut flipped = line;
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Header::decode(&flipped, 11), None, "bit {bit}");
            }
        }
    }
}
