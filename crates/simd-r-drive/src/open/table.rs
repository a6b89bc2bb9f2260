//! Step 6 of opening: the index in the log, and what was committed after it. Followers adopt newer
//! tables in the same way.

use std::io;

use simd_r_drive_entry_handle::{Barrier, BarrierTables, Checkpoint, Kind, read_slot};
use simd_r_drive_indexer::{FrozenIndex, LayeredIndex};
use simd_r_drive_writer::read_exact_at;

use super::newer::NewerSlots;
use super::tail::LogBounds;
use crate::error::is_format_error;
use crate::log::{Direction, LogFile, LogPosition, Totals, WindowReader};

/// The index of a log, up to its tail.
#[derive(Debug)]
pub(super) struct OpenedIndex {
    pub(super) index: LayeredIndex,
    pub(super) totals: Totals,
    /// Number of slots that the tables do not cover: all of them if there are none.
    pub(super) slots: u64,
    /// End of the barrier that names the tables; 0 if there are none.
    pub(super) barrier_end: u64,
    /// End of the newest index slot, whose table may be incomplete; 0 if there is none.
    pub(super) newest_index_end: u64,
}

/// Opens the tables named by the newest barrier, and replays what follows them up to the tail.
/// `walked` is what the search for the tail has seen of that. `None` if there are no tables, or if
/// they or the slots after them are not as they were written: the whole log must then be read,
/// which tells what is wrong.
///
/// # Errors
/// Any I/O error of the file.
pub(super) fn open_through_tables(
    log: &LogFile,
    checkpoints: &[Checkpoint],
    found: &LogBounds,
    mut walked: Option<NewerSlots>,
) -> io::Result<Option<OpenedIndex>> {
    for end in barrier_ends(checkpoints, found) {
        let opened = none_if_damaged(open_at(log, end, found, &mut walked))?;
        if opened.is_some() {
            return Ok(opened);
        }
    }
    log.check_reads_until(0);
    Ok(None)
}

/// Ends of the barriers through which a log may open, newest first. A crash may have left only the
/// older checkpoint, whose tables still exist.
pub(super) fn barrier_ends(checkpoints: &[Checkpoint], found: &LogBounds) -> Vec<u64> {
    let hinted = checkpoints.iter().map(|checkpoint| checkpoint.barrier_end);
    let mut ends: Vec<u64> = [found.barrier_end].into_iter().chain(hinted).collect();
    ends.retain(|end| (1..=found.tail.end).contains(end));
    // Both checkpoints of a closed store name the same barrier, as a rule.
    ends.dedup();
    ends
}

