//! Steps 2 to 4 of opening: the durable point, the search, and the tail.
//!
//! From the durable point forward, the walk takes the longest slot that starts here, links here and
//! verifies, and continues from its end. The tail is the end of the last commit reached.

use std::io;
use std::ops::Range;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{
    Barrier, Checkpoint, Damage, Flags, FormatError, Identity, Kind, Layout, LogSlot, LogSource,
    Seal, SealedTrailer, read_slot,
};
use simd_r_drive_writer::{StoreFile, read_full_at};

use crate::error::is_format_error;
use crate::log::{Direction, LogPosition, WindowReader, resync};

/// Bytes searched for trailers at a time, while they are in the processor's cache.
const SCAN_LEN: usize = 256 << 10;

/// Bytes compared to zero at a time.
const ZEROS_LEN: usize = 512;

/// Slots up to this length are read whole.
const SMALL_LEN: u64 = 16 << 10;

/// With this many candidates, those no longer needed are dropped.
const MANY_CANDIDATES: usize = 1 << 16;

/// How many times the searched region may be reread in vain, for payloads that do not match their
/// sealed trailers. Abandoned slots amount to a fraction of it. Anything beyond is a forgery that
/// is meant to keep opening busy.
const MAX_VAIN_PASSES: u64 = 16;

/// Where the log ends, and from where on that had to be found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogBounds {
    /// Everything up to here was on the medium before any crash.
    pub(crate) durable: LogPosition,
    /// End of the last commit.
    pub(crate) tail: LogPosition,
    /// End of the last nonzero byte, or the tail.
    pub(crate) data_end: u64,
    /// End that the log once had, or may have had. The tail, unless something is known to be
    /// missing.
    pub(crate) expected_end: u64,
    /// End of the newest barrier beyond the durable point of the checkpoints; 0 if none was found.
    pub(crate) barrier_end: u64,
}

impl LogBounds {
    /// The bounds of a log that ends at `point` and is durable up to there.
    pub(crate) fn at(point: LogPosition) -> Self {
        let end = point.end;
        Self { durable: point, tail: point, data_end: end, expected_end: end, barrier_end: 0 }
    }
}

/// Finds the tail of a log in a file of `len` bytes, whose `checkpoints` come newest first. Passes
/// the slots beyond the durable point to `visit`, oldest first, including those of an incomplete
/// last commit.
///
/// # Errors
/// [`FormatError::Damaged`] or [`FormatError::Truncated`] if durable data is missing or changed;
/// any I/O error of the file.
pub(crate) fn find_tail(
    file: &dyn StoreFile,
    identity: &Identity,
    checkpoints: &[Checkpoint],
    len: u64,
    tolerate_damage: bool,
    visit: &mut Visit<'_>,
) -> io::Result<LogBounds> {
    let layout = identity.layout();
    let root = LogPosition { end: layout.header_len(), seal: Seal(identity.checksum()) };
    // The largest durable point counts, not the newest checkpoint: a durable point only moves up.
    let hinted =
        checkpoints.iter().max_by_key(|checkpoint| checkpoint.durable_tail).map(|checkpoint| {
            LogPosition { end: checkpoint.durable_tail, seal: Seal(checkpoint.durable_seal) }
        });
    let mut durable = root;
    let unbelievable = hinted.filter(|point| !is_possible(&layout, root, *point));
    let hinted = match unbelievable {
        None => hinted,
        Some(_) if tolerate_damage => None,
        Some(point) => return Err(FormatError::damaged(point.end, Damage::DurablePoint).into()),
    };
    // If damage is tolerated, a durable point is believed even if its slot is damaged, because it
    // gives the seal from which the log continued.
    if let Some(point) = hinted {
        match check_point(file, &layout, root, point, len) {
            Ok(()) => {}
            Err(error) if !(tolerate_damage && is_format_error(&error)) => return Err(error),
            Err(_) if point.end > len => {
                return truncated_tail(file, &layout, root, len, point.end);
            }
            Err(_) => {}
        }
        durable = point;
    }
    // Barriers that came with a copy and have not been flushed here say nothing about this file.
    let is_copying = checkpoints.first().is_some_and(|newest| newest.is_copying);
    let walk_from = if is_copying { WalkFrom::Start } else { WalkFrom::NewestBarrier };
    let scan = scan(file, &layout, durable.end, len, walk_from)?;
    if walk_from == WalkFrom::NewestBarrier
        && let Some(FoundBarrier { durable: point, .. }) = scan.newest_barrier
        && point.end > durable.end
    {
        match check_point(file, &layout, root, point, len) {
            Err(error) if !(tolerate_damage && is_format_error(&error)) => return Err(error),
            _ if point.end <= len => durable = point,
            _ => {}
        }
    }
    let tail = walk(file, &layout, durable, &scan.candidates, len, visit)?;
    let expected_end = match unbelievable {
        None => tail.end,
        // It is unknown how much was durable: there may have been more than is left.
        Some(point) => point.end.max(len).max(tail.end.saturating_add(layout.alignment().bytes())),
    };
    let barrier_end = match scan.newest_barrier {
        Some(barrier) if walk_from == WalkFrom::NewestBarrier && barrier.end <= tail.end => {
            barrier.end
        }
        _ => 0,
    };
    let data_end = scan.data_end.max(tail.end);
    Ok(LogBounds { durable, tail, data_end, expected_end, barrier_end })
}

