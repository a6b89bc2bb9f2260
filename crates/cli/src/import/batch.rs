//! Small files, collected to be stored in one commit.

use std::io;
use std::ops::Range;

use super::source::Source;

/// The most that a batch holds, in bytes.
const BATCH_LEN: usize = 8 << 20;

/// The most entries that a batch holds.
const BATCH_ENTRIES: usize = 1 << 14;

/// Keys and contents, one after the other in one buffer that is reused.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    entries: Vec<(Range<usize>, Range<usize>)>,
}

impl Batch {
    /// Whether a file of `len` bytes fits into the batch. Every file fits into an empty batch.
    pub(super) fn has_room_for(&self, key: &[u8], len: u64) -> bool {
        let end = self.bytes.len() as u64 + key.len() as u64 + len;
        self.entries.is_empty() || (end <= BATCH_LEN as u64 && self.entries.len() < BATCH_ENTRIES)
    }

    /// Reads a file into the batch.
    ///
    /// # Errors
    /// Any I/O error of the file, or that it changed while it was read. The batch is unchanged
    /// then.
    pub(super) fn add(&mut self, key: &[u8], source: Source) -> io::Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        if let Err(error) = source.read_to(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        self.entries.push((start..middle, middle..self.bytes.len()));
        Ok(())
    }

    pub(super) fn entries(&self) -> Vec<(&[u8], &[u8])> {
        let slices = |(key, value): &(Range<usize>, Range<usize>)| {
            (&self.bytes[key.clone()], &self.bytes[value.clone()])
        };
        self.entries.iter().map(slices).collect()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }
}
