//! Step 3 of opening: the search for trailers and barriers.

use std::io;
use std::ops::Range;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{Barrier, Kind, Layout, Seal, SealedTrailer};
use simd_r_drive_writer::{StoreFile, read_full_at};

use super::is_possible_end;
use crate::log::LogPosition;

/// Bytes searched for trailers at a time, while they are in the processor's cache.
const SCAN_LEN: usize = 256 << 10;

/// Bytes compared to zero at a time.
pub(super) const ZEROS_LEN: usize = 512;

/// With this many candidates, those no longer needed are dropped.
const MANY_CANDIDATES: usize = 1 << 16;

/// The result of a search for trailers.
#[derive(Debug)]
pub(super) struct Scan {
    /// Places that look like the end of a slot, with the slot's start, ordered by start, longest
    /// first. Holds only slots beyond the start of the walk, so that memory is bounded like the
    /// walk.
    pub(super) candidates: Vec<Candidate>,
    /// The genuine barrier that names the largest durable point.
    pub(super) newest_barrier: Option<FoundBarrier>,
    /// Slots that are barriers according to their trailers.
    barriers: Vec<(Candidate, SealedTrailer)>,
    pub(super) data_end: u64,
}

/// A whole barrier.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundBarrier {
    pub(super) durable: LogPosition,
    pub(super) end: u64,
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
                && self.newest_barrier.is_none_or(|it| it.durable.end <= barrier.durable_tail)
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
pub(super) struct Candidate {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// From where the walk will begin, and so which candidates to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WalkFrom {
    /// From the start of the search.
    Start,
    /// From the durable point of the newest barrier.
    NewestBarrier,
}

/// Searches `(from, len]` for trailers. Reads everything except holes, once.
pub(super) fn scan(
    file: &dyn StoreFile,
    layout: &Layout,
    from: u64,
    len: u64,
    keep: WalkFrom,
) -> io::Result<Scan> {
    let mut found =
        Scan { candidates: Vec::new(), newest_barrier: None, barriers: Vec::new(), data_end: from };
    let mut chunk = Vec::new();
    let mut many = MANY_CANDIDATES;
    let mut at = from;
    while let Some(extent) = next_extent(file, layout, at, len)? {
        at = extent.start;
        // Allocated only now: usually there is nothing to search.
        chunk.resize(SCAN_LEN, 0);
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
pub(super) fn last_set(bytes: &[u8]) -> Option<usize> {
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
