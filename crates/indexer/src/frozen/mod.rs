//! The frozen index: an immutable hash table in the log itself, read through the memory map.
//!
//! # Layout
//!
//! The payload of an index slot is an array of 64-byte lines: a header, buckets, and records.
//! `docs/format.md` of the project describes the fields.
//!
//! - A *bucket* holds up to eight words of 56 bits. The low bits are the block where a slot ends,
//!   the others a tag cut from the mixed hash. The top bytes of the words stand together, so that
//!   all are compared at once. The bucket of a hash is the high half of the product
//!   of its mixed hash and the number of buckets (multiply-shift; Lemire, "Fast Random Integer
//!   Generation in an Interval", 2019). An entry that does not fit goes into one of the next
//!   buckets, and all entries are kept in the order of their buckets (linear probing in the order
//!   of Amble and Knuth's ordered tables; Knuth, volume 3, section 6.4).
//! - A *record* holds the chains of a hash that has several, sorted by a secret hash of their keys.
//!
//! Hashes are mixed with secrets of the file by a bijection. Since the file grows along with the
//! table, a word always has room for the bits of the mixed hash that its bucket does not determine.
//! A larger table can therefore be made from a smaller one without reading the keys in the log; see
//! `position.rs`.
//!
//! # Tables on tables
//!
//! A table can build on older ones. It then holds only the hashes written since those were made,
//! with all chains of these hashes, and look-ups of other hashes go on to the older tables. So the
//! index of a large store can be brought up to date often and cheaply. Tables are merged from time
//! to time.
//!
//! A merge of large tables takes a while, during which newer tables are made. So a table does not
//! name the tables it is used with. The log does; see
//! [`Barrier::tables`](simd_r_drive_entry_handle::Barrier::tables).
//!
//! # Damage
//!
//! Every line carries a check over its bytes, its number and its table, and is used only if the
//! check is right. A process makes the check once per line. A line that is damaged, was never
//! written, or whose space was given back is never taken to mean that a key does not exist.
//! Instead, the index is rebuilt from the log, in memory.

mod build;
mod build_error;
mod check;
mod find;
mod group;
mod header;
mod line;
mod merge;
mod place;
mod position;
mod reader;

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;
use simd_r_drive_entry_handle::{Block, CheckedSet, Layout, Map};

use self::header::{HEADER_LEN, Header};
use self::line::{Bucket, LINE_LEN, Line};
use self::position::Geometry;
use crate::indexer::KeyIndexer;

pub use self::build::BuiltTable;
pub(crate) use self::build::{Build, TableSize, record_lines_of};
pub use self::build_error::BuildError;
pub(crate) use self::find::{Candidate, Failure, Held, Likely};

/// How many buckets an entry may be away from its own. A larger distance means damage or forgery.
const MAX_DISPLACEMENT: u64 = 64;

/// A hash table in the log, read in place.
///
/// It answers for all slots below its own. [`LayeredIndex`](crate::LayeredIndex) searches it.
pub struct FrozenIndex {
    map: Arc<Map>,
    /// Where the table starts, in bytes.
    start: u64,
    /// Where its slot ends, in bytes.
    end: u64,
    header: Header,
    geometry: Geometry,
    fingerprint_seed: u64,
    check_seed: u64,
    /// The lines whose check was found right.
    checked: CheckedSet,
    /// The index of the same slots in memory, built once a damaged line has been found.
    rebuilt: OnceLock<KeyIndexer>,
    rebuilding: Mutex<()>,
}

/// When the check of a line is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// When a reader first uses the line, unless the table was opened so that each use checks it. A
    /// line that changes later can make a key look absent, for as long as the store is open.
    Once,
    /// At each use: for the writer, since what it stores depends on the answer.
    Always,
}

/// A line is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineDamaged;

impl FrozenIndex {
    /// Opens the table of `len` bytes in the payload of the index slot from `start` to `end`.
    /// `None` if there is no valid table, because it was never completed, is damaged, or was given
    /// back.
    ///
    /// The check of a line is made when the line is first used, or, with `always_checks`, at each
    /// use.
    ///
    /// # Costs
    ///
    /// Reads the first line. Reserves a bit of memory per line, which is used as lines are.
    pub fn open(
        map: Arc<Map>,
        layout: &Layout,
        start: u64,
        len: u64,
        end: u64,
        always_checks: bool,
    ) -> Option<Self> {
        let check_seed = check_seed(layout, start);
        let mut line = [0; HEADER_LEN];
        for (bytes, number) in line.as_chunks_mut().0.iter_mut().zip(map.block(start)?.numbers()) {
            *bytes = number.to_le_bytes();
        }
        let header = Header::decode(&line, check_seed)?;
        let lines = len / LINE_LEN;
        let header = header.fits(lines).then_some(header)?;
        let geometry = Geometry::new(header.buckets, block_bits(start, lines))
            .with_tag_bits(header.tag_bits.into())?;
        Some(Self {
            map,
            start,
            end,
            header,
            geometry,
            fingerprint_seed: fingerprint_seed(layout),
            check_seed,
            checked: CheckedSet::new(if always_checks { 0 } else { lines }),
            rebuilt: OnceLock::new(),
            rebuilding: Mutex::new(()),
        })
    }

