//! Encoding slots into aligned bytes and handing them to the file.

use std::io::{self, Read};

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{Layout, Seal, Trailer};

use crate::file::{StoreFile, write_all_at};

/// Small slots are gathered into writes of about this many bytes.
const CHUNK_LEN: usize = 1 << 20;

/// From this payload length on, payloads go to the file from where they are, without a copy.
const DIRECT_LEN: usize = 128 << 10;

/// How much of a payload is checksummed, then copied or written, while it is in the processor's cache.
const CACHED_LEN: usize = 16 << 10;

/// Larger pieces for payloads that are written directly: a system call each.
const DIRECT_CHUNK_LEN: usize = 256 << 10;

/// Writes consecutive slots, from an offset on: for files that nobody else sees yet. A log that is in use is
/// written through an [`Appender`](crate::Appender), which undoes what fails.
///
/// Each payload is read from memory once: a piece is checksummed and copied (or written) while it is in the
/// cache. Memory is bounded by some 2 MiB, whatever the payloads' length.
#[derive(Debug)]
pub struct Encoder<'a> {
    file: &'a dyn StoreFile,
    layout: &'a Layout,
    /// Offset of the first byte in `buffer`.
    offset: u64,
    buffer: Vec<u8>,
    predecessor: Seal,
}

impl<'a> Encoder<'a> {
    /// Slots will follow at `offset`, where a slot with the seal `predecessor` ends (after the header, the
    /// identity's checksum). `len` is how many bytes will be encoded in all, to size the buffer.
    pub fn new(
        file: &'a dyn StoreFile,
        layout: &'a Layout,
        offset: u64,
        predecessor: Seal,
        len: u64,
    ) -> Self {
        let capacity = usize::try_from(len).map_or(CHUNK_LEN, |len| len.min(CHUNK_LEN));
        Self { file, layout, offset, buffer: Vec::with_capacity(capacity), predecessor }
    }

    /// Encodes one slot of `slot_len` bytes, as [`Layout::slot_len`] gives it; `trailer` makes its trailer
    /// from the payload's CRC-32.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn push(
        &mut self,
        key: &[u8],
        payload: &[u8],
        slot_len: u64,
        trailer: impl FnOnce(u32) -> Trailer,
    ) -> io::Result<()> {
        let start = self.position();
        let crc = if payload.len() >= DIRECT_LEN {
            self.flush()?;
            self.write_direct(payload)?
        } else {
            if !self.buffer.is_empty() && self.buffer.len() + slot_len as usize > CHUNK_LEN {
                self.flush()?;
            }
            self.copy(payload)
        };
        self.finish_slot(key, start + slot_len, trailer(crc))
    }

    /// Encodes one slot whose payload of `payload_len` bytes comes from `reader`; `trailer` makes its trailer from
    /// the payload's CRC-32, or refuses it.
    ///
    /// # Errors
    /// The file's, the reader's and those of `trailer`; `UnexpectedEof` if the reader ends early.
    pub fn push_from(
        &mut self,
        key: &[u8],
        reader: &mut dyn Read,
        payload_len: u64,
        slot_len: u64,
        trailer: impl FnOnce(u32) -> io::Result<Trailer>,
    ) -> io::Result<()> {
        let start = self.position();
        let mut hasher = crc32fast::Hasher::new();
        let mut left = payload_len;
        while left > 0 {
            if self.buffer.len() >= CHUNK_LEN {
                self.flush()?;
            }
            let before = self.buffer.len();
            let room = (CHUNK_LEN - before).min(DIRECT_CHUNK_LEN) as u64;
            let read =
                io::Read::take(&mut *reader, room.min(left)).read_to_end(&mut self.buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(self.buffer.get(before..).unwrap_or_default());
            left -= read as u64;
        }
        self.finish_slot(key, start + slot_len, trailer(hasher.finalize())?)
    }

    /// Encodes a slot without a key whose payload is not written: what stands in its place, zeros, stays.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn push_unwritten(&mut self, slot_len: u64, trailer: Trailer) -> io::Result<()> {
        let end = self.position() + slot_len;
        self.flush()?;
        self.offset = end - METADATA_SIZE as u64;
        self.finish_slot(&[], end, trailer)
    }

    /// Hands what is left to the file and returns the seal of the last slot.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn finish(mut self) -> io::Result<Seal> {
        self.flush()?;
        Ok(self.predecessor)
    }

    /// Zeros up to the key, the key, the trailer.
    fn finish_slot(&mut self, key: &[u8], end: u64, trailer: Trailer) -> io::Result<()> {
        let end_in_buffer = (end - self.offset) as usize;
        self.buffer.resize(end_in_buffer, 0);
        let tail = &mut self.buffer[end_in_buffer - key.len() - METADATA_SIZE..];
        self.predecessor =
            self.layout.seal_into(tail, key, trailer, end, self.predecessor.self_half())?;
        Ok(())
    }

    fn copy(&mut self, payload: &[u8]) -> u32 {
        if payload.len() <= CACHED_LEN {
            self.buffer.extend_from_slice(payload);
            return crc32fast::hash(payload);
        }
        let mut hasher = crc32fast::Hasher::new();
        for piece in payload.chunks(CACHED_LEN) {
            self.buffer.extend_from_slice(piece);
            hasher.update(piece);
        }
        hasher.finalize()
    }

    fn write_direct(&mut self, payload: &[u8]) -> io::Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        for piece in payload.chunks(DIRECT_CHUNK_LEN) {
            hasher.update(piece);
            write_all_at(self.file, piece, self.offset)?;
            self.offset += piece.len() as u64;
        }
        Ok(hasher.finalize())
    }

    fn flush(&mut self) -> io::Result<()> {
        write_all_at(self.file, &self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn position(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }
}
