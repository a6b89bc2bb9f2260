//! The slots that are newer than an index: what they add to it, and how they change the totals.

use std::io;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{Damage, FormatError, Kind, LogCursor, LogSlot, SealedTrailer};
use simd_r_drive_indexer::Insertion;
use simd_r_drive_writer::read_exact_at;

use crate::error::is_format_error;
use crate::log::{Delta, Direction, LogFile, LogPosition, WindowReader, chain_of};

/// Trailers no further apart than this are read together: copying that much is cheaper than another
/// call.
const GAP_MAX: u64 = 2 << 10;

/// Maximum number of trailers read together.
const RUN_LEN: usize = 256;

/// Consecutive slots of a log, oldest first.
#[derive(Debug, Default)]
pub(super) struct NewerSlots {
    /// Number of slots, including those that belong to no key, except those of tables.
    slots: u64,
    /// End of the newest index slot; 0 if there is none.
    newest_index_end: u64,
    insertions: Vec<Insertion>,
    /// Length of each slot in bytes. The lowest bit, which is free, tells whether the slot replaces
    /// a live value.
    lens: Vec<u64>,
    committed: Committed,
}

/// How many of the slots and insertions belong to complete commits.
#[derive(Debug, Default, Clone, Copy)]
struct Committed {
    slots: u64,
    insertions: usize,
    /// End of the last complete commit; `None` if there is none.
    tail: Option<LogPosition>,
}

impl NewerSlots {
    /// Reads the slots of `(from, to]`, and makes sure that they are genuine and linked. They begin
    /// with the index slot whose tables cover everything below. What is below may be damaged, and
    /// is not read.
    pub(super) fn read(log: &LogFile, from: u64, to: LogPosition) -> io::Result<Self> {
        let source = WindowReader::new(&*log.file, to.end, Direction::Backward);
        let expected_self = to.seal.self_half();
        let mut cursor = LogCursor::new(source, log.layout, to.end, Some(expected_self));
        let mut slots = Self::default();
        let mut oldest = None;
        while cursor.position() > from
            && let Some(slot) = cursor.previous()?
        {
            oldest = Some(slot.trailer.kind);
            slots.push(&slot);
        }
        if cursor.position() != from || oldest != Some(Kind::Index) {
            return Err(FormatError::damaged(from, Damage::Link).into());
        }
        slots.insertions.reverse();
        slots.lens.reverse();
        Ok(slots)
    }

    /// Adds a slot.
    #[inline]
    pub(super) fn push(&mut self, slot: &LogSlot<'_>) {
        let trailer = &slot.trailer;
        self.slots += u64::from(trailer.kind != Kind::Index);
        if trailer.kind.is_keyed() {
            let (hash, _) = chain_of(trailer.is_bare(), slot.key);
            self.insertions.push(Insertion {
                hash,
                end: slot.end,
                replaces: trailer.previous_end,
                is_tombstone: trailer.is_tombstone(),
                is_bare: trailer.is_bare(),
                is_new: trailer.is_new_hash(),
                is_settled: false,
            });
            self.lens.push((slot.end - slot.start) | u64::from(trailer.replaces_live()));
        }
        if trailer.is_commit() {
            self.committed = Committed {
                slots: self.slots,
                insertions: self.insertions.len(),
                tail: Some(LogPosition { end: slot.end, seal: slot.seal }),
            };
            if trailer.kind == Kind::Index {
                self.newest_index_end = self.newest_index_end.max(slot.end);
            }
        }
    }

    /// Whether the slot added last ends a commit.
    pub(super) fn is_complete(&self) -> bool {
        self.slots == self.committed.slots
    }

    /// Drops the slots after the last complete commit. Returns the end of that commit, if there is
    /// one.
    pub(super) fn drop_uncommitted(&mut self) -> Option<LogPosition> {
        let Committed { slots, insertions, tail } = self.committed;
        self.slots = slots;
        self.insertions.truncate(insertions);
        self.lens.truncate(insertions);
        tail
    }

