//! Encodes slots into aligned bytes and writes them to the file.

use std::io::{self, Read};

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{Layout, Seal, Trailer};

use crate::file::{StoreFile, write_all_at};

/// Small slots are collected into writes of about this many bytes.
const CHUNK_LEN: usize = 1 << 20;

/// Payloads of at least this many bytes are written from where they are, without a copy.
const DIRECT_LEN: usize = 128 << 10;

/// How much of a payload is checksummed and then copied or written while it is in the cache.
const CACHED_LEN: usize = 16 << 10;

/// Piece size for payloads that are written directly, larger because each piece is a system call.
const DIRECT_CHUNK_LEN: usize = 256 << 10;

/// Writes consecutive slots from an offset on. For files that are not in use yet: a log in use is
/// written through an [`Appender`](crate::Appender), which undoes failed writes.
///
/// Each payload is read from memory once: a piece is checksummed and copied (or written) while it
/// is in the cache. Memory use is at most about 2 MiB, whatever the length of the payloads.
#[derive(Debug)]
pub struct Encoder<'a> {
    file: &'a dyn StoreFile,
    layout: &'a Layout,
    /// Offset of the first byte in `buffer`.
    offset: u64,
    buffer: Vec<u8>,
    predecessor: Seal,
    /// Kept because creating one detects the processor's features.
    checksum: crc32fast::Hasher,
}

impl<'a> Encoder<'a> {
    /// Creates an encoder for slots from `offset` on, where a slot with the seal `predecessor`
    /// ends. After the header, this is the identity's checksum. `len` is the total number of bytes
    /// to be encoded, for sizing the buffer.
    pub fn new(
        file: &'a dyn StoreFile,
        layout: &'a Layout,
        offset: u64,
        predecessor: Seal,
        len: u64,
    ) -> Self {
        let capacity = usize::try_from(len).map_or(CHUNK_LEN, |len| len.min(CHUNK_LEN));
        let (buffer, checksum) = (Vec::with_capacity(capacity), crc32fast::Hasher::new());
        Self { file, layout, offset, buffer, predecessor, checksum }
    }

    /// Encodes one slot of `slot_len` bytes, as returned by [`Layout::slot_len`]. `trailer` builds
    /// its trailer from the payload's CRC-32.
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

    /// Encodes one slot whose payload of `payload_len` bytes is read from `reader`. `trailer`
    /// builds its trailer from the payload's CRC-32, or rejects it.
    ///
    /// # Errors
    /// Any error of the file, of the reader or of `trailer`; `UnexpectedEof` if the reader ends
    /// early.
    pub fn push_from(
        &mut self,
        key: &[u8],
        reader: &mut dyn Read,
        payload_len: u64,
        slot_len: u64,
        trailer: impl FnOnce(u32) -> io::Result<Trailer>,
    ) -> io::Result<()> {
        let start = self.position();
        self.checksum.reset();
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
            self.checksum.update(self.buffer.get(before..).unwrap_or_default());
            left -= read as u64;
        }
        self.finish_slot(key, start + slot_len, trailer(self.checksum.clone().finalize())?)
    }

    /// Encodes a slot without a key whose payload is not written: the zeros in the file stay.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn push_unwritten(&mut self, slot_len: u64, trailer: Trailer) -> io::Result<()> {
        let end = self.position() + slot_len;
        self.flush()?;
        self.offset = end - METADATA_SIZE as u64;
        self.finish_slot(&[], end, trailer)
    }

    /// Writes the rest to the file and returns the seal of the last slot.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub fn finish(mut self) -> io::Result<Seal> {
        self.flush()?;
        Ok(self.predecessor)
    }

    /// Appends zeros up to the key, the key, and the trailer.
    fn finish_slot(&mut self, key: &[u8], end: u64, trailer: Trailer) -> io::Result<()> {
        let end_in_buffer = (end - self.offset) as usize;
        self.buffer.resize(end_in_buffer, 0);
        let tail = &mut self.buffer[end_in_buffer - key.len() - METADATA_SIZE..];
        self.predecessor =
            self.layout.seal_into(tail, key, trailer, end, self.predecessor.self_half())?;
        Ok(())
    }

    fn copy(&mut self, payload: &[u8]) -> u32 {
        self.checksum.reset();
        for piece in payload.chunks(CACHED_LEN) {
            self.buffer.extend_from_slice(piece);
            self.checksum.update(piece);
        }
        self.checksum.clone().finalize()
    }

    fn write_direct(&mut self, payload: &[u8]) -> io::Result<u32> {
        self.checksum.reset();
        for piece in payload.chunks(DIRECT_CHUNK_LEN) {
            self.checksum.update(piece);
            write_all_at(self.file, piece, self.offset)?;
            self.offset += piece.len() as u64;
        }
        Ok(self.checksum.clone().finalize())
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
