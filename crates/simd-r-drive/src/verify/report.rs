//! The result of a verification.

use std::fmt;
use std::ops::Range;

use simd_r_drive_entry_handle::Damage;
use simd_r_drive_entry_handle::constants::PAGE_SIZE;

/// The result of a verification. See [`DataStore::verify`](crate::DataStore::verify).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Number of live keys.
    pub live_keys: u64,
    /// Number of dead slots: older versions and tombstones.
    pub dead_slots: u64,
    /// Slots checked, including special ones.
    pub slots: u64,
    /// Bytes of values checked, including older versions.
    pub payload_bytes: u64,
    /// Lines of 64 bytes checked in the index in the file.
    pub index_lines: u64,
    /// Damaged places: pages of the header first, then the index, then the log from its end to its
    /// start.
    pub damaged: Vec<DamagedPlace>,
}

impl VerifyReport {
    /// Whether no damage was found.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
    }
}

/// Progress of a verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Bytes checked so far.
    pub done_bytes: u64,
    /// Bytes to check in total.
    pub total_bytes: u64,
}

/// Bytes of a store's file that are not as they were written. `Display` explains what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedPlace {
    /// Their range in the file.
    pub range: Range<u64>,
    /// Which check failed.
    pub what: Damage,
    /// Key bytes, if the place belongs to an entry with a sound key; `None` if that entry was
    /// written by hash alone.
    pub key: Option<Vec<u8>>,
    /// Key hash, if the place belongs to such an entry.
    pub key_hash: Option<u64>,
    is_missing: bool,
}

impl DamagedPlace {
    pub(super) fn new(range: Range<u64>, what: Damage) -> Self {
        Self { range, what, key: None, key_hash: None, is_missing: false }
    }

    /// What was, or may have been, at the end of a log that was cut off.
    pub(super) fn missing(range: Range<u64>) -> Self {
        Self { is_missing: true, ..Self::new(range, Damage::DurablePoint) }
    }

    /// Where the place starts, in bytes.
    pub fn offset(&self) -> u64 {
        self.range.start
    }

    /// Number of the header page that holds the place. Meaningless for places in the log.
    fn page(&self) -> u64 {
        self.range.start / PAGE_SIZE as u64
    }
}

impl fmt::Display for DamagedPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.range;
        match self.what {
            Damage::Identity if start == 0 => f.write_str(
                "the first page is damaged; one of its copies was used. Nothing writes that page \
                 again: make a backup, or compact the store",
            ),
            Damage::Identity => write!(
                f,
                "page {} of the header is damaged: the copy of the first page is not like it. \
                 Nothing is lost; checkpoints write pages 1 and 2 anew, in turn",
                self.page()
            ),
            Damage::Checkpoint => write!(
                f,
                "page {} of the header is damaged: it holds no checkpoint. Nothing is lost, and a \
                 crash can leave it so; checkpoints, and closing the store after a write, write \
                 pages 1 and 2 anew, in turn",
                self.page()
            ),
            Damage::PublishedTail => write!(
                f,
                "page {} of the header is damaged: it holds no published tail. Nothing is lost, \
                 and a crash can leave it so; the next checkpoint, or closing the store after a \
                 write, writes it anew",
                self.page()
            ),
            Damage::Index => write!(
                f,
                "bytes {start} to {end} of the index in the file are damaged. Nothing is lost: the \
                 index is rebuilt in memory, which takes time; compacting the store writes a new \
                 one",
            ),
            Damage::Counts => f.write_str(
                "the index does not agree with the log: it counts other entries than there are. \
                 Compacting the store makes a new one",
            ),
            Damage::Payload => write!(f, "payload at byte {start} fails its CRC-32"),
            Damage::Padding => write!(f, "unused bytes {start} to {end} are not zero"),
            Damage::Link => {
                write!(f, "the link at byte {start} does not lead to the slot before it")
            }
            Damage::Version => {
                write!(f, "the slot that ends at byte {end} names another version than its key has")
            }
            _ if self.is_missing => {
                write!(f, "bytes {start} to {end} of the log cannot be read: the file was longer")
            }
            Damage::DurablePoint => write!(
                f,
                "the log to byte {end} is not the one that the header names, down to byte {start}: \
                 the file is made up of different copies of the store",
            ),
            _ => write!(f, "bytes {start} to {end} of the log cannot be read"),
        }
    }
}