    /// The tail up to which this table answers, together with the older tables.
    pub fn tail(&self) -> u64 {
        self.header.tail
    }

    /// Where the table and its slot start, in bytes.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Where the slot of the table ends, in bytes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether the table holds every hash of the log up to its tail, and so needs no older table.
    pub fn is_complete(&self) -> bool {
        self.header.is_complete
    }

    /// Hashes in the table.
    pub fn hashes(&self) -> u64 {
        self.header.hashes
    }

    /// Number of record lines.
    pub(crate) fn record_lines(&self) -> u64 {
        self.header.record_lines
    }

    /// Length of the table in bytes.
    pub fn table_bytes(&self) -> u64 {
        self.header.lines().saturating_mul(LINE_LEN)
    }

    /// Whether this index was rebuilt in memory because of a damaged line.
    pub fn is_rebuilt(&self) -> bool {
        self.rebuilt.get().is_some()
    }

    /// Line `number`, if its check is right.
    #[inline]
    fn line(&self, number: u64) -> Result<Line, LineDamaged> {
        let numbers = self.block(number)?.numbers();
        Line::decode(numbers, number, self.check_seed).ok_or(LineDamaged)
    }

    #[inline]
    fn block(&self, number: u64) -> Result<Block<'_>, LineDamaged> {
        let offset = self.start.wrapping_add(number.wrapping_mul(LINE_LEN));
        self.map.block(offset).ok_or(LineDamaged)
    }

    #[cold]
    fn check_line(&self, block: Block<'_>, number: u64) -> Result<(), LineDamaged> {
        Line::decode(block.numbers(), number, self.check_seed).ok_or(LineDamaged)?;
        self.checked.insert(number);
        Ok(())
    }

    /// A bucket, for look-ups. Space that is given back later reads as zeros; see
    /// [`Bucket::counts`].
    #[inline]
    fn bucket(&self, number: u64, checks: Checks) -> Result<Bucket<'_>, LineDamaged> {
        let number = header::FIRST_BUCKET + number;
        let block = self.block(number)?;
        if checks == Checks::Always || !self.checked.contains(number) {
            self.check_line(block, number)?;
        }
        Ok(Bucket::new(block))
    }

    /// Makes look-ups check each line again when they next use it.
    pub fn forget_checks(&self) {
        self.checked.clear();
    }

    /// The line of a bucket.
    #[inline]
    fn bucket_line(&self, number: u64) -> Result<Line, LineDamaged> {
        self.line(header::FIRST_BUCKET + number)
    }

    /// Prefetches the bucket of a mixed hash.
    #[inline]
    pub(crate) fn prefetch(&self, mixed: u64) {
        self.map.prefetch_block(self.line_offset(mixed));
    }

    /// Asks the system for the lines of the buckets of mixed hashes. Returns whether any were not
    /// in memory.
    pub(crate) fn fetch(&self, mixed: impl Iterator<Item = u64>) -> bool {
        let mut offsets: Vec<u64> = mixed.map(|mixed| self.line_offset(mixed)).collect();
        self.map.fetch_blocks(&mut offsets)
    }

    /// Where the line of the bucket of a mixed hash starts in the file.
    #[inline]
    fn line_offset(&self, mixed: u64) -> u64 {
        let number = header::FIRST_BUCKET + self.geometry.bucket(mixed);
        self.start + number * LINE_LEN
    }
}

impl fmt::Debug for FrozenIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrozenIndex")
            .field("start", &self.start)
            .field("header", &self.header)
            .field("is_rebuilt", &self.is_rebuilt())
            .finish_non_exhaustive()
    }
}

/// The seed of the fingerprints that distinguish keys of one hash.
fn fingerprint_seed(layout: &Layout) -> u64 {
    layout.derived_secret(b"index fingerprint")
}

/// The seed of a table's line checks. Differs for each table of a file.
fn check_seed(layout: &Layout, start: u64) -> u64 {
    layout.derived_secret(b"index line") ^ start
}

/// How many bits of a word are needed for a block of the log before `start`, or for a line of the
/// table.
fn block_bits(start: u64, lines: u64) -> u32 {
    let largest = (start / BLOCK_SIZE).max(lines);
    u64::BITS - largest.leading_zeros()
}
