//! Copying a stretch of a log verbatim, with a look at every byte.

use std::io;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{
    Damage, Flags, FormatError, Identity, Layout, LogCursor, LogSource as _, Seal, SealedTrailer,
    read_slot,
};
use simd_r_drive_writer::{StoreFile, write_all_at};

use crate::log::{Direction, LogPosition, WindowReader};
use crate::open::read_checkpoints;

/// After about this many bytes, and at the next commit, what has been copied is flushed.
const STRETCH_LEN: u64 = 32 << 20;

/// A larger commit is copied in several stretches, so that memory stays bounded.
const MAX_STRETCH_LEN: u64 = 64 << 20;

/// How much is read and written at a time.
const PIECE_LEN: usize = 1 << 20;

/// The log of one file, to be copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log<'a> {
    pub(super) file: &'a dyn StoreFile,
    pub(super) identity: &'a Identity,
}

/// Where one stretch of a log ends and the next one begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) point: LogPosition,
    /// Whether a commit ends here: whether this could be a tail.
    pub(super) is_commit: bool,
}

impl Log<'_> {
    /// Ends of the barriers that its checkpoints name, the newest first.
    ///
    /// # Errors
    /// Any I/O error of the file.
    pub(super) fn barrier_ends(&self) -> io::Result<Vec<u64>> {
        let checkpoints = read_checkpoints(self.file, self.identity)?;
        Ok(checkpoints.iter().map(|checkpoint| checkpoint.barrier_end).collect())
    }

    /// Where the log starts.
    pub(super) fn root(&self) -> LogPosition {
        LogPosition { end: self.layout().header_len(), seal: Seal(self.identity.checksum()) }
    }

    fn layout(&self) -> Layout {
        self.identity.layout()
    }

    /// The point at the end of a slot.
    ///
    /// # Errors
    /// [`FormatError::Damaged`]; any I/O error of the file.
    pub(super) fn point(&self, end: u64) -> io::Result<LogPosition> {
        if end == self.root().end {
            return Ok(self.root());
        }
        let mut source = WindowReader::new(self.file, end, Direction::Backward);
        Ok(LogPosition { end, seal: read_slot(&mut source, &self.layout(), end)?.seal })
    }

    /// Where `(from, to]`, which ends with a commit, is cut into stretches of moderate length, newest first.
    /// `None` if the log has no slot that ends at `from` with that seal.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] where the chain of slots breaks; any I/O error of the file.
    pub(super) fn cuts(&self, from: LogPosition, to: LogPosition) -> io::Result<Option<Vec<Cut>>> {
        let mut cursor = self.cursor(to);
        let mut cuts = vec![Cut { point: to, is_commit: true }];
        let mut last_cut = to.end;
        while let Some(slot) = cursor.previous()? {
            if slot.end <= from.end {
                return Ok((slot.end == from.end && slot.seal == from.seal).then_some(cuts));
            }
            let is_commit = slot.trailer.is_commit();
            let least = if is_commit { STRETCH_LEN } else { MAX_STRETCH_LEN };
            if last_cut - slot.end >= least {
                cuts.push(Cut { point: LogPosition { end: slot.end, seal: slot.seal }, is_commit });
                last_cut = slot.end;
            }
        }
        Ok((from == self.root()).then_some(cuts))
    }

    /// Walks backward from `to`.
    pub(super) fn cursor(&self, to: LogPosition) -> LogCursor<WindowReader<'_>> {
        let source = WindowReader::new(self.file, to.end, Direction::Backward);
        LogCursor::new(source, self.layout(), to.end, Some(to.seal.self_half()))
    }
}

/// Copies slots to the same place in another file.
#[derive(Debug)]
pub(super) struct CheckedCopy<'a> {
    log: Log<'a>,
    layout: Layout,
    source: WindowReader<'a>,
    target: &'a dyn StoreFile,
    /// Up to here everything has been read and checked.
    at: LogPosition,
    /// What has been read and not yet written.
    buffer: Vec<u8>,
    /// Up to here the target may have been written to.
    pub(super) reached: u64,
    pub(super) copied_slots: u64,
}

