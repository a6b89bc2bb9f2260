//! Checks of the log's slots, from newest to oldest.

use std::io;
use std::ops::Range;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{
    Damage, Flags, FormatError, Kind, LogCursor, LogSlot, LogSource as _, Trailer,
};
use simd_r_drive_writer::read_exact_at;

use super::{Check, DamagedPlace};
use crate::error::is_format_error;
use crate::log::{DeadSlot, Direction, Superseded, WindowReader, chain_of, resync};

/// Slots up to this length are read whole, longer ones in pieces of it.
const PIECE_LEN: u64 = 1 << 20;

/// Length of a link, at the end of a slot.
const LINK_LEN: u64 = 4;

/// A check of the log in progress.
pub(super) struct LogCheck<'c, 'a> {
    check: &'c mut Check<'a>,
    /// The slot checked last, and its key bytes.
    slot: Option<Slot>,
    key: Vec<u8>,
    piece: Vec<u8>,
    /// Kept because creating one detects the processor's features.
    checksum: crc32fast::Hasher,
    superseded: Superseded,
    /// Counts by the index; `None` if the index cannot be trusted.
    counted: Option<Counted>,
    /// A slot that could not be looked up, because it or a version of its key is damaged.
    failed: Option<DamagedPlace>,
}

/// Live and dead parts of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    live_keys: u64,
    dead_slots: u64,
    dead_bytes: u64,
}

/// A slot whose key and trailer are sound.
#[derive(Clone, Copy)]
struct Slot {
    start: u64,
    end: u64,
    trailer: Trailer,
}

impl Slot {
    fn payload_end(&self) -> u64 {
        self.start + self.trailer.payload_len
    }

    fn key_at(&self) -> u64 {
        self.end - METADATA_SIZE as u64 - u64::from(self.trailer.key_len)
    }
}

impl<'c, 'a> LogCheck<'c, 'a> {
    /// The index is asked about slots only if it is sound: a damaged one would first be rebuilt in
    /// memory.
    pub(super) fn new(check: &'c mut Check<'a>, is_index_sound: bool) -> Self {
        let is_whole = is_index_sound && check.state.damage.is_none();
        Self {
            check,
            slot: None,
            key: Vec::new(),
            piece: Vec::new(),
            checksum: crc32fast::Hasher::new(),
            superseded: Superseded::default(),
            counted: is_whole.then(Counted::default),
            failed: None,
        }
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        let state = self.check.state;
        let layout = state.layout;
        let source_to = |end| WindowReader::new(&*state.file, end, Direction::Backward);
        let cursor_at = |end| LogCursor::new(source_to(end), layout, end, None);
        let mut cursor = cursor_at(self.check.totals.tail);
        loop {
            let end = cursor.position();
            let error = match cursor.previous() {
                Ok(None) => break,
                Ok(Some(slot)) => {
                    let slot = self.take(&slot);
                    self.check_slot(&slot, cursor.source())?;
                    continue;
                }
                Err(error) if is_format_error(&error) => error,
                Err(error) => return Err(error),
            };
            self.counted = None;
            let what = damage_of(&error);
            if what == Damage::Link {
                // The link of the slot above is wrong. This slot's own seal tells whether it is as
                // it was written.
                self.note_link();
                if end == layout.header_len() {
                    break;
                }
                cursor = cursor_at(end);
            } else {
                let found = resync(&mut source_to(end), &layout, end)?;
                self.check.report.damaged.push(DamagedPlace::new(found..end, what));
                self.check.advance(end - found)?;
                self.slot = None;
                cursor = cursor_at(found);
            }
        }
        self.report_counts();
        Ok(())
    }

    /// Keeps what is needed of a slot while its payload is read.
    fn take(&mut self, slot: &LogSlot<'_>) -> Slot {
        self.key.clear();
        self.key.extend_from_slice(slot.key);
        let slot = Slot { start: slot.start, end: slot.end, trailer: slot.trailer };
        self.slot = Some(slot);
        slot
    }

