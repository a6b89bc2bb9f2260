//! Compaction: a new file with what is live, while reads and writes go on.
//!
//! 1. The live entries of a snapshot are checked and copied to a new file, oldest first.
//! 2. What was committed meanwhile is copied after them, commit by commit, in rounds that get shorter.
//! 3. Under the writer's lock, the last few commits follow; the new file is flushed and takes the old one's
//!    path; readers are handed over.
//!
//! A crash at any instant leaves the old file or the new one, whole, under the path.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use arc_swap::ArcSwap;
use simd_r_drive_entry_handle::{Kind, compute_hash, verify_slot};
use simd_r_drive_writer::{PoisonCause, Replacement};

use crate::events;
use crate::generation::{Generation, line_identity};
use crate::open::{line_of, new_file, next_identity};
use crate::plan::Plan;
use crate::shared::Shared;
use crate::store::DataStore;
use crate::writer::Writer;

/// How many bytes of slots are copied in one commit.
const COPY_LEN: u64 = 1 << 20;

/// How many entries are copied in one commit.
const COPY_ENTRIES: usize = 4096;

/// The new file is flushed each time that so many bytes have been copied, so that the last flush, for which
/// writers wait, is short.
pub(crate) const FLUSH_DISTANCE: u64 = 64 << 20;

/// The log is walked backward, but copied forward: it is cut into stretches of about this many bytes, whose
/// slots are remembered one stretch at a time.
const STRETCH_LEN: u64 = 64 << 20;

/// With no more than this many bytes to catch up with, writers are asked to wait.
const SHORT_ENOUGH: u64 = 1 << 20;

/// After so many rounds of catching up, writers are asked to wait in any case.
const MAX_ROUNDS: usize = 16;

/// How far a compaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionProgress {
    /// How much of the old file has been gone through, in bytes.
    pub done_bytes: u64,
    /// The old file's tail, in bytes. It grows while others write.
    pub total_bytes: u64,
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionReport {
    /// Tail before, in bytes.
    pub bytes_before: u64,
    /// Tail after, in bytes.
    pub bytes_after: u64,
}

impl DataStore {
    /// Writes all live values to a new file that takes the place of the old one. Older versions and deletions
    /// are gone then, and history starts anew.
    ///
    /// Reads and writes go on; handles, iterators and snapshots stay valid. Needs space for the live values
    /// beside the old file.
    ///
    /// # Errors
    /// [`FormatError::Damaged`](crate::FormatError::Damaged) if an entry is not as it was written: damage is
    /// not copied. `InvalidInput` if the file has other hard links, which would go on naming the old file.
    /// After an error the store is as it was; only if the new file is in place and its directory cannot be
    /// flushed, the store goes on there and takes no more writes until it is opened again.
    ///
    /// # Locking
    /// Writers wait while the last few commits are copied and flushed, which does not take longer for a
    /// larger store. One compaction runs at a time; another one waits.
    pub fn compact(&self) -> io::Result<()> {
        self.compact_with(|_| ControlFlow::Continue(())).map(drop)
    }

    /// [`DataStore::compact`] with a callback that is told how far it is, and can end it. The callback may use
    /// the store, but not compact it.
    ///
    /// # Errors
    /// As [`DataStore::compact`]; and `Interrupted` if the callback breaks.
    pub fn compact_with(
        &self,
        progress: impl FnMut(CompactionProgress) -> ControlFlow<()>,
    ) -> io::Result<CompactionReport> {
        let shared = &*self.shared;
        shared.check_process()?;
        events::compaction_started(&shared.path, self.generation().publication.tail());
        let result = self.compact_untold(progress);
        events::compaction_ended(&shared.path, &result);
        result
    }

