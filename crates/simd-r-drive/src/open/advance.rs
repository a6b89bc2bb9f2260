//! Following a log that another process writes.

use std::io;

use simd_r_drive_entry_handle::Kind;
use simd_r_drive_indexer::Insertion;

use super::replay::line_of;
use super::tail::{Point, find_tail_from};
use crate::generation::Generation;
use crate::maps;
use crate::plan::Delta;

/// How many bytes are searched for commits in one step.
const SEARCH_LEN: u64 = 8 << 20;

/// How many slots are made visible in one step, at the least; a commit is never divided.
const STEP: usize = 16 * 1024;

/// Makes visible what was committed to the generation's file since `from`, the tail that it shows. Returns the
/// new tail.
///
/// Only whole commits whose every slot is genuine count, as after a crash; nothing depends on what the writer
/// has published.
///
/// # Errors
/// The file's.
pub(crate) fn advance(generation: &Generation, from: Point) -> io::Result<Point> {
    let len = generation.file.len()?;
    let mut position = from;
    let mut search_len = SEARCH_LEN;
    loop {
        let end = len.min(position.end.saturating_add(search_len));
        let tail = if end > position.end {
            find_tail_from(&*generation.file, &generation.layout, position, end)?
        } else {
            position
        };
        if tail != position {
            make_room(generation, tail.end)?;
            for commits in slots_between(generation, position.end, tail.end)? {
                publish(generation, &commits)?;
            }
            position = tail;
            search_len = SEARCH_LEN;
        } else if end < len {
            // A commit that is longer than what was searched, or space that is allocated ahead.
            search_len = search_len.saturating_mul(4);
        } else {
            return Ok(position);
        }
    }
}

fn make_room(generation: &Generation, end: u64) -> io::Result<()> {
    if !generation.publication.needs_map(end) {
        return Ok(());
    }
    let map = maps::map(&*generation.file, generation.layout.alignment(), end)?;
    if generation.publication.add_map(map) { Ok(()) } else { Err(maps::too_many()) }
}

/// The ends of the slots in `(from, to]`, oldest first, in groups that end with a commit.
fn slots_between(generation: &Generation, from: u64, to: u64) -> io::Result<Vec<Vec<u64>>> {
    generation.publication.reveal(to);
    let mut groups = vec![Vec::new()];
    let mut end = to;
    while end > from {
        let (_, slot) = generation.mapped_slot(end)?;
        if let Some(group) = groups.last_mut() {
            // Walking backward, a commit's last slot comes first.
            if slot.trailer.fields.is_commit() && group.len() >= STEP {
                groups.push(vec![end]);
            } else {
                group.push(end);
            }
        }
        end = slot.start;
    }
    groups.reverse();
    for group in &mut groups {
        group.reverse();
    }
    Ok(groups)
}

fn publish(generation: &Generation, ends: &[u64]) -> io::Result<()> {
    let Some(tail) = ends.last() else { return Ok(()) };
    let mut delta = Delta::default();
    let mut insertions = Vec::with_capacity(ends.len());
    for end in ends {
        let (_, slot) = generation.mapped_slot(*end)?;
        let fields = &slot.trailer.fields;
        if !fields.kind.is_keyed() {
            continue;
        }
        let is_tombstone = fields.kind == Kind::Tombstone;
        let replaced_len = if fields.replaces_live() {
            let (_, previous) = generation.mapped_slot(fields.previous_end)?;
            previous.end - previous.start
        } else {
            0
        };
        let len = slot.end - slot.start;
        delta.add_slot(is_tombstone, fields.replaces_live(), len, replaced_len);
        let (hash, _) = line_of(fields.is_bare(), slot.key());
        insertions.push(Insertion {
            hash,
            end: *end,
            replaces: fields.previous_end,
            is_tombstone,
            is_bare: fields.is_bare(),
            is_new: false,
        });
    }
    let totals = generation.totals().after(*tail, delta);
    generation.publication.publish(*tail, || {
        generation.index.insert_batch(&insertions, &*generation.log)?;
        generation.counts.store(totals);
        Ok(())
    })
}