impl<'a> CheckedCopy<'a> {
    /// Copies from `from` on, and at most up to `end`.
    pub(super) fn new(
        log: Log<'a>,
        target: &'a dyn StoreFile,
        from: LogPosition,
        end: u64,
    ) -> Self {
        Self {
            log,
            layout: log.layout(),
            source: WindowReader::new(log.file, end, Direction::Forward),
            target,
            at: from,
            buffer: Vec::new(),
            reached: from.end,
            copied_slots: 0,
        }
    }

    /// Copies up to `to`, a slot's end, and flushes the target. Every slot's seal, link, padding and payload
    /// are checked before its last byte is written. Takes 16 bytes of memory a slot.
    ///
    /// A barrier says that everything before it is on the medium. That is true of the target too
    /// only after the flush, so a file that others see must say that it is being copied to.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] for a slot that is not as it was written; reading's and writing's.
    pub(super) fn copy_to(&mut self, to: LogPosition) -> io::Result<()> {
        let mut slots = Vec::new();
        let mut cursor = self.log.cursor(to);
        while cursor.position() > self.at.end
            && let Some(slot) = cursor.previous()?
        {
            slots.push((slot.end, slot.trailer.payload_len));
        }
        for (end, payload_len) in slots.into_iter().rev() {
            self.copy_slot(end, payload_len)?;
        }
        self.write_up_to(self.at.end)?;
        self.target.sync()
    }

    fn copy_slot(&mut self, end: u64, payload_len: u64) -> io::Result<()> {
        let payload_end = self.at.end + payload_len;
        let mut crc = crc32fast::Hasher::new();
        let mut at = self.at.end;
        while at < payload_end {
            let len = (payload_end - at).min(PIECE_LEN as u64) as usize;
            let piece = self.source.read(at, len)?;
            crc.update(piece);
            self.buffer.extend_from_slice(piece);
            at += len as u64;
            if self.buffer.len() >= PIECE_LEN {
                self.write_up_to(at)?;
            }
        }
        let rest = self.source.read(payload_end, (end - payload_end) as usize)?;
        let expected = Slot { before: self.at, end, payload_len };
        let seal = expected.check(&self.layout, rest, crc.finalize())?;
        self.buffer.extend_from_slice(rest);
        self.at = LogPosition { end, seal };
        self.copied_slots += 1;
        if self.buffer.len() >= PIECE_LEN { self.write_up_to(end) } else { Ok(()) }
    }

    /// Writes what the buffer holds, so that it ends at `end`.
    fn write_up_to(&mut self, end: u64) -> io::Result<()> {
        self.reached = end;
        write_all_at(self.target, &self.buffer, end - self.buffer.len() as u64)?;
        self.buffer.clear();
        Ok(())
    }
}

/// A slot that has been found by walking backward.
struct Slot {
    before: LogPosition,
    end: u64,
    payload_len: u64,
}

impl Slot {
    /// Checks the slot, whose payload has this CRC-32 and is followed by `rest`.
    fn check(&self, layout: &Layout, rest: &[u8], payload_crc: u32) -> Result<Seal, FormatError> {
        let Self { before, end, payload_len } = *self;
        let damaged = |offset, what| Err(FormatError::damaged(offset, what));
        let trailer_at = end - METADATA_SIZE as u64;
        let Some(trailer) = rest.last_chunk() else {
            return damaged(trailer_at, Damage::Trailer);
        };
        let trailer = SealedTrailer::decode_at(trailer, end)?;
        let fields = &trailer.fields;
        let key_at = rest.len().checked_sub(METADATA_SIZE + usize::from(fields.key_len));
        let Some((padding, key_and_trailer)) = key_at.and_then(|at| rest.split_at_checked(at))
        else {
            return damaged(trailer_at, Damage::Trailer);
        };
        let seal = layout.check_seal(key_and_trailer, &trailer, end)?;
        if fields.payload_len != payload_len {
            return damaged(trailer_at, Damage::Trailer);
        }
        if seal.predecessor(trailer.link) != before.seal.self_half() {
            return damaged(before.end, Damage::Link);
        }
        if padding.iter().any(|byte| *byte != 0) {
            return damaged(before.end + payload_len, Damage::Padding);
        }
        if fields.flags.has(Flags::OPAQUE) || fields.payload_crc == payload_crc {
            return Ok(seal);
        }
        Err(FormatError::mismatch(
            before.end,
            Damage::Payload,
            u64::from(fields.payload_crc),
            u64::from(payload_crc),
        ))
    }
}
