//! The one writer of a store: commits, and the durable point that follows them.

use std::io;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use simd_r_drive_indexer::{FrozenIndex, Merging};

use simd_r_drive_entry_handle::constants::{MAX_FILE_LEN, PAGE_SIZE};
use simd_r_drive_entry_handle::{Barrier, Checkpoint, FormatError, PublishedTail};
use simd_r_drive_writer::{
    Appender, PoisonCause, StoreFile, WriteError, read_exact_at, write_all_at,
};

use crate::checkpoint::Reserved;
use crate::events;
use crate::generation::{Generation, LogFile, Totals};
use crate::maps;
use crate::open::{Point, Resume};
use crate::plan::{Delta, Plan};
use crate::stats::WriterCounts;

/// With fewer writes since the last checkpoint, closing makes none: replaying them takes no time to speak of.
const CLOSE_MIN: u64 = 4096;

/// With fewer writes since the last checkpoint, none is made while the store is open.
const AUTOMATIC_MIN: u64 = 1 << 16;

/// Nor with fewer than this share of the hashes that are in the file, one in so many.
const AUTOMATIC_SHARE: u64 = 32;

/// What the holder of the writer's lock works with.
#[derive(Debug)]
pub(crate) struct Writer {
    generation: Arc<Generation>,
    appender: Appender,
    totals: Totals,
    /// Length of the last commit in bytes.
    commit_len: u64,
    /// Commits since the store was opened, and one for what recovery found beyond the durable point.
    commits: u64,
    /// Up to here everything is on the medium.
    durable: Point,
    /// The end of what recovery found and must be written again before the durable point may pass it: pages
    /// whose write-back failed in an earlier process look clean in the system's cache.
    rewrite_until: u64,
    /// End of the newest barrier, or of what was durable when the store was opened.
    barrier_end: u64,
    checkpoint_sequence: u64,
    /// End of the index slot that is in use; 0 if there is none.
    index_end: u64,
    /// End of the newest index slot, whether its index was completed or not.
    newest_index_end: u64,
    /// Tables that were in use, by the ends of their slots: snapshots may still read them.
    table_users: Vec<(u64, Weak<FrozenIndex>)>,
    /// Ends of the slots of the tables before the last merge: readers in other processes may still read them.
    tables_before: Vec<u64>,
    /// Checkpoints since the store was opened.
    checkpoints: u64,
    /// Barriers since the store was opened.
    barriers: u64,
    /// Whether the log has grown since it was opened.
    has_grown: bool,
    is_closed: bool,
    /// Whether this is the store's file. One that compaction is still making says nothing of its own.
    is_current: bool,
}

/// A flush that is about to run without the writer's lock.
#[derive(Debug)]
pub(crate) struct FlushStart {
    log: Arc<LogFile>,
    point: Point,
    rewrite: Range<u64>,
    /// Number of the last commit that the flush covers.
    pub(crate) commits: u64,
}

impl FlushStart {
    /// Flushes the file.
    pub(crate) fn run(&self) -> io::Result<()> {
        let file = &*self.log.file;
        rewrite_range(file, self.rewrite.clone())?;
        file.sync()
    }
}

impl Writer {
    pub(crate) fn new(generation: Arc<Generation>, resume: Resume) -> io::Result<Self> {
        let Resume {
            durable,
            tail,
            checkpoint_sequence,
            must_rewrite,
            index_end,
            newest_index_end,
        } = resume;
        let file = Arc::clone(&generation.file);
        let appender = Appender::new(file, generation.layout, tail.end, tail.seal)?;
        Ok(Self {
            appender,
            totals: generation.totals(),
            commit_len: 0,
            // What recovery found counts as a commit that is not flushed yet.
            commits: u64::from(must_rewrite),
            durable,
            rewrite_until: if must_rewrite { tail.end } else { durable.end },
            barrier_end: durable.end,
            checkpoint_sequence,
            index_end,
            newest_index_end,
            table_users: Vec::new(),
            tables_before: Vec::new(),
            barriers: 0,
            checkpoints: 0,
            has_grown: false,
            is_closed: false,
            is_current: true,
            generation,
        })
    }

    /// For a file that may become the store's.
    pub(crate) fn of_new_file(generation: Arc<Generation>, resume: Resume) -> io::Result<Self> {
        Ok(Self { is_current: false, ..Self::new(generation, resume)? })
    }