    /// These slots, followed by `newer`.
    pub(super) fn followed_by(mut self, newer: Self) -> Self {
        self.slots += newer.slots;
        self.newest_index_end = self.newest_index_end.max(newer.newest_index_end);
        if self.insertions.is_empty() {
            // Only slots without a key, such as a barrier: nothing to copy.
            (self.insertions, self.lens) = (newer.insertions, newer.lens);
        } else {
            self.insertions.extend_from_slice(&newer.insertions);
            self.lens.extend_from_slice(&newer.lens);
        }
        self
    }

    pub(super) fn slots(&self) -> u64 {
        self.slots
    }

    pub(super) fn newest_index_end(&self) -> u64 {
        self.newest_index_end
    }

    pub(super) fn insertions(&self) -> &[Insertion] {
        &self.insertions
    }

    /// How these slots, which begin at `from`, change the totals, counting only those beyond
    /// `counted`. Previous versions below `from` are read from the file.
    pub(super) fn delta(&self, log: &LogFile, from: u64, counted: u64) -> io::Result<Delta> {
        let mut delta = Delta::default();
        let mut replaced = Vec::new();
        let slots = self.insertions.iter().zip(&self.lens);
        for (insertion, len) in slots.skip_while(|(insertion, _)| insertion.end <= counted) {
            let replaces_live = len & 1 != 0;
            if replaces_live {
                replaced.push(insertion.replaces);
            }
            delta.add_slot(insertion.is_tombstone, replaces_live, len & !1, 0);
        }
        replaced.sort_unstable();
        let (older, newer) = replaced.split_at(replaced.partition_point(|end| *end <= from));
        delta.dead_bytes += self.len_of(newer)? + len_in_file(log, older)?;
        Ok(delta)
    }

    /// Total length of the slots that end at `ends`, which must be sorted.
    fn len_of(&self, ends: &[u64]) -> io::Result<u64> {
        let mut slots = self.insertions.iter().zip(&self.lens).peekable();
        let mut sum = 0;
        for end in ends {
            while slots.next_if(|(insertion, _)| insertion.end < *end).is_some() {}
            match slots.peek() {
                Some((insertion, len)) if insertion.end == *end => sum += **len & !1,
                _ => return Err(FormatError::no_such_slot(*end).into()),
            }
        }
        Ok(sum)
    }
}

/// Total length of the slots that end at `ends`, which must be sorted. Read from the file, not
/// through the map.
fn len_in_file(log: &LogFile, ends: &[u64]) -> io::Result<u64> {
    let mut buffer = Vec::new();
    let mut sum = 0;
    let near = ends.chunk_by(|end, next| next - end <= GAP_MAX);
    for run in near.flat_map(|ends| ends.chunks(RUN_LEN)) {
        sum += match len_of_run(log, run, &mut buffer) {
            // The bytes between the trailers may be the unreadable ones.
            Err(error) if run.len() > 1 && !is_format_error(&error) => {
                let alone = run.chunks(1).map(|end| len_of_run(log, end, &mut buffer));
                alone.sum::<io::Result<u64>>()?
            }
            result => result?,
        };
    }
    Ok(sum)
}

/// Total length of some slots whose trailers are read together.
///
/// A damaged slot counts as nothing: it is superseded, and must not keep the store from opening.
fn len_of_run(log: &LogFile, ends: &[u64], buffer: &mut Vec<u8>) -> io::Result<u64> {
    let (Some(first), Some(last)) = (ends.first(), ends.last()) else { return Ok(0) };
    let at = first.checked_sub(METADATA_SIZE as u64);
    let at = at.ok_or(FormatError::no_such_slot(*first))?;
    buffer.resize((last - at) as usize, 0);
    read_exact_at(&*log.file, buffer, at)?;
    let len_of = |end: &u64| {
        let bytes = buffer.get(..(end - at) as usize)?.last_chunk()?;
        let trailer = SealedTrailer::decode(bytes)?;
        Some(end - log.layout.slot_start(*end, &trailer.fields)?)
    };
    Ok(ends.iter().filter_map(len_of).sum())
}
