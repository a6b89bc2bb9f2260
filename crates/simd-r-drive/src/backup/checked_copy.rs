//! Verbatim copying of a stretch of log, with every byte checked.

use std::io;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{
    Damage, Flags, FormatError, Identity, Layout, LogCursor, LogSource as _, Seal, SealedTrailer,
    read_slot,
};
use simd_r_drive_writer::{StoreFile, write_all_at};

use crate::log::{Direction, LogPosition, WindowReader};
use crate::open::read_checkpoints;

/// After about this many bytes, copied data is flushed at the next end of a commit.
const STRETCH_LEN: u64 = 32 << 20;

/// A commit larger than this is copied in several stretches, so that memory stays bounded.
const MAX_STRETCH_LEN: u64 = 64 << 20;

/// Bytes read and written at a time.
const PIECE_LEN: usize = 1 << 20;

/// The log of one file, to be copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log<'a> {
    pub(super) file: &'a dyn StoreFile,
    pub(super) identity: &'a Identity,
}

/// The boundary between two stretches of a log.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) point: LogPosition,
    /// Whether a commit ends here, so that this could be a tail.
    pub(super) is_commit: bool,
}

impl Log<'_> {
    /// Ends of the barriers named by the checkpoints, newest first.
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

    /// Cuts `(from, to]`, which ends with a commit, into stretches of moderate length, newest
    /// first. `None` if no slot of the log ends at `from` with that seal.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] where the slots do not link; any I/O error of the file.
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

    /// A cursor that walks backward from `to`.
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
    /// Everything up to here has been read and checked.
    at: LogPosition,
    /// Bytes read but not written yet.
    buffer: Vec<u8>,
    /// The target may have been written to up to here.
    pub(super) reached: u64,
    pub(super) copied_slots: u64,
}

impl<'a> CheckedCopy<'a> {
    /// A copy that starts at `from` and goes no further than `end`.
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

    /// Copies up to `to`, the end of a slot, and flushes the target. The seal, link, padding and
    /// payload of every slot are checked before its last byte is written. Takes 16 bytes of memory
    /// per slot.
    ///
    /// A barrier says that everything before it is on the medium. In the target, that becomes true
    /// only with the flush. A file visible to others must therefore be marked as being copied to.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] if a slot is not as it was written; any I/O error of the files.
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

    /// Writes out the buffer, whose end belongs at `end`.
    fn write_up_to(&mut self, end: u64) -> io::Result<()> {
        self.reached = end;
        write_all_at(self.target, &self.buffer, end - self.buffer.len() as u64)?;
        self.buffer.clear();
        Ok(())
    }
}

/// A slot found by walking backward.
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