/// Called with each slot found genuine and whole.
pub(crate) type Visit<'a> = dyn FnMut(&LogSlot<'_>) + 'a;

/// Finds the tail of a log that continues from `from`, a known place in it, in a file of `len`
/// bytes. Passes slots to `visit` as [`find_tail`] does.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn find_tail_from(
    file: &dyn StoreFile,
    layout: &Layout,
    from: LogPosition,
    len: u64,
    visit: &mut Visit<'_>,
) -> io::Result<LogPosition> {
    let found = scan(file, layout, from.end, len, WalkFrom::Start)?;
    walk(file, layout, from, &found.candidates, len, visit)
}

/// Whether a slot or the header can end at `end`. Only a forged checkpoint or barrier names another
/// place.
fn is_possible_end(layout: &Layout, end: u64) -> bool {
    end >= layout.header_len() && layout.alignment().is_aligned(end)
}

/// Whether a durable point is possible, wherever the log ends. At the header's end, only one seal
/// is.
fn is_possible(layout: &Layout, root: LogPosition, point: LogPosition) -> bool {
    is_possible_end(layout, point.end) && (point.end != root.end || point == root)
}

/// The tail of a log whose end is missing, up to `expected_end`: the end of its newest certain
/// slot.
fn truncated_tail(
    file: &dyn StoreFile,
    layout: &Layout,
    root: LogPosition,
    len: u64,
    expected_end: u64,
) -> io::Result<LogBounds> {
    let mut source = WindowReader::new(file, len, Direction::Backward);
    let end = resync(&mut source, layout, len.saturating_add(1))?;
    let tail = if end == root.end {
        root
    } else {
        LogPosition { end, seal: read_slot(&mut source, layout, end)?.seal }
    };
    Ok(LogBounds { data_end: len.max(end), expected_end, ..LogBounds::at(tail) })
}

/// Makes sure that the slot of a durable point is in place.
fn check_point(
    file: &dyn StoreFile,
    layout: &Layout,
    root: LogPosition,
    point: LogPosition,
    len: u64,
) -> io::Result<()> {
    if point.end > len {
        return Err(FormatError::truncated(len, point.end).into());
    }
    let got = if point.end == root.end {
        root.seal
    } else {
        let mut source = WindowReader::new(file, len, Direction::Backward);
        read_slot(&mut source, layout, point.end)?.seal
    };
    if got == point.seal {
        return Ok(());
    }
    Err(FormatError::mismatch(point.end, Damage::DurablePoint, point.seal.0, got.0).into())
}

/// The result of a search for trailers.
#[derive(Debug)]
struct Scan {
    /// Places that look like the end of a slot, with the slot's start, ordered by start, longest
    /// first. Holds only slots beyond the start of the walk, so that memory is bounded like the
    /// walk.
    candidates: Vec<Candidate>,
    /// The genuine barrier that names the largest durable point.
    newest_barrier: Option<FoundBarrier>,
    /// Slots that are barriers according to their trailers.
    barriers: Vec<(Candidate, SealedTrailer)>,
    data_end: u64,
}

/// A whole barrier.
#[derive(Debug, Clone, Copy)]
struct FoundBarrier {
    durable: LogPosition,
    end: u64,
}

impl Scan {
    /// Searches `bytes`, which stand at `at`, for trailers beyond `from`.
    fn search(&mut self, layout: &Layout, from: u64, at: u64, bytes: &[u8]) {
        let Some(last) = last_set(bytes) else { return };
        self.data_end = at + last as u64 + 1;
        let step = layout.alignment().bytes();
        let ends = (1..).map(|number| at + number * step);
        // No slot ends in a block of zeros.
        let blocks = last / step as usize + 1;
        for (block, end) in bytes.chunks_exact(step as usize).take(blocks).zip(ends) {
            consider(layout, block, from, end, self);
        }
    }

    /// Finishes the search.
    fn sorted(mut self, keep: WalkFrom) -> Self {
        if keep == WalkFrom::NewestBarrier {
            self.forget_durable();
        }
        self.candidates.sort_unstable_by_key(|c| (c.start, std::cmp::Reverse(c.end)));
        self
    }

    /// Drops candidates that start before the newest durable point.
    fn forget_durable(&mut self) {
        if let Some(barrier) = self.newest_barrier {
            self.candidates.retain(|candidate| candidate.start >= barrier.durable.end);
        }
    }