    fn compact_untold(
        &self,
        mut progress: impl FnMut(CompactionProgress) -> ControlFlow<()>,
    ) -> io::Result<CompactionReport> {
        let shared = &*self.shared;
        let _one_at_a_time = shared.maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        let source = shared.writer()?.generation();
        let bytes_before = source.publication.tail();
        let (target, replacement) = create_target(shared, &source)?;
        let mut compaction = Compaction { source, target, progress: Some(&mut progress) };

        let mut done = compaction.copy_live()?;
        for _ in 0..MAX_ROUNDS {
            let tail = compaction.source.publication.tail();
            if tail - done <= SHORT_ENOUGH {
                break;
            }
            compaction.catch_up(done, tail)?;
            done = tail;
        }
        if shared.options.automatic_checkpoints && compaction.target.is_worth_checkpoint() {
            let nobody = ArcSwap::new(compaction.target.generation());
            compaction.target.checkpoint_alone(&nobody)?;
        }
        compaction.target.flush()?;

        compaction.progress = None;
        let mut writer = shared.writer()?;
        compaction.catch_up(done, writer.tail())?;
        compaction.target.append_barrier_after_flush()?;
        let old_key = compaction.source.file.key()?;
        let result = replacement.replace();
        if result.is_err() && shared.options.file_system.key_of(&shared.path).ok() == Some(old_key)
        {
            return result.map(|()| CompactionReport { bytes_before, bytes_after: bytes_before });
        }
        // The path names the new file: what is written to the old one from here on would be lost.
        let bytes_after = compaction.target.tail();
        shared.current.store(compaction.target.generation());
        writer.move_to(compaction.target);
        if let Err(error) = result {
            // Whether it still does after a loss of power is unknown.
            writer.poison(PoisonCause::SyncFailed);
            return Err(error);
        }
        shared.flush.advance(writer.commits());
        Ok(CompactionReport { bytes_before, bytes_after })
    }

    /// Compacts the store if dead bytes make up at least `dead_share` (0 to 1) of its entries and are at least
    /// `min_bytes`. Returns whether it did.
    ///
    /// # Errors
    /// As [`DataStore::compact`].
    pub fn compact_if(&self, dead_share: f64, min_bytes: u64) -> io::Result<bool> {
        let generation = self.generation();
        let totals = generation.totals();
        let log_len = totals.tail - generation.layout.header_len();
        drop(generation);
        let is_worth_it = totals.dead_bytes >= min_bytes
            && totals.dead_bytes as f64 >= dead_share * log_len as f64;
        if is_worth_it {
            self.compact()?;
        }
        Ok(is_worth_it)
    }
}

/// The new file, with a writer of its own that nobody else knows yet.
fn create_target(
    shared: &Shared,
    source: &Generation,
) -> io::Result<(Writer, Box<dyn Replacement>)> {
    let replacement = shared.options.file_system.create_replacement(&shared.path)?;
    let identity = next_identity(&source.identity)?;
    let (generation, resume) = new_file(replacement.file(), &identity, &shared.options)?;
    Ok((Writer::of_new_file(Arc::new(generation), resume)?, replacement))
}

struct Compaction<'a> {
    source: Arc<Generation>,
    target: Writer,
    /// `None` under the writer's lock, where no code of others may run.
    progress: Option<&'a mut dyn FnMut(CompactionProgress) -> ControlFlow<()>>,
}

