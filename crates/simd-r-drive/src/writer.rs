//! The one writer of a store: commits, and the durable point that follows them.

use std::io;
use std::process;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use simd_r_drive_entry_handle::constants::{MAX_FILE_LEN, PAGE_SIZE};
use simd_r_drive_entry_handle::{Barrier, Checkpoint, FormatError, PublishedTail};
use simd_r_drive_writer::{
    Appender, PoisonCause, StoreFile, WriteError, read_exact_at, write_all_at,
};

use crate::generation::Generation;
use crate::maps;
use crate::open::{Point, Resume};
use crate::plan::{Delta, Plan};
use crate::store::lock;

/// After so many bytes the log gets a barrier, so that recovery stays bounded.
const BARRIER_DISTANCE: u64 = 64 << 20;

/// What the holder of the writer's lock works with.
#[derive(Debug)]
pub(crate) struct Writer {
    appender: Appender,
    /// Process that opened the store: a forked child has a copy of this memory and must not use it.
    owner: u32,
    /// Up to here everything is on the medium.
    durable: Point,
    /// The end of what recovery found and must be written again before the durable point may pass it: pages
    /// whose write-back failed in an earlier process look clean in the system's cache.
    rewrite_until: u64,
    /// End of the newest barrier, or of what was there when the store was opened.
    barrier_end: u64,
    checkpoint_sequence: u64,
    is_closed: bool,
}

impl Writer {
    pub(crate) fn new(generation: &Generation, resume: Resume) -> io::Result<Self> {
        let Resume { durable, tail, checkpoint_sequence, must_rewrite } = resume;
        Ok(Self {
            appender: Appender::new(
                Arc::clone(&generation.file),
                generation.layout,
                tail.end,
                tail.seal,
            )?,
            owner: process::id(),
            durable,
            rewrite_until: if must_rewrite { tail.end } else { durable.end },
            barrier_end: durable.end,
            checkpoint_sequence,
            is_closed: false,
        })
    }

