//! When a store is flushed in the background.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::durability::Durability;
use crate::error::StoreError;
use crate::events;
use crate::flush::{Flushed, Flusher, KeptThread, Place};
use crate::shared::Shared;

/// After this time of writing, the log gets a barrier, at every level of durability.
const BARRIER_INTERVAL: Duration = Duration::from_secs(5);

/// What has been noted: nothing, something to flush, or something to flush at once.
const NOTHING: u8 = 0;
const DIRTY: u8 = 1;
const URGENT: u8 = 2;

/// A store's part in the background flushing of its process.
#[derive(Debug)]
pub(crate) struct Background {
    flusher: Arc<Flusher>,
    /// Written data is flushed after this time.
    interval: Duration,
    /// Whether the store promised the interval to its user.
    is_promised: bool,
    /// What the flusher has been told. This is all that a commit reads.
    noted: AtomicU8,
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Present while a store that promised an interval is open.
    thread: Option<KeptThread>,
    dirty_since: Option<Instant>,
    is_urgent: bool,
    place: Option<Place>,
    /// The thread that is flushing the store.
    running: Option<ThreadId>,
    is_stopped: bool,
    /// Time of the last barrier, or of the first write.
    last_barrier: Option<Instant>,
}

impl Background {
    /// State for a store of this durability that is about to be opened.
    ///
    /// # Errors
    /// [`StoreError::NoFlushThread`] if the store promises what only a thread can keep and none can
    /// be started.
    pub(crate) fn new(durability: Durability, is_read_only: bool) -> io::Result<Self> {
        let flusher = Flusher::of_this_process();
        let promised = match durability {
            Durability::Interval(interval) if !is_read_only => Some(interval),
            _ => None,
        };
        let thread = promised
            .map(|_| flusher.keep_thread())
            .transpose()
            .map_err(|source| StoreError::NoFlushThread { source })?;
        Ok(Self {
            flusher,
            interval: promised.unwrap_or(BARRIER_INTERVAL).min(BARRIER_INTERVAL),
            is_promised: promised.is_some(),
            noted: AtomicU8::new(NOTHING),
            state: Mutex::new(State { thread, ..State::default() }),
            idle: Condvar::new(),
        })
    }

    /// Tells the flusher that there is something to flush; with `is_urgent`, at once.
    ///
    /// Costs one load, except for the first call after a flush.
    #[inline]
    pub(crate) fn note(&self, shared: &Arc<Shared>, is_urgent: bool) {
        let level = if is_urgent { URGENT } else { DIRTY };
        if self.noted.load(Ordering::Relaxed) < level {
            self.note_anew(shared, level);
        }
    }

    #[cold]
    fn note_anew(&self, shared: &Arc<Shared>, level: u8) {
        let mut state = self.lock();
        if state.is_stopped {
            return;
        }
        self.noted.fetch_max(level, Ordering::Relaxed);
        let now = Instant::now();
        state.dirty_since.get_or_insert(now);
        state.last_barrier.get_or_insert(now);
        state.is_urgent |= level == URGENT;
        let mut result = Ok(());
        // During a flush, its thread schedules the next one when it is done.
        if state.running.is_none()
            && let Some((due, is_pressing)) = self.due(&state)
            && self.leave(&mut state, due)
        {
            let store: Weak<Shared> = Arc::downgrade(shared);
            let (place, added) = self.flusher.add(store, due, is_pressing);
            state.place = Some(place);
            result = added;
        }
        drop(state);
        if let Err(error) = result {
            // Writers flush before recovery would take too long; see `Shared::after_commit`.
            events::thread_not_started(&error);
        }
    }

    /// When the store must be flushed, and whether nothing may delay that.
    fn due(&self, state: &State) -> Option<(Instant, bool)> {
        let since = state.dirty_since?;
        Some(if state.is_urgent {
            (Instant::now(), true)
        } else {
            (since + self.interval, self.is_promised)
        })
    }

    /// Gives up a place that is later than `due`. Returns `false` if the existing place is earlier
    /// or has come due.
    fn leave(&self, state: &mut State, due: Instant) -> bool {
        match state.place {
            None => true,
            Some(place) if place.due <= due => false,
            Some(place) => self.flusher.remove(place),
        }
    }

    /// Stops flushing, and waits for a flush in progress.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        if let Some(place) = state.place.take() {
            self.flusher.remove(place);
        }
        let thread = state.thread.take();
        let this_thread = thread::current().id();
        // A subscriber to events may close the store from the thread that flushes it.
        let is_elsewhere =
            |state: &mut State| state.running.is_some_and(|running| running != this_thread);
        let idle = self.idle.wait_while(state, is_elsewhere);
        drop(idle.unwrap_or_else(PoisonError::into_inner));
        drop(thread);
    }

    /// Begins a flush on a thread of the flusher, and tells whether a barrier is due. `None` if the
    /// store is closed.
    fn begin(self: &Arc<Self>, shared: &Arc<Shared>) -> Option<(Running, bool)> {
        let mut state = self.lock();
        state.place = None;
        if state.is_stopped {
            return None;
        }
        state.dirty_since = None;
        state.is_urgent = false;
        state.running = Some(thread::current().id());
        // Reset before the flush, so that a commit during the flush is noted again.
        self.noted.store(NOTHING, Ordering::Relaxed);
        let is_barrier_due =
            state.last_barrier.is_none_or(|last| last.elapsed() >= BARRIER_INTERVAL);
        drop(state);
        let running = Running { background: Arc::clone(self), store: Arc::downgrade(shared) };
        Some((running, is_barrier_due))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flush in progress, on a thread of the flusher.
struct Running {
    background: Arc<Background>,
    store: Weak<Shared>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let background = &*self.background;
        let mut state = background.lock();
        state.running = None;
        if !state.is_stopped
            && let Some((due, is_pressing)) = background.due(&state)
        {
            let store: Weak<Shared> = Weak::clone(&self.store);
            state.place = Some(background.flusher.add_from_thread(store, due, is_pressing));
        }
        drop(state);
        background.idle.notify_all();
    }
}

impl Flushed for Shared {
    fn flush_when_due(self: Arc<Self>) {
        let background = Arc::clone(&self.background);
        let Some((running, is_barrier_due)) = background.begin(&self) else { return };
        // The store must be released before a caller of `stop` learns that the flush is over.
        flush(self, is_barrier_due);
        drop(running);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the store is given back at the end")]
fn flush(shared: Arc<Shared>, is_barrier_due: bool) {
    match shared.sync().and_then(|()| shared.barrier(is_barrier_due)) {
        Ok(true) => shared.background.lock().last_barrier = Some(Instant::now()),
        Ok(false) => {}
        // A barrier that found no space, for instance. Later data is flushed all the same.
        Err(error) => events::background_flush_failed(&shared.path, &error),
    }
}
