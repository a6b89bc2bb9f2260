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

/// How many slots are inserted in one step.
const STEP: usize = 1024;

/// A log whose newest index was found, up to date.
#[derive(Debug)]
pub(super) struct OpenedTable {
    pub(super) index: LayeredIndex,
    pub(super) totals: Totals,
    /// Slots that the tables do not answer for.
    pub(super) slots: u64,
    /// End of the index slot of the table that names the others.
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
    // Newest first. A crash may have left only the older one, whose tables are still there.
    for checkpoint in checkpoints.iter().filter(|it| (1..=tail.end).contains(&it.index_end)) {
        match open_at(log, checkpoint.index_end, tail) {
            Ok(None) => {}
            Err(error) if is_format_error(&error) => {}
            result => return result,
        }
        log.unchecked_until = 0;
    }
    Ok(None)
}

fn open_at(log: &mut LogFile, index_end: u64, tail: Point) -> io::Result<Option<OpenedTable>> {
    let Some(Found { tables, named }) = find(log, index_end)? else { return Ok(None) };
    let Some(newest) = tables.first() else { return Ok(None) };
    let mut totals = Totals {
        tail: tail.end,
        live_keys: newest.totals().live_keys,
        dead_slots: newest.totals().dead_slots,
        dead_bytes: newest.totals().dead_bytes,
    };
    let covered = newest.tail();
    let later = Later::read(log, covered, tail)?;
    log.unchecked_until = covered;
    let index = LayeredIndex::over(&log.layout, tables, named);
    let delta = later.delta(log)?;
    index.reserve(later.insertions.len());
    for step in later.insertions.chunks(STEP) {
        index.insert_batch(step, &*log)?;
    }
    totals = totals.after(tail.end, delta);
    let Later { newest_index_end, slots, .. } = later;
    Ok(Some(OpenedTable { index, totals, slots, index_end, newest_index_end }))
}

/// Tables that answer together, newest first, and the number of the one that names the others.
struct Found {
    tables: Vec<FrozenIndex>,
    named: usize,
}

/// The table in the slot that ends at `end`, and those that it names. `None` if one is missing.
fn find(log: &LogFile, end: u64) -> io::Result<Option<Found>> {
    let Some(table) = table_at(log, end)? else { return Ok(None) };
    let (newer, older) = (table.newer_ends().to_vec(), table.older_ends().to_vec());
    let named = newer.len();
    let mut tables = Vec::with_capacity(newer.len() + older.len() + 1);
    for end in newer {
        let Some(table) = table_at(log, end)? else { return Ok(None) };
        tables.push(table);
    }
    tables.push(table);
    for end in older {
        let Some(table) = table_at(log, end)? else { return Ok(None) };
        tables.push(table);
    }
    let are_in_order = tables.is_sorted_by(|newer, older| newer.tail() > older.tail());
    Ok(are_in_order.then_some(Found { tables, named }))
}

fn table_at(log: &LogFile, end: u64) -> io::Result<Option<FrozenIndex>> {
    let mut source = WindowReader::new(&*log.file, end, Direction::Backward);
    let slot = read_slot(&mut source, &log.layout, end)?;
    if slot.trailer.kind != Kind::Index {
        return Ok(None);
    }
    let (start, payload_len) = (slot.start, slot.trailer.payload_len);
    Ok(log.frozen_index(start, payload_len, end).filter(|table| table.tail() <= start))
}

/// What follows in the log on what the tables answer for, oldest first.
struct Later {
    /// Up to here they do.
    covered: u64,
    newest_index_end: u64,
    slots: u64,
    insertions: Vec<Insertion>,
    /// Length of each one's slot in bytes, and in the lowest bit, which is free, whether it replaces a live value.
    lens: Vec<u64>,
}

impl Later {
    /// Reads the slots of `(from, tail]` and makes sure that they are genuine and follow one another, beginning with the
    /// index slot for which everything below was put into tables. What is below may be damaged, and is not looked at.
    fn read(log: &LogFile, from: u64, tail: Point) -> io::Result<Self> {
        let source = WindowReader::new(&*log.file, tail.end, Direction::Backward);
        let mut cursor = LogCursor::new(source, log.layout, tail.end, Some(tail.seal.self_half()));
        let mut later = Self {
            covered: from,
            newest_index_end: 0,
            slots: 0,
            insertions: Vec::new(),
            lens: Vec::new(),
        };
        let mut oldest = None;
        while cursor.position() > from
            && let Some(slot) = cursor.previous()?
        {
            oldest = Some(slot.trailer.kind);
            if slot.trailer.kind == Kind::Index {
                later.newest_index_end = later.newest_index_end.max(slot.end);
            } else {
                later.slots += 1;
            }
            later.take(&slot);
        }
        if cursor.position() != from || oldest != Some(Kind::Index) {
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
        if end > self.covered {
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
