//! The first two lines of a table.

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::MAX_DISPLACEMENT;

const MAGIC: [u8; 7] = *b"SRDINDX";

/// Number of the line that holds the first bucket.
pub(crate) const FIRST_BUCKET: u64 = 2;

/// Length of the header in bytes.
pub(crate) const HEADER_LEN: usize = 128;

const AT_CHECK: usize = HEADER_LEN - 8;
const AT_COUNT: usize = 72;
const AT_POSITION: usize = 73;
const AT_LIST: usize = 74;

/// Length of the number of a block in the list of tables, in bytes.
const BLOCK_LEN: usize = 5;

/// Most tables that answer together.
pub(crate) const TABLES_MAX: usize = 1 + (AT_CHECK - AT_LIST) / BLOCK_LEN;

/// How much of a log is live, at the tail that a table answers for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrozenTotals {
    /// Live keys.
    pub live_keys: u64,
    /// Slots that hold no live value: older versions and tombstones.
    pub dead_slots: u64,
    /// Bytes of those slots.
    pub dead_bytes: u64,
}

/// The tables that answer together with one, by the ends of their slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Company {
    /// Those that are asked before it, newest first.
    pub(crate) newer: Vec<u64>,
    /// Those that are asked after it, newest first.
    pub(crate) older: Vec<u64>,
}

impl Company {
    fn decode(lines: &[u8; HEADER_LEN]) -> Option<Self> {
        let (count, position) = (usize::from(lines[AT_COUNT]), usize::from(lines[AT_POSITION]));
        let list = lines.get(AT_LIST..AT_CHECK)?.chunks_exact(BLOCK_LEN).take(count);
        let mut newer: Vec<u64> = list
            .map(|bytes| {
                let mut block = [0; 8];
                block[..BLOCK_LEN].copy_from_slice(bytes);
                u64::from_le_bytes(block) * BLOCK_SIZE
            })
            .collect();
        (newer.len() == count && position <= count).then(|| {
            let older = newer.split_off(position);
            Self { newer, older }
        })
    }

    fn encode(&self, lines: &mut [u8; HEADER_LEN]) {
        let list = self.newer.iter().chain(&self.older);
        let places = lines[AT_LIST..AT_CHECK].chunks_exact_mut(BLOCK_LEN);
        for (end, place) in list.zip(places) {
            place.copy_from_slice(&(end / BLOCK_SIZE).to_le_bytes()[..BLOCK_LEN]);
        }
        // Plans see to it that there are never more.
        lines[AT_COUNT] = (self.newer.len() + self.older.len()) as u8;
        lines[AT_POSITION] = self.newer.len() as u8;
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) buckets: u64,
    /// Bits of a tag.
    pub(crate) tag_bits: u8,
    /// Lines of records of groups.
    pub(crate) record_lines: u64,
    /// Hashes in this table.
    pub(crate) hashes: u64,
    /// At most so many hashes are in this table and its company.
    pub(crate) all_hashes: u64,
    /// For the log up to here, this table and the older ones answer: where its slot starts, or, if it was merged from
    /// tables alone, the tail of the newest of them.
    pub(crate) tail: u64,
    /// How much of the log up to there is live.
    pub(crate) totals: FrozenTotals,
    pub(crate) company: Company,
}

/// Lines of a table.
pub(crate) fn lines(buckets: u64, record_lines: u64) -> u64 {
    first_record(buckets).saturating_add(record_lines)
}

fn first_record(buckets: u64) -> u64 {
    buckets.saturating_add(MAX_DISPLACEMENT).saturating_add(FIRST_BUCKET)
}

impl Header {
    /// Lines that hold buckets: there are some more than hashes choose from, for what the last ones cannot take.
    pub(crate) fn bucket_lines(&self) -> u64 {
        self.buckets.saturating_add(MAX_DISPLACEMENT)
    }

    /// Number of the line with which the records begin.
    pub(crate) fn first_record(&self) -> u64 {
        first_record(self.buckets)
    }

    /// Lines of the table.
    pub(crate) fn lines(&self) -> u64 {
        lines(self.buckets, self.record_lines)
    }

    pub(crate) fn fits(&self, lines: u64) -> bool {
        self.buckets > 0 && self.lines() == lines
    }

    /// Believes the lines if their check is right.
    pub(crate) fn decode(lines: &[u8; HEADER_LEN], seed: u64) -> Option<Self> {
        let field = |number: usize| {
            let bytes = lines.get(number * 8..).and_then(<[u8]>::first_chunk);
            bytes.map(|bytes| u64::from_le_bytes(*bytes))
        };
        let is_right = field(AT_CHECK / 8)? == check(lines, seed) && lines.starts_with(&MAGIC);
        let header = Self {
            buckets: field(1)?,
            tag_bits: lines[7],
            record_lines: field(2)?,
            hashes: field(3)?,
            all_hashes: field(4)?,
            tail: field(5)?,
            totals: FrozenTotals {
                live_keys: field(6)?,
                dead_slots: field(7)?,
                dead_bytes: field(8)?,
            },
            company: Company::decode(lines)?,
        };
        is_right.then_some(header)
    }

    pub(crate) fn encode(&self, seed: u64) -> [u8; HEADER_LEN] {
        let FrozenTotals { live_keys, dead_slots, dead_bytes } = self.totals;
        let Self { buckets, record_lines, hashes, all_hashes, tail, .. } = *self;
        let fields =
            [buckets, record_lines, hashes, all_hashes, tail, live_keys, dead_slots, dead_bytes];
        let mut lines = [0; HEADER_LEN];
        lines[..7].copy_from_slice(&MAGIC);
        lines[7] = self.tag_bits;
        for (number, field) in fields.iter().enumerate() {
            lines[8 + number * 8..16 + number * 8].copy_from_slice(&field.to_le_bytes());
        }
        self.company.encode(&mut lines);
        let check = check(&lines, seed);
        lines[AT_CHECK..].copy_from_slice(&check.to_le_bytes());
        lines
    }
}

fn check(lines: &[u8; HEADER_LEN], seed: u64) -> u64 {
    xxh3_64_with_seed(&lines[..AT_CHECK], seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let totals = FrozenTotals { live_keys: 4, dead_slots: 5, dead_bytes: 6 };
        let header = Header {
            buckets: 1,
            tag_bits: 9,
            record_lines: 2,
            hashes: 3,
            all_hashes: 7,
            tail: 640,
            totals,
            company: Company { newer: vec![512], older: vec![448, 64 << 39] },
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
