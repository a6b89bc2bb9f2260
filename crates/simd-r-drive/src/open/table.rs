//! The newest index in the log, and what was committed after it: step 6 of opening, the short way; and what a reader that
//! follows a writer adopts.

use std::io;

use simd_r_drive_entry_handle::{Checkpoint, Kind, read_slot};
use simd_r_drive_indexer::{FrozenIndex, LayeredIndex};

use super::newer::NewerSlots;
use super::tail::{Point, Tail, is_format_error};
use super::window_reader::{Direction, WindowReader};
use crate::generation::{LogFile, Totals};

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

/// Opens the newest index that a checkpoint names, and replays what follows it up to the tail; `walked` is what the search
/// for the tail has seen of that. `None` if there is no such index, or if it, or what follows it, is not as it was
/// written: then the whole log must be read, which tells what is wrong.
///
/// # Errors
/// The file's.
pub(super) fn open_through_table(
    log: &LogFile,
    checkpoints: &[Checkpoint],
    found: &Tail,
    walked: NewerSlots,
) -> io::Result<Option<OpenedTable>> {
    let mut walked = Some(walked);
    for checkpoint in with_index(checkpoints, found.tail.end) {
        let opened = none_if_damaged(open_at(log, checkpoint.index_end, found, &mut walked))?;
        if opened.is_some() {
            return Ok(opened);
        }
    }
    log.check_reads_until(0);
    Ok(None)
}

/// End of the index slot through which a log up to `tail` opens, of those at `ends`, which are
/// tried in this order. `None` if none of them will do.
///
/// # Errors
/// The file's.
pub(super) fn usable_index(
    log: &LogFile,
    ends: impl IntoIterator<Item = u64>,
    tail: Point,
) -> io::Result<Option<u64>> {
    for end in ends.into_iter().filter(|end| (1..=tail.end).contains(end)) {
        if none_if_damaged(covered_by(log, end, tail))?.is_some() {
            return Ok(Some(end));
        }
    }
    Ok(None)
}

/// The `covered` of the newest table that answers with the one in the slot that ends at
/// `index_end`, if all of them are there, and so are the slots that follow.
fn covered_by(log: &LogFile, index_end: u64, tail: Point) -> io::Result<Option<u64>> {
    let Some(Named { tables, .. }) = tables(log, index_end, tail.end)? else { return Ok(None) };
    let Some(covered) = tables.first().map(FrozenIndex::tail) else { return Ok(None) };
    NewerSlots::read(log, covered, tail)?;
    Ok(Some(covered))
}

/// The checkpoints that name an index which a log up to `tail` can hold, newest first. A crash may have left only the
/// older one, whose tables are still there.
fn with_index(checkpoints: &[Checkpoint], tail: u64) -> impl Iterator<Item = &Checkpoint> {
    checkpoints.iter().filter(move |it| (1..=tail).contains(&it.index_end))
}

/// The index of a log up to `tail`, through the tables that the newest checkpoint names: for a reader that follows a log
/// with the index `current`. `None` if there are no newer ones, or if they are not as they were written.
///
/// # Errors
/// The file's.
pub(crate) fn newer_index(
    log: &LogFile,
    checkpoints: &[Checkpoint],
    current: &LayeredIndex,
    tail: Point,
) -> io::Result<Option<LayeredIndex>> {
    let Some(newest) = with_index(checkpoints, tail.end).next() else { return Ok(None) };
    if newest.index_end == current.newest_table_end() {
        return Ok(None);
    }
    let covered = current.frozen().next().map_or(0, |table| table.tail());
    none_if_damaged(index_at(log, newest.index_end, covered, tail))
}