    /// Whether writes are taken.
    ///
    /// # Errors
    /// [`WriteError::Poisoned`].
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        self.appender.check()
    }

    /// Refuses all further writes.
    pub(crate) fn poison(&mut self, cause: PoisonCause) {
        self.appender.poison(cause);
        if self.is_current {
            events::poisoned(cause);
        }
    }

    /// Passes an append's result on; tells if its failure could not be undone.
    fn appended(&self, result: io::Result<u64>) -> io::Result<u64> {
        if let (Err(_), Err(WriteError::Poisoned { cause }), true) =
            (&result, self.check(), self.is_current)
        {
            events::poisoned(cause);
        }
        result
    }

    /// The generation that is written to.
    pub(crate) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.generation)
    }

    /// As [`Writer::generation`], without a reference count.
    #[inline]
    pub(crate) fn generation_ref(&self) -> &Generation {
        &self.generation
    }

    /// Number of the last commit.
    pub(crate) fn commits(&self) -> u64 {
        self.commits
    }

    /// Length of the last commit in bytes.
    pub(crate) fn commit_len(&self) -> u64 {
        self.commit_len
    }

    /// What only the writer can count.
    pub(crate) fn counts(&self) -> WriterCounts {
        WriterCounts {
            allocated_bytes: self.appender.allocated(),
            barriers: self.barriers,
            checkpoints: self.checkpoints,
        }
    }

    pub(crate) fn tail(&self) -> u64 {
        self.appender.tail()
    }

    /// How many bytes follow the last barrier.
    pub(crate) fn barrier_distance(&self) -> u64 {
        self.appender.tail() - self.barrier_end
    }

    /// Appends a plan as one commit and makes it visible. Returns the new tail.
    ///
    /// Everything that can fail comes before the index is touched.
    pub(crate) fn commit(&mut self, plan: &Plan<'_>) -> io::Result<u64> {
        if plan.is_empty() {
            return Ok(self.tail());
        }
        let layout = self.generation.layout;
        self.make_room(plan.len(&layout)?)?;
        let insertions = plan.insertions(&layout, self.tail())?;
        self.generation.index.prepare(&insertions, &*self.generation.log)?;
        let end = self.appender.append(plan.entries());
        let end = self.appended(end)?;
        self.publish(end, plan.delta, |generation| {
            generation.index.insert_prepared(&insertions, &*generation.log)
        })
    }

    /// As [`Writer::commit`], for a plan whose last entry gets its payload from `reader`.
    pub(crate) fn commit_from(
        &mut self,
        plan: &Plan<'_>,
        reader: &mut dyn io::Read,
        payload_len: u64,
        payload_crc: u32,
    ) -> io::Result<u64> {
        let Some((value, before)) = plan.entries().split_last() else { return Ok(self.tail()) };
        let layout = self.generation.layout;
        let mut len = layout
            .alignment()
            .slot_len(payload_len, value.key.len() as u16)
            .ok_or(FormatError::StoreFull { max: MAX_FILE_LEN })?;
        for entry in before {
            len += self.appender.slot_len(entry)?;
        }
        self.make_room(len)?;
        let mut insertions = plan.insertions(&layout, self.tail())?;
        self.generation.index.prepare(&insertions, &*self.generation.log)?;
        let end = self.appender.append_from(before, value, reader, payload_len, payload_crc);
        let end = self.appended(end)?;
        if let Some(last) = insertions.last_mut() {
            last.end = end;
        }
        self.publish(end, plan.delta, |generation| {
            generation.index.insert_prepared(&insertions, &*generation.log)
        })
    }

    /// Makes sure that a map covers `len` more bytes, before they are written.
    fn make_room(&self, len: u64) -> io::Result<()> {
        let end = self.appender.tail_after(len)?;
        if !self.generation.publication.needs_map(end) {
            return Ok(());
        }
        let alignment = self.generation.layout.alignment();
        let map = maps::map(&*self.generation.file, alignment, end)?;
        if self.generation.publication.add_map(map) { Ok(()) } else { Err(maps::too_many()) }
    }

    fn publish(
        &mut self,
        end: u64,
        delta: Delta,
        index: impl FnOnce(&Generation) -> io::Result<()>,
    ) -> io::Result<u64> {
        self.has_grown = true;
        let totals = self.totals.after(end, delta);
        let generation = &*self.generation;
        let result = generation.publication.publish(end, || {
            index(generation)?;
            generation.counts.store(totals);
            Ok(())
        });
        if let Err(error) = result {
            // The commit is in the file, and a reopen will show it; this process cannot.
            self.poison(PoisonCause::PublishFailed);
            return Err(error);
        }
        self.commit_len = end - self.totals.tail;
        self.totals = totals;
        self.commits += 1;
        Ok(end)
    }

    /// What a flush that starts now will cover.
    pub(crate) fn flush_start(&self) -> FlushStart {
        FlushStart {
            log: Arc::clone(&self.generation.log),
            point: self.tail_point(),
            rewrite: self.durable.end..self.rewrite_until,
            commits: self.commits,
        }
    }

    /// Notes the result of a flush. A failed one is never tried again: the system may have dropped the data
    /// and call the next one a success.
    pub(crate) fn flushed(&mut self, start: &FlushStart, result: io::Result<()>) -> io::Result<()> {
        if !Arc::ptr_eq(&start.log, &self.generation.log) {
            // Compaction has moved the store meanwhile, and has flushed all that it moved.
            return Ok(());
        }
        if let Err(error) = result {
            self.poison(PoisonCause::SyncFailed);
            return Err(error);
        }
        if start.point.end > self.durable.end {
            self.durable = start.point;
        }
        Ok(())
    }

    /// Appends a barrier that names the durable point.
    pub(crate) fn append_barrier(&mut self) -> io::Result<()> {
        let barrier = Barrier {
            durable_tail: self.durable.end,
            durable_seal: self.durable.seal.0,
            live_keys: self.totals.live_keys,
            dead_bytes: self.totals.dead_bytes,
        };
        let len = self.generation.layout.slot_len(Barrier::LEN, 0)?;
        self.make_room(len)?;
        let end = self.appender.append_barrier(barrier);
        let end = self.appended(end)?;
        self.publish(end, Delta::default(), |_| Ok(()))?;
        self.barrier_end = end;
        self.barriers += 1;
        Ok(())
    }

    /// Writes the durable point and the published tail into the header. Hints: that they fail to reach the
    /// medium costs the next open some time.
    pub(crate) fn write_hints(&mut self, is_clean: bool) -> io::Result<()> {
        self.checkpoint_sequence += 1;
        let checkpoint = Checkpoint {
            sequence: self.checkpoint_sequence,
            durable_tail: self.durable.end,
            durable_seal: self.durable.seal.0,
            index_end: self.index_end,
            is_clean,
        };
        let file = &*self.generation.file;
        let at = (checkpoint.page() * PAGE_SIZE) as u64;
        write_all_at(file, &checkpoint.encode(&self.generation.identity), at)?;
        let published = PublishedTail { tail: self.tail(), is_moved: false };
        write_all_at(file, &published.encode(), 3 * PAGE_SIZE as u64)
    }

    /// Flushes, appends a barrier, trims the file, marks it clean and gives its lock back. The second time
    /// nothing happens.
    ///
    /// If much was written since the last checkpoint, or `index` says so, the index goes to the file too; readers get
    /// it through `current`.
    pub(crate) fn close(
        &mut self,
        current: &ArcSwap<Generation>,
        has_checkpoints: bool,
    ) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        self.is_closed = true;
        let result = self.write_clean_end(current, has_checkpoints);
        self.appender.poison(PoisonCause::Closed);
        // A handle that outlives the store keeps the file open, which must not keep others from writing.
        result.and(self.generation.file.unlock())
    }

    fn write_clean_end(
        &mut self,
        current: &ArcSwap<Generation>,
        has_checkpoints: bool,
    ) -> io::Result<()> {
        self.check()?;
        let is_trimmed = self.appender.allocated() == self.tail();
        if !self.has_grown && self.durable.end == self.tail() && is_trimmed {
            return Ok(());
        }
        self.flush()?;
        let mut reserved = None;
        if has_checkpoints && self.is_worth_checkpoint() {
            // Without it the next open takes longer, and that is all.
            reserved = self.checkpoint_alone(current).inspect_err(events::checkpoint_failed).ok();
        }
        self.append_barrier()?;
        self.appender.trim()?;
        self.flush()?;
        self.write_hints(true)?;
        if let Some(reserved) = reserved {
            let unused = reserved.unused_tables(|end| self.is_table_used(end));
            // Space that is not given back is no harm.
            let result = unused.and_then(|unused| reserved.give_back(unused));
            let _ = result.inspect_err(events::space_not_given_back);
        }
        Ok(())
    }

    /// Whether a file that is closed, or will be, is worth a checkpoint: because reading what was written since the last
    /// one would take longer, or because all look-ups will be faster when its tables are merged.
    pub(crate) fn is_worth_checkpoint(&self) -> bool {
        let index = &self.generation.index;
        // Pending: closing ends the checkpoint that is under way, and what it was to write counts too.
        index.pending() >= CLOSE_MIN || index.frozen().len() > 2
    }

    /// Whether so much was written since the last checkpoint that it is time for another one.
    ///
    /// What must be replayed after a crash stays small next to what is there.
    #[inline]
    pub(crate) fn wants_checkpoint(&self) -> bool {
        let index = &self.generation.index;
        index.unfrozen() >= AUTOMATIC_MIN.max(index.frozen_hashes() / AUTOMATIC_SHARE)
    }

    /// A checkpoint while nobody else can write: for a file that is closed, or not in use yet.
    pub(crate) fn checkpoint_alone(
        &mut self,
        current: &ArcSwap<Generation>,
    ) -> io::Result<Reserved> {
        let reserved = self.reserve_index(current, Merging::Soon)?;
        let table = reserved.build(&AtomicBool::new(false))?;
        self.complete_index(&reserved, table, current);
        Ok(reserved)
    }

    /// The first step of a checkpoint: sets space aside in the log, and gives writes a new layer of the index, so that
    /// the others, which take no more, can be written to that space.
    pub(crate) fn reserve_index(
        &mut self,
        current: &ArcSwap<Generation>,
        merging: Merging,
    ) -> io::Result<Reserved> {
        self.check()?;
        let plan = self.generation.index.plan_table(merging);
        let payload_len = plan.table_bytes();
        let slot_len = usize::try_from(payload_len)
            .map_err(|_| FormatError::StoreFull { max: MAX_FILE_LEN })
            .and_then(|len| self.generation.layout.slot_len(len, 0))?;
        self.make_room(slot_len)?;
        let (start, totals) = (self.tail(), self.totals);
        let end = self.appender.append_index(payload_len, self.newest_index_end);
        let end = self.appended(end)?;
        self.publish(end, Delta::default(), |_| Ok(()))?;
        self.newest_index_end = end;
        let index = self.generation.index.freeze();
        // In the order that readers rely on; see `TailLimit`.
        self.generation.limit.set(end);
        self.generation = Arc::new(Generation::new(Arc::clone(&self.generation.log), index));
        current.store(self.generation());
        Ok(Reserved { generation: self.generation(), start, end, plan, totals })
    }

    /// The last step of a checkpoint, when the index is on the medium, or will be before a hint names it: readers use
    /// it from now on. Returns what they used before.
    pub(crate) fn complete_index(
        &mut self,
        reserved: &Reserved,
        table: FrozenIndex,
        current: &ArcSwap<Generation>,
    ) -> Arc<Generation> {
        self.table_users.retain(|(_, users)| users.strong_count() > 0);
        if reserved.plan.is_whole() {
            let before = || self.generation.index.frozen();
            self.tables_before = before().map(|table| table.end()).collect();
            self.table_users.extend(before().map(|table| (table.end(), Arc::downgrade(table))));
        }
        self.index_end = reserved.end;
        self.checkpoints += 1;
        let generation = &self.generation;
        self.generation = Arc::new(Generation {
            log: Arc::clone(&generation.log),
            index: generation.index.with_table(table, reserved.plan),
            limit: Arc::clone(&generation.limit),
        });
        current.swap(self.generation())
    }

    /// Whether somebody may still read the table of the slot that ends at `end`.
    pub(crate) fn is_table_used(&self, end: u64) -> bool {
        let is_user = |(used, users): &(u64, Weak<_>)| *used == end && users.strong_count() > 0;
        self.generation.index.frozen().any(|table| table.end() == end)
            || self.tables_before.contains(&end)
            || self.table_users.iter().any(is_user)
    }

    /// How many bytes follow the durable point.
    pub(crate) fn unflushed(&self) -> u64 {
        self.tail() - self.durable.end
    }

    /// Makes everything durable, and the log says so. For a new file that is about to be shown.
    pub(crate) fn append_barrier_after_flush(&mut self) -> io::Result<()> {
        self.flush()?;
        self.append_barrier()?;
        self.write_hints(false)
    }

    /// Goes on in the file of `target`, which holds the same; the old one is no longer under its path.
    pub(crate) fn move_to(&mut self, target: Self) {
        let old = Arc::clone(&self.generation);
        let barriers = self.barriers + target.barriers;
        let checkpoints = self.checkpoints + target.checkpoints;
        *self = Self { commits: self.commits, barriers, checkpoints, is_current: true, ..target };
        // For readers in other processes. A hint: they also notice that the path names another file.
        let moved = PublishedTail { tail: old.publication.tail(), is_moved: true };
        let _ = write_all_at(&*old.file, &moved.encode(), 3 * PAGE_SIZE as u64);
    }

    /// A flush under the lock.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let start = self.flush_start();
        let result = start.run();
        self.flushed(&start, result)
    }

    fn tail_point(&self) -> Point {
        Point { end: self.appender.tail(), seal: self.appender.tail_seal() }
    }
}

/// Writes a range of the file over itself, so that the next flush covers it whatever the cache believes.
fn rewrite_range(file: &dyn StoreFile, range: Range<u64>) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    let mut buffer = vec![0; 1 << 20];
    let mut at = range.start;
    while at < range.end {
        let len = (range.end - at).min(buffer.len() as u64) as usize;
        let piece = &mut buffer[..len];
        read_exact_at(file, piece, at)?;
        write_all_at(file, piece, at)?;
        at += len as u64;
    }
    Ok(())
}
