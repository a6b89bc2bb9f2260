//! Readers of a store that another process, or another handle, writes.

use std::io;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::open::{self, Point, advance};
use crate::store::DataStore;

/// Shortest and longest pause between two looks at the file while waiting for a change.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));

impl DataStore {
    /// Shows what has been committed since the store was opened, or refreshed, and follows a compaction to the
    /// new file. Returns whether there was anything new, be it no more than a barrier. Only for stores opened
    /// read-only; one that is open for writing always shows its newest state, and answers `false`.
    ///
    /// Sees whole commits only, never an uncommitted byte; never waits for the writer, nor makes it wait.
    /// Handles, iterators and snapshots stay as they were.
    ///
    /// Costs two or three system calls when nothing is new; else it reads and checks what is.
    ///
    /// # Errors
    /// The operating system's; and those of [`OpenOptions::open`](crate::OpenOptions::open) for a file that a
    /// compaction has put in place.
    ///
    /// # Locking
    /// Threads that refresh at the same time do so one after the other. Reads go on.
    pub fn refresh(&self) -> io::Result<bool> {
        let Some(follower) = &self.shared.follower else { return Ok(false) };
        let mut position = follower.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.shared.current.load_full();
        generation.refuse_damage()?;
        let before = *position;
        advance(&generation, &mut position)?;
        let mut is_changed = *position != before;
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
pub(crate) type Follower = std::sync::Mutex<Point>;
