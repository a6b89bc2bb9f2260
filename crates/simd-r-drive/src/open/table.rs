//! Step 6 of opening, the short way: the newest index in the log, and what was committed after it.

use std::io;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{
    Checkpoint, Damage, FormatError, Kind, LogCursor, LogSlot, SealedTrailer, read_slot,
};
use simd_r_drive_indexer::{FrozenIndex, Insertion, LayeredIndex};
use simd_r_drive_writer::read_exact_at;

use super::replay::line_of;
use super::tail::{Point, is_format_error};
use super::window_reader::{Direction, WindowReader};
use crate::generation::{LogFile, Totals};
use crate::plan::Delta;

/// Most tables that stand on one another: more than any writer makes.
const TABLES_MAX: usize = 64;

/// How many slots are inserted in one step.
const STEP: usize = 1024;

/// A log whose newest index was found, up to date.
#[derive(Debug)]
pub(super) struct OpenedTable {
    pub(super) index: LayeredIndex,
    pub(super) totals: Totals,
    /// Slots behind the index.
    pub(super) slots: u64,
    /// End of the index slot.
    pub(super) index_end: u64,
    /// End of the newest index slot, whose index may not have been completed.
    pub(super) newest_index_end: u64,
}

/// Opens the newest index that a checkpoint names, and replays what follows it up to `tail`. `None` if there is no such
/// index, or if it, or what follows it, is not as it was written: then the whole log must be read, which tells what
/// is wrong.
///
/// # Errors
/// The file's.
pub(super) fn open_through_table(
    log: &mut LogFile,
    checkpoints: &[Checkpoint],
    tail: Point,
) -> io::Result<Option<OpenedTable>> {
    let ends = checkpoints.iter().map(|checkpoint| checkpoint.index_end);
    let Some(index_end) = ends.filter(|end| *end <= tail.end).max().filter(|end| *end > 0) else {
        return Ok(None);
    };
    match open_at(log, index_end, tail) {
        Ok(opened) => Ok(opened),
        Err(error) if is_format_error(&error) => {
            log.unchecked_until = 0;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn open_at(log: &mut LogFile, index_end: u64, tail: Point) -> io::Result<Option<OpenedTable>> {
    let Some((tables, self_half)) = tables(log, index_end)? else { return Ok(None) };
    let Some(newest) = tables.first() else { return Ok(None) };
    let mut totals = Totals {
        tail: tail.end,
        live_keys: newest.totals().live_keys,
        dead_slots: newest.totals().dead_slots,
        dead_bytes: newest.totals().dead_bytes,
    };
    let later = Later::read(log, index_end, self_half, tail)?;
    log.unchecked_until = index_end;
    let index = LayeredIndex::over(&log.layout, tables);
    let delta = later.delta(log)?;
    index.reserve(later.insertions.len());
    for step in later.insertions.chunks(STEP) {
        index.insert_batch(step, &*log)?;
    }
    totals = totals.after(tail.end, delta);
    let Later { newest_index_end, slots, .. } = later;
    Ok(Some(OpenedTable { index, totals, slots, index_end, newest_index_end }))
}

/// The table in the slot that ends at `end`, and those that it stands on, newest first; and the `self` half of the
/// seal of its slot. `None` if one is missing.
fn tables(log: &LogFile, end: u64) -> io::Result<Option<(Vec<FrozenIndex>, u32)>> {
    let mut tables: Vec<FrozenIndex> = Vec::new();
    let mut newest_self = 0;
    let mut next = Some(end);
    while let Some(end) = next {
        let mut source = WindowReader::new(&*log.file, end, Direction::Backward);
        let slot = read_slot(&mut source, &log.layout, end)?;
        let is_older = tables.last().is_none_or(|newer| end <= newer.tail());
        if slot.trailer.kind != Kind::Index || !is_older || tables.len() == TABLES_MAX {
            return Ok(None);
        }
        if tables.is_empty() {
            newest_self = slot.seal.self_half();
        }
        let table = log.frozen_index(slot.start, slot.trailer.payload_len, end);
        let Some(table) = table else { return Ok(None) };
        next = table.base_end();
        tables.push(table);
    }
    Ok(Some((tables, newest_self)))
}

/// What follows an index slot in the log, oldest first.
struct Later {
    index_end: u64,
    newest_index_end: u64,
    slots: u64,
    insertions: Vec<Insertion>,
    /// Length of each one's slot in bytes, and in the lowest bit, which is free, whether it replaces a live value.
    lens: Vec<u64>,
}

impl Later {
    /// Reads the slots of `(from, tail]` and makes sure that they are genuine and follow the one that ends at `from`.
    fn read(log: &LogFile, from: u64, from_self: u32, tail: Point) -> io::Result<Self> {
        let source = WindowReader::new(&*log.file, tail.end, Direction::Backward);
        let mut cursor = LogCursor::new(source, log.layout, tail.end, Some(tail.seal.self_half()));
        let mut later = Self {
            index_end: from,
            newest_index_end: from,
            slots: 0,
            insertions: Vec::new(),
            lens: Vec::new(),
        };
        let mut expected_self = tail.seal.self_half();
        while cursor.position() > from
            && let Some(slot) = cursor.previous()?
        {
            expected_self = slot.predecessor;
            later.slots += 1;
            if slot.trailer.kind == Kind::Index {
                later.newest_index_end = later.newest_index_end.max(slot.end);
            }
            later.take(&slot);
        }
        if cursor.position() != from || expected_self != from_self {
            return Err(FormatError::damaged(from, Damage::Link).into());
        }
        later.insertions.reverse();
        later.lens.reverse();
        Ok(later)
    }

    fn take(&mut self, slot: &LogSlot<'_>) {
        let trailer = &slot.trailer;
        if !trailer.kind.is_keyed() {
            return;
        }
        let (hash, _) = line_of(trailer.is_bare(), slot.key);
        self.insertions.push(Insertion {
            hash,
            end: slot.end,
            replaces: trailer.previous_end,
            is_tombstone: trailer.kind == Kind::Tombstone,
            is_bare: trailer.is_bare(),
            is_new: false,
        });
        self.lens.push((slot.end - slot.start) | u64::from(trailer.replaces_live()));
    }

    /// How these slots change the totals.
    fn delta(&self, log: &LogFile) -> io::Result<Delta> {
        let mut delta = Delta::default();
        for (insertion, len) in self.insertions.iter().zip(&self.lens) {
            let replaces_live = len & 1 != 0;
            let replaced = if replaces_live { self.slot_len(log, insertion.replaces)? } else { 0 };
            delta.add_slot(insertion.is_tombstone, replaces_live, len & !1, replaced);
        }
        Ok(delta)
    }

    /// The length of the slot that ends at `end`. Read from the file, not through the map.
    ///
    /// 0 if it stands below the index and is damaged: it is superseded, and must not keep the store from opening.
    fn slot_len(&self, log: &LogFile, end: u64) -> io::Result<u64> {
        if end > self.index_end {
            let at = self.insertions.binary_search_by_key(&end, |insertion| insertion.end);
            let len = at.ok().and_then(|at| self.lens.get(at));
            return len.map(|len| len & !1).ok_or(FormatError::NoSuchSlot { offset: end }.into());
        }
        let mut trailer = [0; METADATA_SIZE];
        let at = end.checked_sub(METADATA_SIZE as u64);
        let at = at.ok_or(FormatError::NoSuchSlot { offset: end })?;
        read_exact_at(&*log.file, &mut trailer, at)?;
        let trailer = SealedTrailer::decode_at(&trailer, end).ok();
        let start = trailer.and_then(|trailer| log.layout.slot_start(end, &trailer.fields));
        Ok(start.map_or(0, |start| end - start))
    }
}
