//! The log of the published 0.15 to 0.17 crates.
//!
//! An entry is `payload | key hash (8) | previous tail (8) | CRC-32 of the payload (4)`. The
//! payload starts at the previous tail, rounded up to 64 bytes. A deletion is an unaligned payload
//! of one zero byte. There is no header; the first entry has the previous tail 0.

use std::collections::HashSet;
use std::io;
use std::ops::Range;

use simd_r_drive_entry_handle::{LogSource, compute_checksum};
use simd_r_drive_writer::StoreFile;

use crate::log::{Direction, WindowReader};

const TRAILER_LEN: u64 = 20;

/// Alignment of payloads in bytes.
const ALIGNMENT: u64 = 64;

/// Bytes read at a time.
const PIECE_LEN: u64 = 256 << 10;

/// Upper limit on the bytes read to tell entries from chance matches in a damaged file.
const MAX_GUESSED: u64 = 4 << 30;

/// One entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct OldEntry {
    pub(super) key_hash: u64,
    /// Where the payload starts.
    pub(super) start: u64,
    /// Length of the payload.
    pub(super) len: u64,
    pub(super) crc: u32,
    /// End of the previous entry.
    previous: u64,
    is_deletion: bool,
}

impl OldEntry {
    /// Reads the trailer that ends at `end`; `None` if it cannot be one.
    fn read(source: &mut impl LogSource, end: u64) -> io::Result<Option<Self>> {
        let Some(trailer_at) = end.checked_sub(TRAILER_LEN) else { return Ok(None) };
        let trailer = source.read(trailer_at, TRAILER_LEN as usize)?;
        let (Some(hash), Some(previous), Some(crc)) = (
            trailer.first_chunk(),
            trailer.get(8..).and_then(<[u8]>::first_chunk),
            trailer.last_chunk(),
        ) else {
            return Ok(None);
        };
        let key_hash = u64::from_le_bytes(*hash);
        let previous = u64::from_le_bytes(*previous);
        let crc = u32::from_le_bytes(*crc);
        if previous >= trailer_at || (previous != 0 && previous <= TRAILER_LEN) {
            return Ok(None);
        }
        // The old crates refused values of one zero byte.
        if previous + 1 == trailer_at && source.read(previous, 1)? == [0] {
            let is_deletion = crc == u32::from_le_bytes(compute_checksum(&[0]));
            let entry = Self { key_hash, start: previous, len: 1, crc, previous, is_deletion };
            return Ok(is_deletion.then_some(entry));
        }
        let start = previous.next_multiple_of(ALIGNMENT);
        Ok((start < trailer_at).then(|| Self {
            key_hash,
            start,
            len: trailer_at - start,
            crc,
            previous,
            is_deletion: false,
        }))
    }

    /// Whether the payload matches its CRC-32. Reads the whole payload.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub(super) fn is_sound(&self, file: &dyn StoreFile) -> io::Result<bool> {
        let mut hasher = crc32fast::Hasher::new();
        let mut reader = self.reader(file);
        let mut buffer = vec![0; PIECE_LEN.min(self.len) as usize];
        loop {
            match io::Read::read(&mut reader, &mut buffer)? {
                0 => return Ok(hasher.finalize() == self.crc),
                read => hasher.update(&buffer[..read]),
            }
        }
    }

    /// A reader from the start of the payload.
    pub(super) fn reader<'a>(&self, file: &'a dyn StoreFile) -> RangeReader<'a> {
        RangeReader { file, range: self.start..self.start + self.len }
    }
}

/// Reads a range of a file.
#[derive(Debug)]
pub(super) struct RangeReader<'a> {
    file: &'a dyn StoreFile,
    range: Range<u64>,
}

impl io::Read for RangeReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.range.end - self.range.start;
        let len = left.min(buffer.len() as u64) as usize;
        let read =
            simd_r_drive_writer::read_full_at(self.file, &mut buffer[..len], self.range.start)?;
        if read < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.range.start += read as u64;
        Ok(read)
    }
}

/// The contents of an older store.
#[derive(Debug, Default)]
pub(super) struct OldLog {
    /// The newest version of each key that is not deleted, newest first.
    pub(super) live: Vec<OldEntry>,
    /// Keys whose newest version is a deletion.
    pub(super) deleted_keys: u64,
    /// Versions and deletions that something newer replaces.
    pub(super) superseded: u64,
    /// Ranges that could not be parsed, newest first.
    pub(super) unreadable: Vec<Range<u64>>,
}

/// Why a log cannot be read.
#[derive(Debug)]
pub(super) enum Broken {
    /// No entry ends here.
    At(u64),
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl OldLog {
    /// Reads the log of a file of `len` bytes: every trailer, and with `skip_damaged` also the
    /// payload of any entry that claims to be the first.
    pub(super) fn read(file: &dyn StoreFile, len: u64, skip_damaged: bool) -> Result<Self, Broken> {
        let mut source = WindowReader::new(file, len, Direction::Backward);
        let mut log = Self::default();
        let mut seen = HashSet::new();
        let mut guesses_left = MAX_GUESSED;
        let mut end = len;
        while end > 0 {
            let mut found = OldEntry::read(&mut source, end)?;
            // Zeros left by a system crash look like the end of a single entry that fills the file.
            if let Some(entry) = found
                && skip_damaged
                && entry.previous == 0
                && !entry.is_sound(file)?
            {
                found = None;
            }
            let Some(entry) = found else {
                if !skip_damaged {
                    return Err(Broken::At(end));
                }
                let next = find_below(file, &mut source, end, &mut guesses_left)?;
                log.unreadable.push(next..end);
                end = next;
                continue;
            };
            if !seen.insert(entry.key_hash) {
                log.superseded += 1;
            } else if entry.is_deletion {
                log.deleted_keys += 1;
            } else {
                log.live.push(entry);
            }
            end = entry.previous;
        }
        Ok(log)
    }
}

/// End of the newest entry below `end` that is certain: its payload matches its CRC-32, and another
/// entry or the start of the file precedes it. 0 if there is none.
fn find_below(
    file: &dyn StoreFile,
    source: &mut WindowReader<'_>,
    end: u64,
    guesses_left: &mut u64,
) -> Result<u64, Broken> {
    let mut candidate = end;
    while candidate > TRAILER_LEN {
        candidate -= 1;
        let Some(entry) = OldEntry::read(source, candidate)? else { continue };
        // Zeros look like an entry that fills the file.
        if entry.crc == 0
            || (entry.previous != 0 && OldEntry::read(source, entry.previous)?.is_none())
        {
            continue;
        }
        *guesses_left = guesses_left.checked_sub(entry.len).ok_or(Broken::At(end))?;
        if entry.is_sound(file)? {
            return Ok(candidate);
        }
    }
    Ok(0)
}