    /// Whether this process may write.
    ///
    /// # Errors
    /// [`WriteError`].
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        self.check_process()?;
        self.appender.check()
    }

    fn check_process(&self) -> Result<(), WriteError> {
        if self.owner == process::id() {
            Ok(())
        } else {
            Err(WriteError::ForeignProcess { owner: self.owner })
        }
    }

    pub(crate) fn allocated(&self) -> u64 {
        self.appender.allocated()
    }

    pub(crate) fn tail(&self) -> u64 {
        self.appender.tail()
    }

    /// Whether a barrier is due.
    pub(crate) fn is_barrier_due(&self) -> bool {
        self.appender.tail() - self.barrier_end >= BARRIER_DISTANCE
    }

    /// Appends a plan as one commit and makes it visible. Returns the new tail.
    ///
    /// Everything that can fail comes before the index is touched.
    pub(crate) fn commit(&mut self, generation: &Generation, plan: &Plan<'_>) -> io::Result<u64> {
        if plan.is_empty() {
            return Ok(self.tail());
        }
        self.make_room(generation, plan.len(&generation.layout)?)?;
        let insertions = plan.insertions(&generation.layout, self.tail())?;
        let end = self.appender.append(plan.entries())?;
        self.publish(generation, end, plan.delta, || match &*insertions {
            [single] => generation.index.insert(single, generation),
            many => generation.index.insert_batch(many, generation),
        })
    }

    /// As [`Writer::commit`], for a plan whose last entry gets its payload from `reader`.
    pub(crate) fn commit_from(
        &mut self,
        generation: &Generation,
        plan: &Plan<'_>,
        reader: &mut dyn io::Read,
        payload_len: u64,
        payload_crc: u32,
    ) -> io::Result<u64> {
        let Some((value, before)) = plan.entries().split_last() else { return Ok(self.tail()) };
        let start = self.tail();
        let mut len = 0;
        for entry in before {
            len += self.appender.slot_len(entry)?;
        }
        let slot_len = generation
            .layout
            .alignment()
            .slot_len(payload_len, value.key.len() as u16)
            .ok_or(FormatError::StoreFull { max: MAX_FILE_LEN })?;
        self.make_room(generation, len + slot_len)?;
        let mut insertions = plan.insertions(&generation.layout, start)?;
        let end = self.appender.append_from(before, value, reader, payload_len, payload_crc)?;
        if let Some(last) = insertions.last_mut() {
            last.end = end;
        }
        self.publish(generation, end, plan.delta, || {
            generation.index.insert_batch(&insertions, generation)
        })
    }

    /// Makes sure that a map covers `len` more bytes, before they are written.
    fn make_room(&self, generation: &Generation, len: u64) -> io::Result<()> {
        let end = self.appender.tail_after(len)?;
        if !generation.publication.needs_map(end) {
            return Ok(());
        }
        let map = maps::map(&*generation.file, generation.layout.alignment(), end, true)?;
        if generation.publication.add_map(map) {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "address space is too short to map the growing store; reopen it, or raise the limit",
            ))
        }
    }

    fn publish(
        &mut self,
        generation: &Generation,
        end: u64,
        delta: Delta,
        index: impl FnOnce() -> Result<(), FormatError>,
    ) -> io::Result<u64> {
        let counts = &generation.counts;
        let result = generation.publication.publish(end, || {
            index()?;
            counts.live_keys.fetch_add(delta.live_keys.cast_unsigned(), Ordering::Release);
            counts.dead_slots.fetch_add(delta.dead_slots, Ordering::Release);
            counts.dead_bytes.fetch_add(delta.dead_bytes, Ordering::Release);
            Ok(())
        });
        if let Err(error) = result {
            // The commit is in the file, and a reopen will show it; this process cannot.
            self.appender.poison(PoisonCause::PublishFailed);
            return Err(FormatError::into(error));
        }
        Ok(end)
    }

    /// Flushes everything that is acknowledged by now. The lock is free while the flush runs.
    pub(crate) fn sync(writer: &Mutex<Self>, generation: &Generation) -> io::Result<()> {
        let (point, rewrite) = {
            let guard = lock(writer);
            guard.check()?;
            if guard.durable.end == guard.tail() {
                return Ok(());
            }
            (guard.tail_point(), guard.durable.end..guard.rewrite_until)
        };
        let result =
            rewrite_range(&*generation.file, rewrite).and_then(|()| generation.file.sync());
        let mut guard = lock(writer);
        guard.synced(point, result)?;
        if guard.is_barrier_due() {
            guard.append_barrier(generation)?;
            guard.write_hints(generation, false)?;
        }
        Ok(())
    }

    /// Flushes, appends a barrier, trims the file and marks it clean. The second time nothing happens.
    pub(crate) fn close(&mut self, generation: &Generation) -> io::Result<()> {
        // First of all: a forked child must not even give the lock back.
        self.check_process()?;
        if self.is_closed {
            return Ok(());
        }
        self.is_closed = true;
        let result = self.write_clean_end(generation);
        self.appender.poison(PoisonCause::Closed);
        // A handle that outlives the store keeps the file open, which must not keep others from writing.
        result.and(generation.file.unlock())
    }

    fn write_clean_end(&mut self, generation: &Generation) -> io::Result<()> {
        self.check()?;
        let file = &*generation.file;
        if self.durable.end == self.tail() && self.allocated() == self.tail() {
            return Ok(());
        }
        let point = self.tail_point();
        let result =
            rewrite_range(file, self.durable.end..self.rewrite_until).and_then(|()| file.sync());
        self.synced(point, result)?;
        self.append_barrier(generation)?;
        self.appender.trim()?;
        let point = self.tail_point();
        let result = file.sync();
        self.synced(point, result)?;
        self.write_hints(generation, true)
    }

    fn tail_point(&self) -> Point {
        Point { end: self.appender.tail(), seal: self.appender.tail_seal() }
    }

    /// Notes the result of a flush of everything up to `point`. A failed one is never tried again: the system
    /// may have dropped the data and call the next one a success.
    fn synced(&mut self, point: Point, result: io::Result<()>) -> io::Result<()> {
        if let Err(error) = result {
            self.appender.poison(PoisonCause::SyncFailed);
            return Err(error);
        }
        if point.end > self.durable.end {
            self.durable = point;
            self.rewrite_until = self.rewrite_until.max(point.end);
        }
        Ok(())
    }

    /// Appends a barrier that names the durable point.
    fn append_barrier(&mut self, generation: &Generation) -> io::Result<()> {
        let barrier = Barrier {
            durable_tail: self.durable.end,
            durable_seal: self.durable.seal.0,
            live_keys: generation.counts.live_keys(),
            dead_bytes: generation.counts.dead_bytes(),
        };
        let len = generation.layout.slot_len(Barrier::LEN, 0)?;
        self.make_room(generation, len)?;
        let end = self.appender.append_barrier(barrier)?;
        self.barrier_end = end;
        self.publish(generation, end, Delta::default(), || Ok(()))?;
        Ok(())
    }

    /// Writes the durable point and the published tail into the header. Hints: that they fail to reach the
    /// medium costs the next open some time.
    fn write_hints(&mut self, generation: &Generation, is_clean: bool) -> io::Result<()> {
        self.checkpoint_sequence += 1;
        let checkpoint = Checkpoint {
            sequence: self.checkpoint_sequence,
            durable_tail: self.durable.end,
            durable_seal: self.durable.seal.0,
            index_end: 0,
            is_clean,
        };
        let at = (checkpoint.page() * PAGE_SIZE) as u64;
        write_all_at(&*generation.file, &checkpoint.encode(&generation.identity), at)?;
        let published = PublishedTail { tail: self.tail(), is_moved: false };
        write_all_at(&*generation.file, &published.encode(), 3 * PAGE_SIZE as u64)
    }
}

/// Writes a range of the file over itself, so that the next flush covers it whatever the cache believes.
fn rewrite_range(file: &dyn StoreFile, range: std::ops::Range<u64>) -> io::Result<()> {
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
