//! Checks of the index lines in the file.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Damage, read_slot};
use simd_r_drive_indexer::FrozenIndex;
use simd_r_drive_writer::read_exact_at;

use super::{Check, DamagedPlace};
use crate::error::is_format_error;
use crate::log::{Direction, LogFile, WindowReader};
use crate::open::{named_tables, read_checkpoints};
use crate::store::DataStore;

/// Bytes read at a time: a multiple of a line, and at least two lines.
const PIECE_LEN: u64 = 1 << 20;

/// Length of a line in bytes.
const LINE_LEN: u64 = 64;

/// How often to check an index that a writer elsewhere keeps replacing.
const ATTEMPTS: usize = 3;

impl DataStore {
    /// Checks the tables that are in use, or that a new open would use. Returns whether they are
    /// sound.
    pub(super) fn check_index(&self, check: &mut Check<'_>) -> io::Result<bool> {
        let held: Vec<_> = check.state.index.frozen().cloned().collect();
        if !self.is_read_only() && !held.is_empty() {
            // While this read state is held, the space of its tables is not given back.
            let damaged = check_tables(&held, check)?;
            return Ok(note(check, damaged));
        }
        let log = Arc::clone(&check.state.log);
        for _ in 0..ATTEMPTS {
            let checkpoints = read_checkpoints(&*log.file, &log.identity)?;
            let named = named_tables(&log, &checkpoints, check.totals.tail)?;
            let damaged = match named {
                // Without hints, a search has led to the tables in use.
                None => check_tables(&held, check)?,
                Some(Ok(tables)) => {
                    let tables: Vec<_> = tables.into_iter().map(Arc::new).collect();
                    check_tables(&tables, check)?
                }
                Some(Err(end)) => match payload_of(&log, end)? {
                    Some(payload) => vec![DamagedPlace::new(payload, Damage::Index)],
                    // The walk through the log reports that slot.
                    None => return Ok(false),
                },
            };
            // A writer elsewhere may have merged them and given their space back.
            if damaged.is_empty() || read_checkpoints(&*log.file, &log.identity)? == checkpoints {
                return Ok(note(check, damaged));
            }
        }
        Ok(false)
    }
}

/// The payload's range in the slot that ends at `end`; `None` if the slot is damaged.
pub(super) fn payload_of(log: &LogFile, end: u64) -> io::Result<Option<Range<u64>>> {
    let mut source = WindowReader::new(&*log.file, end, Direction::Backward);
    match read_slot(&mut source, &log.layout, end) {
        Ok(slot) => Ok(Some(slot.start..slot.start + slot.trailer.payload_len)),
        Err(error) if is_format_error(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn note(check: &mut Check<'_>, damaged: Vec<DamagedPlace>) -> bool {
    let is_sound = damaged.is_empty();
    check.report.damaged.extend(damaged);
    is_sound
}

fn check_tables(
    tables: &[Arc<FrozenIndex>],
    check: &mut Check<'_>,
) -> io::Result<Vec<DamagedPlace>> {
    let mut damaged = Vec::new();
    let bytes: u64 = tables.iter().map(|table| table.table_bytes()).sum();
    check.total_bytes += bytes;
    check.report.index_lines = bytes / LINE_LEN;
    for table in tables {
        check_table(table, check, &mut damaged)?;
    }
    Ok(damaged)
}

fn check_table(
    table: &FrozenIndex,
    check: &mut Check<'_>,
    damaged: &mut Vec<DamagedPlace>,
) -> io::Result<()> {
    let len = table.table_bytes();
    let mut piece = vec![0; len.min(PIECE_LEN) as usize];
    let mut at = 0;
    while at < len {
        let piece = &mut piece[..(len - at).min(PIECE_LEN) as usize];
        read_exact_at(&*check.state.file, piece, table.start() + at)?;
        let places = table.damaged_lines(at / LINE_LEN, piece).into_iter();
        damaged.extend(places.map(|range| DamagedPlace::new(range, Damage::Index)));
        at += piece.len() as u64;
        check.advance(piece.len() as u64)?;
    }
    Ok(())
}