    /// Reads the barriers found since the last call.
    fn read_barriers(&mut self, file: &dyn StoreFile, layout: &Layout) -> io::Result<()> {
        let mut payload = [0; Barrier::MAX_LEN];
        for (Candidate { start, end }, trailer) in std::mem::take(&mut self.barriers) {
            let len = usize::try_from(trailer.fields.payload_len).unwrap_or(usize::MAX);
            let Some(payload) = payload.get_mut(..len) else { continue };
            if read_full_at(file, payload, start)? == len
                && let Some(barrier) = Barrier::decode(payload)
                && barrier.durable_tail <= start
                && is_possible_end(layout, barrier.durable_tail)
                && crc32fast::hash(payload) == trailer.fields.payload_crc
                && self.newest_barrier.is_none_or(|it| it.durable.end < barrier.durable_tail)
            {
                let seal = Seal(barrier.durable_seal);
                let durable = LogPosition { end: barrier.durable_tail, seal };
                self.newest_barrier = Some(FoundBarrier { durable, end });
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    start: u64,
    end: u64,
}

/// From where the walk will begin, and so which candidates to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WalkFrom {
    /// From the start of the search.
    Start,
    /// From the durable point of the newest barrier.
    NewestBarrier,
}

/// Searches `(from, len]` for trailers. Reads everything except holes, once.
fn scan(
    file: &dyn StoreFile,
    layout: &Layout,
    from: u64,
    len: u64,
    keep: WalkFrom,
) -> io::Result<Scan> {
    let mut found =
        Scan { candidates: Vec::new(), newest_barrier: None, barriers: Vec::new(), data_end: from };
    let mut chunk = vec![0; SCAN_LEN];
    let mut many = MANY_CANDIDATES;
    let mut at = from;
    while let Some(extent) = next_extent(file, layout, at, len)? {
        at = extent.start;
        while at < extent.end {
            let want = (extent.end - at).min(SCAN_LEN as u64) as usize;
            let read = read_full_at(file, &mut chunk[..want], at)?;
            found.search(layout, from, at, &chunk[..read]);
            found.read_barriers(file, layout)?;
            if keep == WalkFrom::NewestBarrier && found.candidates.len() >= many {
                found.forget_durable();
                // Twice what is needed, so that dropping candidates costs no more than adding them
                // did.
                many = MANY_CANDIDATES.max(found.candidates.len() * 2);
            }
            at += read as u64;
            if read < want {
                return Ok(found.sorted(keep));
            }
        }
    }
    Ok(found.sorted(keep))
}

/// The next blocks of a file of `len` bytes, from `at` on, that are not in a hole.
fn next_extent(
    file: &dyn StoreFile,
    layout: &Layout,
    at: u64,
    len: u64,
) -> io::Result<Option<Range<u64>>> {
    if at >= len {
        return Ok(None);
    }
    // A trailer's kind is nonzero and stands in the same block as its last byte, so no slot ends in
    // a hole.
    let Some(data) = file.next_data(at)?.map(|data| data.max(at)).filter(|data| *data < len) else {
        return Ok(None);
    };
    // Whole blocks, because a slot may end and a hole begin within one. The hole is searched for
    // after the data, because a block may also begin with a hole.
    let start = layout.alignment().round_down(data).max(at);
    let hole = file.next_hole(data)?.max(data + 1);
    let end = layout.alignment().round_up(hole).unwrap_or(len);
    Ok(Some(start..end.min(len)))
}

/// Position of the last nonzero byte. Skips space allocated ahead in wide steps.
fn last_set(bytes: &[u8]) -> Option<usize> {
    let is_set = |piece: &[u8]| piece.iter().fold(0, |union, byte| union | byte) != 0;
    let from_end = bytes.rchunks(ZEROS_LEN).position(is_set)?;
    let end = bytes.len() - from_end * ZEROS_LEN;
    bytes.get(..end)?.iter().rposition(|byte| *byte != 0)
}

/// Records the block that ends at `end` if it looks like the end of a slot that starts at or after
/// `from`.
#[inline]
fn consider(layout: &Layout, block: &[u8], from: u64, end: u64, found: &mut Scan) {
    let Some(bytes) = block.last_chunk::<METADATA_SIZE>() else { return };
    let Some(trailer) = SealedTrailer::decode(bytes) else { return };
    let Some(start) = layout.slot_start(end, &trailer.fields) else { return };
    if start < from {
        return;
    }
    found.candidates.push(Candidate { start, end });
    if trailer.fields.kind == Kind::Barrier
        && trailer.fields.key_len == 0
        && layout.check_seal(bytes, &trailer, end).is_ok()
    {
        found.barriers.push((Candidate { start, end }, trailer));
    }
}

/// Walks forward from `from` as long as genuine, whole slots follow each other in a file of `len`
/// bytes, and passes them to `visit`. Returns the last commit.
fn walk(
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
            let len = left.min(SCAN_LEN as u64) as usize;
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

#[cfg(test)]
mod tests;