impl Compaction<'_> {
    /// Copies what is live as of now. Returns the tail up to which that is.
    fn copy_live(&mut self) -> io::Result<u64> {
        let source = Arc::clone(&self.source);
        let tail = source.publication.tail();
        for stretch in stretches(&source, tail)?.windows(2).rev() {
            let mut ends = Vec::new();
            for_each_slot_backward(&source, stretch[0], stretch[1], |slot| {
                if slot.trailer.fields.kind == Kind::Value {
                    let (hash, _) = line_of(slot.trailer.fields.is_bare(), slot.key());
                    let identity = line_identity(slot);
                    if source.index.is_current(hash, slot.end, identity, tail, &*source.log)? {
                        ends.push(slot.end);
                    }
                }
                Ok(())
            })?;
            ends.reverse();
            self.copy_entries(&source, &ends, tail)?;
        }
        Ok(tail)
    }

    /// Copies live entries, many in a commit: nobody sees the new file before it is complete.
    fn copy_entries(&mut self, source: &Generation, ends: &[u64], total: u64) -> io::Result<()> {
        let mut rest = ends;
        while let Some(first) = rest.first() {
            let within = |end: &u64| *end - *first <= COPY_LEN;
            let count = rest.iter().take(COPY_ENTRIES).take_while(|end| within(end)).count();
            let (chunk, later) = rest.split_at(count.max(1));
            self.commit(source, chunk)?;
            rest = later;
            self.report(*chunk.last().unwrap_or(first), total)?;
        }
        Ok(())
    }

    /// Copies the commits of `(from, to]`, one by one, in order.
    fn catch_up(&mut self, from: u64, to: u64) -> io::Result<()> {
        let source = Arc::clone(&self.source);
        let mut slots = Vec::new();
        for_each_slot_backward(&source, to, from, |slot| {
            slots.push((slot.end, slot.trailer.fields.is_commit()));
            Ok(())
        })?;
        slots.reverse();
        for commit in slots.split_inclusive(|(_, is_commit)| *is_commit) {
            let ends: Vec<u64> = commit.iter().map(|(end, _)| *end).collect();
            self.commit(&source, &ends)?;
            self.report(*ends.last().unwrap_or(&to), to)?;
        }
        Ok(())
    }

    fn commit(&mut self, source: &Generation, ends: &[u64]) -> io::Result<()> {
        copy_slots(source, ends, &mut self.target)?;
        if self.target.unflushed() >= FLUSH_DISTANCE {
            self.target.flush()?;
        }
        Ok(())
    }

    fn report(&mut self, done_bytes: u64, total_bytes: u64) -> io::Result<()> {
        let Some(progress) = &mut self.progress else { return Ok(()) };
        let now = CompactionProgress { done_bytes, total_bytes };
        events::compaction_progressed(now);
        match progress(now) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

/// Cuts the log up to `tail` into stretches: the ends of slots, newest first, and last the header's.
fn stretches(source: &Generation, tail: u64) -> io::Result<Vec<u64>> {
    let first = source.layout.header_len();
    let mut cuts = vec![tail];
    let mut last_cut = tail;
    for_each_slot_backward(source, tail, first, |slot| {
        if last_cut - slot.start >= STRETCH_LEN && slot.start > first {
            cuts.push(slot.start);
            last_cut = slot.start;
        }
        Ok(())
    })?;
    cuts.push(first);
    Ok(cuts)
}

/// Calls `visit` with the slots of `(from, to]`, newest first.
fn for_each_slot_backward(
    source: &Generation,
    to: u64,
    from: u64,
    mut visit: impl FnMut(&simd_r_drive_entry_handle::MappedSlot<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut end = to;
    while end > from {
        let (_, slot) = source.mapped_slot(end)?;
        visit(&slot)?;
        end = slot.start;
    }
    Ok(())
}

/// Writes the slots that end at `ends` to another file, as one commit, after checking them. Values keep the
/// time at which they were written.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) if a slot is not as it was written.
pub(crate) fn copy_slots(source: &Generation, ends: &[u64], target: &mut Writer) -> io::Result<()> {
    let generation = target.generation();
    let mut plan = Plan::new(&generation, ends.len());
    let mut slots = Vec::with_capacity(ends.len());
    for end in ends {
        let (_, slot) = source.mapped_slot(*end)?;
        verify_slot(&slot, &source.layout)?;
        if slot.trailer.fields.kind.is_keyed() {
            slots.push(slot);
        }
    }
    for slot in &slots {
        let fields = &slot.trailer.fields;
        let key = slot.key();
        plan.stamp(fields.written_at);
        match (fields.kind, key.first_chunk::<8>()) {
            (Kind::Value, Some(hash_bytes)) if fields.is_bare() => {
                plan.put_bare(u64::from_le_bytes(*hash_bytes), hash_bytes, slot.payload())?;
            }
            (Kind::Value, _) => plan.put(compute_hash(key), key, slot.payload())?,
            (_, Some(hash_bytes)) if fields.is_bare() => {
                plan.remove_bare(u64::from_le_bytes(*hash_bytes))?;
            }
            _ => plan.remove(compute_hash(key), key)?,
        }
    }
    target.commit(&plan).map(drop)
}
