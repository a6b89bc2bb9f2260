//! Readers of a store that another process, or another handle, writes.

use std::cmp::Ordering;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Identity, Seal, read_slot};
use simd_r_drive_writer::{Location, read_exact_at};

use crate::error::{StoreError, about, is_format_error};
use crate::events;
use crate::events::QuietMutex;
use crate::log::{Direction, LogPosition, ReadState, WindowReader};
use crate::open::{self, Advanced, Opened, advance, newer_index, read_checkpoints};
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
    /// Costs a handful of system calls when nothing is new; else it reads and checks what is. When 65,536 keys or more
    /// are in memory that the writer has written to an index in the file, that takes their place, and what follows
    /// it is read again.
    ///
    /// # Errors
    /// - [`StoreError::ReplacedByOther`] and [`StoreError::ReplacedByOlder`] if what lies in the store's place now
    ///   is no newer state of it. The store goes on showing what it has.
    /// - [`StoreError::Overwritten`] if another program has cut the file, or copied another one over it. What has
    ///   been read from the store may be wrong then, and what is read can end the process; see `docs/safety.md`.
    /// - Those of [`OpenOptions::open`](crate::OpenOptions::open) for a file that a compaction has put in place;
    ///   the operating system's.
    ///
    /// # Locking
    /// Threads that refresh at the same time do so one after the other. Reads go on.
    pub fn refresh(&self) -> io::Result<bool> {
        let (Some(follower), Some(location)) = (&self.shared.follower, &self.shared.location)
        else {
            return Ok(false);
        };
        let mut position = follower.lock();
        let refreshed = self.refresh_from(&mut position, location);
        refreshed.map_err(|error| about(&*self.shared.path, error))
    }

    /// [`DataStore::refresh`] of a follower that is at `position`.
    fn refresh_from(
        &self,
        position: &mut LogPosition,
        location: &Arc<dyn Location>,
    ) -> io::Result<bool> {
        let state = self.shared.current.load_full();
        state.refuse_damage()?;
        self.refuse_overwritten(&state, *position)?;
        let before = *position;
        let mut must_reopen = advance(&state, position)? == Advanced::MapLags;
        let mut is_changed = *position != before;
        let wants_index = !self.shared.options.salvage;
        if is_changed && wants_index && state.index.unfrozen() >= ADOPT_MIN {
            // Without it, reads are as right, and take more memory.
            let adopted = self.adopt_index(&state, *position);
            adopted.unwrap_or_else(|error| events::index_not_adopted(&error));
        }
        match location.key() {
            Ok(key) => must_reopen |= key != state.file.key()?,
            // Removed: what was opened is still there, and stays.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if must_reopen {
            let opened = open::open(&self.shared.path, location, &self.shared.options)?;
            self.check_successor(&state, *position, &opened)?;
            *position = opened.tail;
            self.shared.current.replace_file(Arc::new(opened.state));
            is_changed = true;
        }
        Ok(is_changed)
    }

    /// Another program may have cut the file, or copied another one over it: what the map shows is then gone.
    fn refuse_overwritten(&self, state: &ReadState, position: LogPosition) -> io::Result<()> {
        let file = &*state.file;
        let overwritten = || StoreError::Overwritten { path: self.shared.path.clone() };
        if file.len()? < position.end {
            return Err(overwritten().into());
        }
        let mut page = [0; PAGE_SIZE];
        read_exact_at(file, &mut page, 0)?;
        // A page that cannot be read is damage, which opening has told of.
        match Identity::decode(&page) {
            Ok(Some(identity)) if identity != state.identity => Err(overwritten().into()),
            Err(_) => Err(overwritten().into()),
            Ok(_) => Ok(()),
        }
    }

    /// Makes sure that a file that has taken the place of the one that was shown up to `position` is a newer state
    /// of the same store.
    fn check_successor(
        &self,
        state: &ReadState,
        position: LogPosition,
        opened: &Opened,
    ) -> io::Result<()> {
        let path = || self.shared.path.clone();
        let (old, new) = (&state.identity, &opened.state.identity);
        if old.store_id != new.store_id {
            return Err(StoreError::ReplacedByOther { path: path() }.into());
        }
        let is_newer = match new.generation.cmp(&old.generation) {
            Ordering::Greater => true,
            Ordering::Less => false,
            // A copy of the same file, put in its place: it must go on from what has been shown.
            Ordering::Equal => old == new && has_point(&opened.state, position)?,
        };
        if is_newer { Ok(()) } else { Err(StoreError::ReplacedByOlder { path: path() }.into()) }
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
    fn adopt_index(&self, state: &ReadState, tail: LogPosition) -> io::Result<()> {
        let log = &state.log;
        let checkpoints = read_checkpoints(&*log.file, &log.identity)?;
        if let Some(index) = newer_index(log, &checkpoints, &state.index, tail)? {
            self.shared.current.replace_index(tail.end, ReadState::new(Arc::clone(log), index));
        }
        Ok(())
    }
}

/// Whether a log has a slot that ends at `point`, with its seal.
fn has_point(state: &ReadState, point: LogPosition) -> io::Result<bool> {
    if point.end == state.layout.header_len() {
        return Ok(point.seal == Seal(state.identity.checksum()));
    }
    let tail = state.publication.tail();
    if tail < point.end {
        return Ok(false);
    }
    let mut source = WindowReader::new(&*state.file, tail, Direction::Backward);
    match read_slot(&mut source, &state.layout, point.end) {
        Ok(slot) => Ok(slot.seal == point.seal),
        Err(error) if is_format_error(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Where a reader is in the log that it follows.
pub(crate) type Follower = QuietMutex<LogPosition>;