/// The tables that the newest checkpoint with an index names, newest first, of a log up to `tail`;
/// or, if they cannot be used, the end of the slot of one that cannot. `None` if no checkpoint
/// names any.
///
/// # Errors
/// The file's.
pub(crate) fn named_tables(
    log: &LogFile,
    checkpoints: &[Checkpoint],
    tail: u64,
) -> io::Result<Option<Result<Vec<FrozenIndex>, u64>>> {
    let Some(newest) = with_index(checkpoints, tail).next() else { return Ok(None) };
    let end = newest.index_end;
    if let Some(named) = none_if_damaged(tables(log, end, tail))? {
        return Ok(Some(Ok(named.tables)));
    }
    let Some(table) = none_if_damaged(table_at(log, end))? else { return Ok(Some(Err(end))) };
    for other in table.newer_ends().iter().chain(table.older_ends()).copied() {
        if other <= tail && none_if_damaged(table_at(log, other))?.is_none() {
            return Ok(Some(Err(other)));
        }
    }
    Ok(Some(Err(end)))
}

fn none_if_damaged<T>(result: io::Result<Option<T>>) -> io::Result<Option<T>> {
    match result {
        Err(error) if is_format_error(&error) => Ok(None),
        result => result,
    }
}

fn index_at(
    log: &LogFile,
    index_end: u64,
    covered_before: u64,
    tail: Point,
) -> io::Result<Option<LayeredIndex>> {
    let Some(Named { tables, number }) = tables(log, index_end, tail.end)? else { return Ok(None) };
    let covered = tables.first().map_or(0, FrozenIndex::tail);
    if covered < covered_before {
        return Ok(None);
    }
    let newer = NewerSlots::read(log, covered, tail)?;
    let index = LayeredIndex::over(&log.layout, tables, number);
    log.check_reads_until(covered);
    index.fill(newer.insertions(), log)?;
    Ok(Some(index))
}

fn open_at(
    log: &LogFile,
    index_end: u64,
    found: &Tail,
    walked: &mut Option<NewerSlots>,
) -> io::Result<Option<OpenedTable>> {
    let named = tables(log, index_end, found.tail.end)?;
    let Some(Named { tables, number }) = named else { return Ok(None) };
    let Some(newest) = tables.first() else { return Ok(None) };
    let totals = Totals {
        tail: found.tail.end,
        live_keys: newest.totals().live_keys,
        dead_slots: newest.totals().dead_slots,
        dead_bytes: newest.totals().dead_bytes,
    };
    let covered = newest.tail();
    // The search for the tail has checked what follows the durable point, and more of it.
    let walked = walked.take_if(|_| covered < found.durable.end);
    let newer = match walked {
        Some(walked) => NewerSlots::read(log, covered, found.durable)?.followed_by(walked),
        None => NewerSlots::read(log, covered, found.tail)?,
    };
    log.check_reads_until(covered);
    let index = LayeredIndex::over(&log.layout, tables, number);
    let delta = newer.delta(log, covered)?;
    index.fill(newer.insertions(), log)?;
    Ok(Some(OpenedTable {
        index,
        totals: totals.after(found.tail.end, delta),
        slots: newer.slots(),
        index_end,
        newest_index_end: newer.newest_index_end(),
    }))
}

/// Tables that answer together, newest first, and the number of the one that names the others.
struct Named {
    tables: Vec<FrozenIndex>,
    number: usize,
}

/// The table in the slot that ends at `end`, and those that it names. `None` if one is missing, or stands beyond the
/// tail, as in a file whose end was cut off: a table may name newer ones that are further on in the log.
fn tables(log: &LogFile, end: u64, tail: u64) -> io::Result<Option<Named>> {
    let Some(table) = table_at(log, end)? else { return Ok(None) };
    let (newer, older) = (table.newer_ends().to_vec(), table.older_ends().to_vec());
    let number = newer.len();
    let mut tables = Vec::with_capacity(newer.len() + older.len() + 1);
    tables.push(table);
    for end in newer.into_iter().chain(older) {
        if end > tail {
            return Ok(None);
        }
        let Some(table) = table_at(log, end)? else { return Ok(None) };
        tables.push(table);
    }
    // The one that names them comes behind those that are newer.
    tables[..=number].rotate_left(1);
    let are_in_order = tables.is_sorted_by(|newer, older| newer.tail() > older.tail());
    Ok(are_in_order.then_some(Named { tables, number }))
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