/// End of the barrier through whose tables a log up to `tail` opens: the first usable one of
/// `ends`. `None` if none is usable.
///
/// # Errors
/// Any I/O error of the file.
pub(super) fn usable_index(
    log: &LogFile,
    ends: impl IntoIterator<Item = u64>,
    tail: LogPosition,
) -> io::Result<Option<u64>> {
    for end in ends.into_iter().filter(|end| (1..=tail.end).contains(end)) {
        if none_if_damaged(covered_by(log, end, tail))?.is_some() {
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// Up to where the tables of a barrier answer, if all of them and the slots that follow are there.
fn covered_by(log: &LogFile, barrier_end: u64, tail: LogPosition) -> io::Result<Option<u64>> {
    let Some(Named { tables, .. }) = named_at(log, barrier_end)? else { return Ok(None) };
    let Some(covered) = tables.first().map(FrozenIndex::tail) else { return Ok(None) };
    NewerSlots::read(log, covered, tail)?;
    Ok(Some(covered))
}

/// End of the newest barrier that a checkpoint names and that lies within a log up to `tail`.
fn hinted_barrier(checkpoints: &[Checkpoint], tail: u64) -> Option<u64> {
    let mut ends = checkpoints.iter().map(|checkpoint| checkpoint.barrier_end);
    ends.find(|end| (1..=tail).contains(end))
}

/// The index of a log up to `tail`, through the tables that the newest checkpoint leads to, for a
/// follower with the index `current`. `None` if there are no newer tables, or if they are not as
/// they were written.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn newer_index(
    log: &LogFile,
    checkpoints: &[Checkpoint],
    current: &LayeredIndex,
    tail: LogPosition,
) -> io::Result<Option<LayeredIndex>> {
    let Some(barrier_end) = hinted_barrier(checkpoints, tail.end) else { return Ok(None) };
    none_if_damaged(index_at(log, barrier_end, current, tail))
}

/// The tables that the newest checkpoint of a log up to `tail` leads to, newest first. If they
/// cannot be used, the end of the slot of one that cannot. `None` if there are none, or if the
/// barrier that should name them is damaged, which reading the log reveals.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn named_tables(
    log: &LogFile,
    checkpoints: &[Checkpoint],
    tail: u64,
) -> io::Result<Option<Result<Vec<FrozenIndex>, u64>>> {
    let Some(barrier_end) = hinted_barrier(checkpoints, tail) else { return Ok(None) };
    if let Some(named) = none_if_damaged(named_at(log, barrier_end))? {
        return Ok(Some(Ok(named.tables)));
    }
    let barrier = none_if_damaged(barrier_at(log, barrier_end))?;
    let Some(named) = barrier.and_then(|barrier| barrier.tables) else { return Ok(None) };
    for end in &named.ends {
        if none_if_damaged(table_at(log, *end))?.is_none() {
            return Ok(Some(Err(*end)));
        }
    }
    // Each is sound, but they do not fit together.
    Ok(named.ends.first().map(|end| Err(*end)))
}

fn none_if_damaged<T>(result: io::Result<Option<T>>) -> io::Result<Option<T>> {
    match result {
        Err(error) if is_format_error(&error) => Ok(None),
        result => result,
    }
}

fn index_at(
    log: &LogFile,
    barrier_end: u64,
    current: &LayeredIndex,
    tail: LogPosition,
) -> io::Result<Option<LayeredIndex>> {
    let Some(Named { tables, all_hashes, .. }) = named_at(log, barrier_end)? else {
        return Ok(None);
    };
    let is_current =
        tables.iter().map(FrozenIndex::end).eq(current.frozen().map(|table| table.end()));
    let covered_before = current.frozen().next().map_or(0, |table| table.tail());
    let covered = tables.first().map_or(0, FrozenIndex::tail);
    if is_current || covered < covered_before {
        return Ok(None);
    }
    let newer = NewerSlots::read(log, covered, tail)?;
    let index = LayeredIndex::over(&log.layout, tables, all_hashes);
    log.check_reads_until(covered);
    index.fill(newer.insertions(), log)?;
    Ok(Some(index))
}

fn open_at(
    log: &LogFile,
    barrier_end: u64,
    found: &LogBounds,
    walked: &mut Option<NewerSlots>,
) -> io::Result<Option<OpenedIndex>> {
    let Some(Named { tables, all_hashes, totals }) = named_at(log, barrier_end)? else {
        return Ok(None);
    };
    let Some(covered) = tables.first().map(FrozenIndex::tail) else { return Ok(None) };
    // The search for the tail has already checked what follows the durable point, payloads
    // included.
    let walked = walked.take_if(|_| covered < found.durable.end);
    let newer = match walked {
        Some(walked) => NewerSlots::read(log, covered, found.durable)?.followed_by(walked),
        None => NewerSlots::read(log, covered, found.tail)?,
    };
    log.check_reads_until(covered);
    let newest_index_end =
        tables.iter().map(FrozenIndex::end).fold(newer.newest_index_end(), u64::max);
    let index = LayeredIndex::over(&log.layout, tables, all_hashes);
    let delta = newer.delta(log, covered, barrier_end)?;
    index.fill(newer.insertions(), log)?;
    Ok(Some(OpenedIndex {
        index,
        totals: totals.after(found.tail.end, delta),
        slots: newer.slots(),
        barrier_end,
        newest_index_end,
    }))
}

/// The tables that a barrier names.
struct Named {
    /// Newest first.
    tables: Vec<FrozenIndex>,
    all_hashes: u64,
    /// Totals of the log below the barrier.
    totals: Totals,
}

/// The tables named by the barrier in the slot that ends at `end`. `None` if there are none, or if
/// one is missing.
fn named_at(log: &LogFile, end: u64) -> io::Result<Option<Named>> {
    let Some(barrier) = barrier_at(log, end)? else { return Ok(None) };
    let Barrier { live_keys, dead_bytes, tables: Some(named), .. } = barrier else {
        return Ok(None);
    };
    let mut tables = Vec::with_capacity(named.ends.len());
    for table_end in &named.ends {
        // Tables are completed before a barrier names them.
        if *table_end >= end {
            return Ok(None);
        }
        let Some(table) = table_at(log, *table_end)? else { return Ok(None) };
        tables.push(table);
    }
    let is_order_right = tables.is_sorted_by(|newer, older| newer.tail() > older.tail());
    let is_set_right = tables
        .iter()
        .rev()
        .map(FrozenIndex::is_complete)
        .enumerate()
        .all(|(number, is_complete)| is_complete == (number == 0));
    let BarrierTables { dead_slots, all_hashes, .. } = named;
    let totals = Totals { tail: end, live_keys, dead_slots, dead_bytes };
    Ok((is_order_right && is_set_right).then_some(Named { tables, all_hashes, totals }))
}

/// The barrier in the slot that ends at `end`. `None` if that is no barrier, or not a whole one.
fn barrier_at(log: &LogFile, end: u64) -> io::Result<Option<Barrier>> {
    let mut source = WindowReader::new(&*log.file, end, Direction::Backward);
    let slot = read_slot(&mut source, &log.layout, end)?;
    let (start, len) = (slot.start, slot.trailer.payload_len);
    if slot.trailer.kind != Kind::Barrier || len > Barrier::MAX_LEN as u64 {
        return Ok(None);
    }
    let payload_crc = slot.trailer.payload_crc;
    let mut payload = vec![0; len as usize];
    read_exact_at(&*log.file, &mut payload, start)?;
    let is_whole = crc32fast::hash(&payload) == payload_crc;
    Ok(Barrier::decode(&payload).filter(|_| is_whole))
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
