//! Readers of a store that another process, or another handle, writes.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::events;
use crate::generation::Generation;
use crate::open::{self, Point, advance, newer_index, read_checkpoints};
use crate::quiet_mutex::QuietMutex;
use crate::store::DataStore;

/// Shortest and longest pause between two looks at the file while waiting for a change.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));

/// With fewer hashes in memory, those that are in a newer table by now stay there.
const ADOPT_MIN: u64 = 1 << 16;

impl DataStore {
    /// Shows what has been committed since the store was opened, or refreshed, and follows a compaction to the
    /// new file. Returns whether there was anything new, be it no more than a barrier. Only for stores opened
    /// read-only; one that is open for writing always shows its newest state, and answers `false`.
    ///
    /// Sees whole commits only, never an uncommitted byte; never waits for the writer, nor makes it wait.
    /// Handles, iterators and snapshots stay as they were.
    ///
    /// Costs two or three system calls when nothing is new; else it reads and checks what is. When 65,536 keys or more
    /// are in memory that the writer has written to an index in the file, that takes their place, and what follows
    /// it is read again.
    ///
    /// # Errors
    /// The operating system's; and those of [`OpenOptions::open`](crate::OpenOptions::open) for a file that a
    /// compaction has put in place.
    ///
    /// # Locking
    /// Threads that refresh at the same time do so one after the other. Reads go on.
    pub fn refresh(&self) -> io::Result<bool> {
        let Some(follower) = &self.shared.follower else { return Ok(false) };
        let mut position = follower.lock();
        let generation = self.shared.current.load_full();
        generation.refuse_damage()?;
        let before = *position;
        advance(&generation, &mut position)?;
        let mut is_changed = *position != before;
        let wants_index = !self.shared.options.salvage;
        if is_changed && wants_index && generation.index.unfrozen() >= ADOPT_MIN {
            // Without it, reads are as right, and take more memory.
            let adopted = self.adopt_index(&generation, *position);
            adopted.unwrap_or_else(|error| events::index_not_adopted(&error));
        }
        if self.is_replaced()? {
            let opened = open::open(&self.shared.path, &self.shared.options)?;
            *position = opened.tail;
            self.shared.current.store(Arc::new(opened.generation));
            is_changed = true;
        }
        Ok(is_changed)
    }

    /// Waits until something new has been committed, at most for `timeout`, and shows it. Returns whether
    /// there was. Looks at the file every 50 µs to 5 ms, the longer it waits.
    ///
    /// # Errors
    /// As [`DataStore::refresh`].
    pub fn watch(&self, timeout: Duration) -> io::Result<bool> {
        let started = Instant::now();
        let before = self.cursor();
        let mut pause = PAUSES.0;
        loop {
            if self.refresh()? || self.cursor() != before {
                return Ok(true);
            }
            let left = timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Puts the newest index in the file, if it is newer than the one in use, in the place of what is in memory.
    fn adopt_index(&self, generation: &Generation, tail: Point) -> io::Result<()> {
        let log = &generation.log;
        let checkpoints = read_checkpoints(&*log.file, &log.identity)?;
        if let Some(index) = newer_index(log, &checkpoints, &generation.index, tail)? {
            // In the order that readers rely on; see `TailLimit`.
            generation.limit.set(tail.end);
            let adopted = Generation::new(Arc::clone(log), index);
            self.shared.current.store(Arc::new(adopted));
        }
        Ok(())
    }

    /// Whether the path names another file by now.
    fn is_replaced(&self) -> io::Result<bool> {
        let current = self.generation().file.key()?;
        match self.shared.options.file_system.key_of(&self.shared.path) {
            Ok(key) => Ok(key != current),
            // Removed: what was opened is still there, and stays.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Where a reader is in the log that it follows.
pub(crate) type Follower = QuietMutex<Point>;
