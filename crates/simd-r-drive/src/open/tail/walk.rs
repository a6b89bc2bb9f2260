//! Step 4 of opening: the walk from the durable point to the tail.

use std::io;

use simd_r_drive_entry_handle::{
    Damage, Flags, FormatError, Layout, LogSlot, LogSource, read_slot,
};
use simd_r_drive_writer::StoreFile;

use super::Visit;
use super::scan::Candidate;
use crate::error::is_format_error;
use crate::log::{Direction, LogPosition, WindowReader};

/// Bytes of a long payload read at a time.
const PIECE_LEN: usize = 256 << 10;

/// Slots up to this length are read whole.
const SMALL_LEN: u64 = 16 << 10;

/// How many times the searched region may be reread in vain, for payloads that do not match their
/// sealed trailers. Abandoned slots amount to a fraction of it. Anything beyond is a forgery that
/// is meant to keep opening busy.
const MAX_VAIN_PASSES: u64 = 16;

/// Walks forward from `from` as long as genuine, whole slots follow each other in a file of `len`
/// bytes, and passes them to `visit`. Returns the last commit.
pub(super) fn walk(
    file: &dyn StoreFile,
    layout: &Layout,
    from: LogPosition,
    mut candidates: &[Candidate],
    len: u64,
    visit: &mut Visit<'_>,
) -> io::Result<LogPosition> {
    let mut walker = Walker {
        // Not only up to the last nonzero byte: one seal in 256 ends with a zero.
        source: WindowReader::new(file, len, Direction::Forward),
        layout,
        checksum: crc32fast::Hasher::new(),
        visit,
    };
    let mut vain_bytes_left = len.saturating_sub(from.end).saturating_mul(MAX_VAIN_PASSES);
    let mut tail = from;
    let mut at = from;
    loop {
        while let [passed, rest @ ..] = candidates
            && passed.start < at.end
        {
            candidates = rest;
        }
        let starting_here = candidates.iter().take_while(|candidate| candidate.start == at.end);
        let mut next = None;
        for candidate in starting_here {
            match walker.follows(at, candidate.end)? {
                Follower::Whole(point, is_commit) => {
                    next = Some((point, is_commit));
                    break;
                }
                Follower::Torn(payload_len) => {
                    vain_bytes_left = vain_bytes_left
                        .checked_sub(payload_len)
                        .ok_or_else(|| FormatError::damaged(at.end, Damage::Payload))?;
                }
                Follower::None => {}
            }
        }
        let Some((point, is_commit)) = next else { return Ok(tail) };
        at = point;
        if is_commit {
            tail = point;
        }
    }
}

/// What follows a place in the log.
enum Follower {
    /// A whole slot, and whether it ends a commit.
    Whole(LogPosition, bool),
    /// A genuine trailer whose payload, of this length, does not match it.
    Torn(u64),
    /// No slot follows.
    None,
}

impl Follower {
    /// From a genuine slot in its place, and whether its payload matches its trailer.
    fn of(slot: &LogSlot<'_>, is_whole: bool) -> Self {
        if is_whole {
            Self::Whole(LogPosition { end: slot.end, seal: slot.seal }, slot.trailer.is_commit())
        } else {
            Self::Torn(slot.trailer.payload_len)
        }
    }
}

/// Looks for the next slot of a log.
struct Walker<'a, 'v> {
    source: WindowReader<'a>,
    layout: &'a Layout,
    /// Kept because creating one detects the processor's features.
    checksum: crc32fast::Hasher,
    visit: &'a mut Visit<'v>,
}

impl Walker<'_, '_> {
    /// The slot from the end of `before` to `end`, if it is genuine and follows. Reads its payload,
    /// and passes it to `visit` if it is whole.
    fn follows(&mut self, before: LogPosition, end: u64) -> io::Result<Follower> {
        let len = end - before.end;
        if len > SMALL_LEN {
            return self.long_follows(before, end);
        }
        let bytes = self.source.read(before.end, len as usize)?;
        let slot = match LogSlot::check(bytes, self.layout, end) {
            Ok(slot) if is_behind(before, &slot) => slot,
            _ => return Ok(Follower::None),
        };
        let payload = bytes.get(..slot.trailer.payload_len as usize);
        let is_whole = slot.trailer.flags.has(Flags::OPAQUE)
            || payload.is_some_and(|payload| {
                self.checksum.reset();
                self.checksum.update(payload);
                self.checksum.clone().finalize() == slot.trailer.payload_crc
            });
        if is_whole {
            (self.visit)(&slot);
        }
        Ok(Follower::of(&slot, is_whole))
    }

    /// [`Walker::follows`], for a slot that may not fit into memory.
    #[cold]
    fn long_follows(&mut self, before: LogPosition, end: u64) -> io::Result<Follower> {
        let Some(slot) = self.slot_behind(before, end)? else { return Ok(Follower::None) };
        let trailer = slot.trailer;
        let is_whole = trailer.flags.has(Flags::OPAQUE)
            || self.payload_crc(before.end, trailer.payload_len)? == trailer.payload_crc;
        if !is_whole {
            return Ok(Follower::Torn(trailer.payload_len));
        }
        // Read again: reading the payload may have moved the window off its key.
        let slot = none_if_damaged(read_slot(&mut self.source, self.layout, end))?;
        let Some(slot) = slot.filter(|slot| is_behind(before, slot)) else {
            return Ok(Follower::None);
        };
        (self.visit)(&slot);
        Ok(Follower::of(&slot, true))
    }

    /// The slot that ends at `end`, if it is genuine and follows.
    fn slot_behind(&mut self, before: LogPosition, end: u64) -> io::Result<Option<LogSlot<'_>>> {
        let slot = read_slot(&mut self.source, self.layout, end);
        Ok(none_if_damaged(slot)?.filter(|slot| is_behind(before, slot)))
    }

    fn payload_crc(&mut self, start: u64, len: u64) -> io::Result<u32> {
        self.checksum.reset();
        let mut offset = start;
        let mut left = len;
        while left > 0 {
            let len = left.min(PIECE_LEN as u64) as usize;
            self.checksum.update(self.source.read(offset, len)?);
            offset += len as u64;
            left -= len as u64;
        }
        Ok(self.checksum.clone().finalize())
    }
}

fn is_behind(before: LogPosition, slot: &LogSlot<'_>) -> bool {
    slot.start == before.end && slot.predecessor == before.seal.self_half()
}

/// `None` in place of an error that says that the bytes do not form a slot.
fn none_if_damaged(result: io::Result<LogSlot<'_>>) -> io::Result<Option<LogSlot<'_>>> {
    match result {
        Err(error) if is_format_error(&error) => Ok(None),
        result => result.map(Some),
    }
}