    fn check_slot(&mut self, slot: &Slot, source: &mut WindowReader<'_>) -> io::Result<()> {
        self.checksum.reset();
        let len = slot.end - slot.start;
        let is_padding_zero;
        if len <= PIECE_LEN {
            let bytes = source.read(slot.start, len as usize)?;
            let (payload, rest) = bytes.split_at(slot.trailer.payload_len as usize);
            self.checksum.update(payload);
            let padding = &rest[..(slot.key_at() - slot.payload_end()) as usize];
            is_padding_zero = is_zero(padding);
            self.check.advance(len)?;
        } else {
            self.read_long_payload(slot)?;
            let padding_len = (slot.key_at() - slot.payload_end()) as usize;
            is_padding_zero = is_zero(source.read(slot.payload_end(), padding_len)?);
            self.check.advance(len - slot.trailer.payload_len)?;
        }
        self.check.report.slots += 1;
        if slot.trailer.kind == Kind::Value {
            self.check.report.payload_bytes += slot.trailer.payload_len;
        }
        // The same rule as for verified reads.
        let is_opaque = slot.trailer.flags.has(Flags::OPAQUE);
        let crc = if is_opaque { 0 } else { self.checksum.clone().finalize() };
        if crc != slot.trailer.payload_crc {
            self.note(slot, slot.start..slot.payload_end(), Damage::Payload);
        }
        if !is_padding_zero {
            self.note(slot, slot.payload_end()..slot.key_at(), Damage::Padding);
        }
        if slot.trailer.kind.is_keyed() {
            self.count(slot)?;
        }
        Ok(())
    }

    /// Checksums a payload that may not fit into memory.
    fn read_long_payload(&mut self, slot: &Slot) -> io::Result<()> {
        let is_opaque = slot.trailer.flags.has(Flags::OPAQUE);
        self.piece.resize(PIECE_LEN as usize, 0);
        let mut at = slot.start;
        while at < slot.payload_end() {
            let len = (slot.payload_end() - at).min(PIECE_LEN);
            let piece = &mut self.piece[..len as usize];
            // An index table has checks of its own.
            if !is_opaque {
                read_exact_at(&*self.check.state.file, piece, at)?;
                self.checksum.update(piece);
            }
            at += len;
            self.check.advance(len)?;
        }
        Ok(())
    }

    /// Records damage of a slot whose key is known.
    fn note(&mut self, slot: &Slot, range: Range<u64>, what: Damage) {
        let place = self.place(slot, range, what);
        self.check.report.damaged.push(place);
    }

    fn place(&self, slot: &Slot, range: Range<u64>, what: Damage) -> DamagedPlace {
        let mut place = DamagedPlace::new(range, what);
        if slot.trailer.kind.is_keyed() {
            let is_bare = slot.trailer.is_bare();
            place.key_hash = Some(chain_of(is_bare, &self.key).0);
            place.key = (!is_bare).then(|| self.key.clone());
        }
        place
    }

    /// Records that the link of the slot checked last is wrong.
    fn note_link(&mut self) {
        if let Some(slot) = self.slot {
            self.note(&slot, slot.end - LINK_LEN..slot.end, Damage::Link);
        }
    }

    /// Asks the index whether a slot is live.
    fn count(&mut self, slot: &Slot) -> io::Result<()> {
        let Some(mut counted) = self.counted.take() else { return Ok(()) };
        let Check { state, totals, .. } = &*self.check;
        let is_bare = slot.trailer.is_bare();
        let (hash, identity) = chain_of(is_bare, &self.key);
        let previous_end = slot.trailer.previous_end;
        if (1..=slot.start).contains(&previous_end) {
            self.superseded.insert(DeadSlot { end: previous_end, hash, is_bare });
        }
        let is_candidate = slot.trailer.kind == Kind::Value
            && !self.superseded.contains(DeadSlot { end: slot.end, hash, is_bare });
        let is_live = if is_candidate {
            let log = &*state.log;
            match state.index.is_current(hash, slot.end, identity, totals.tail, log) {
                Ok(is_live) => is_live,
                Err(error) if is_format_error(&error) => {
                    let trailer = slot.end - METADATA_SIZE as u64..slot.end;
                    self.failed = Some(self.place(slot, trailer, Damage::Version));
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        } else {
            false
        };
        if is_live {
            counted.live_keys += 1;
        } else {
            counted.dead_slots += 1;
            counted.dead_bytes += slot.end - slot.start;
        }
        self.counted = Some(counted);
        Ok(())
    }

    /// The totals counted at opening and kept by commits must match what the log holds.
    fn report_counts(&mut self) {
        // If the slot were damaged, the walk would have reported it. Otherwise the versions of the
        // key do not fit together.
        if self.check.report.is_sound() {
            self.check.report.damaged.extend(self.failed.take());
        }
        let totals = self.check.totals;
        let expected = Counted {
            live_keys: totals.live_keys,
            dead_slots: totals.dead_slots,
            dead_bytes: totals.dead_bytes,
        };
        let counted = self.counted.unwrap_or(expected);
        self.check.report.live_keys = counted.live_keys;
        self.check.report.dead_slots = counted.dead_slots;
        if counted != expected {
            let range = self.check.state.layout.header_len()..totals.tail;
            self.check.report.damaged.push(DamagedPlace::new(range, Damage::Counts));
        }
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// The kind of damage that a cursor's error names.
fn damage_of(error: &io::Error) -> Damage {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(FormatError::Damaged { what, .. }) => *what,
        _ => Damage::Trailer,
    }
}
