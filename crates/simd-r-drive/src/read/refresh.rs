//! Followers: read-only stores that show what another process or handle commits.

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

/// Shortest and longest pause between two checks of the file while waiting for a change.
const PAUSES: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(5));

/// With fewer hashes in memory, adopting a newer table is not worth it.
const ADOPT_MIN: u64 = 1 << 16;

impl DataStore {
    /// Shows what has been committed since the store was opened or last refreshed, and follows a
    /// compaction to the new file. Returns whether anything was new, even if only a barrier. For
    /// stores opened read-only: a writable store always shows its newest state, and returns
    /// `false`.
    ///
    /// Only whole commits appear, never an uncommitted byte. The call never waits for the writer or
    /// makes it wait. Handles, iterators and snapshots stay as they were.
    ///
    /// Costs a handful of system calls if nothing is new; else what is new is read and checked. If
    /// the in-memory index holds 65,536 keys or more and the writer has since written a newer index
    /// to the file, that index replaces it, and what follows it is read again.
    ///
    /// # Errors
    /// - [`StoreError::ReplacedByOther`] or [`StoreError::ReplacedByOlder`] if the file at the
    ///   store's path is not a newer state of the store. The store keeps showing what it has.
    /// - [`StoreError::Overwritten`] if another program has cut the file or copied another over it.
    ///   What was read from the store may then be wrong, and further reads can end the process; see
    ///   `docs/safety.md`.
    /// - Those of [`OpenOptions::open`](crate::OpenOptions::open), for a file that a compaction put
    ///   in place.
    /// - Any I/O error of the file.
    ///
    /// # Locking
    /// Threads that refresh at the same time do so one after the other. Reads continue.
    pub fn refresh(&self) -> io::Result<bool> {
        let (Some(follower), Some(location)) = (&self.shared.follower, &self.shared.location)
        else {
            return Ok(false);
        };
        let mut position = follower.lock();
        let refreshed = self.refresh_from(&mut position, location);
        refreshed.map_err(|error| about(&*self.shared.path, error))
    }

    /// [`DataStore::refresh`] for a follower at `position`.
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
            // Without a newer index, reads are just as correct but take more memory.
            let adopted = self.adopt_index(&state, *position);
            adopted.unwrap_or_else(|error| events::index_not_adopted(&error));
        }
        match location.key() {
            Ok(key) => must_reopen |= key != state.file.key()?,
            // The name was removed. The open file is still there and stays in use.
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

    /// If another program has cut the file or copied another over it, the maps no longer show the
    /// store.
    fn refuse_overwritten(&self, state: &ReadState, position: LogPosition) -> io::Result<()> {
        let file = &*state.file;
        let overwritten = || StoreError::Overwritten { path: self.shared.path.clone() };
        if file.len()? < position.end {
            return Err(overwritten().into());
        }
        let mut page = [0; PAGE_SIZE];
        read_exact_at(file, &mut page, 0)?;
        // An unreadable page is damage, which opening has reported.
        match Identity::decode(&page) {
            Ok(Some(identity)) if identity != state.identity => Err(overwritten().into()),
            Err(_) => Err(overwritten().into()),
            Ok(_) => Ok(()),
        }
    }

    /// Makes sure that the file that has replaced the one shown up to `position` is a newer state
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
            // A copy of the same file in its place must continue from what has been shown.
            Ordering::Equal => old == new && has_point(&opened.state, position)?,
        };
        if is_newer { Ok(()) } else { Err(StoreError::ReplacedByOlder { path: path() }.into()) }
    }

    /// Waits at most `timeout` for a new commit and shows it. Returns whether there was one. Checks
    /// the file every 50 µs at first, and every 5 ms after a while.
    ///
    /// For a store that follows a writer. A writable store is the only writer of its file, so it
    /// waits for commits of other threads that share it.
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

    /// Replaces the in-memory index with the newest index in the file, if that is newer than the
    /// one in use.
    fn adopt_index(&self, state: &ReadState, tail: LogPosition) -> io::Result<()> {
        let log = &state.log;
        let checkpoints = read_checkpoints(&*log.file, &log.identity)?;
        if let Some(index) = newer_index(log, &checkpoints, &state.index, tail)? {
            self.shared.current.replace_index(tail.end, ReadState::new(Arc::clone(log), index));
        }
        Ok(())
    }
}

/// Whether a slot of the log ends at `point` with this seal.
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

/// A follower's position in the log.
pub(crate) type Follower = QuietMutex<LogPosition>;
