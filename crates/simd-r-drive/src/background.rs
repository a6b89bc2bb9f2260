//! The thread that flushes a store while nobody waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use crate::events;
use crate::shared::Shared;

/// After this time of writing the log gets a barrier, at every level of durability.
const BARRIER_INTERVAL: Duration = Duration::from_secs(5);

/// Wakes and stops the background thread of one store. The thread is started by the first commit.
#[derive(Debug, Default)]
pub(crate) struct Background {
    /// Whether the thread knows that there is something to flush: all that a commit looks at.
    is_dirty: AtomicBool,
    state: Mutex<State>,
    wake: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct State {
    dirty_since: Option<Instant>,
    is_urgent: bool,
    is_stopped: bool,
}

impl Background {
    /// Tells the thread that there is something to flush; `is_urgent` if it should not wait for its time.
    ///
    /// Costs one load, unless the thread was idle.
    pub(crate) fn note(&self, shared: &Arc<Shared>, is_urgent: bool) {
        if self.is_dirty.load(Ordering::Relaxed) && !is_urgent {
            return;
        }
        self.is_dirty.store(true, Ordering::Relaxed);
        let mut state = self.lock();
        state.dirty_since.get_or_insert_with(Instant::now);
        state.is_urgent |= is_urgent;
        let is_stopped = state.is_stopped;
        drop(state);
        self.wake.notify_one();
        if !is_stopped {
            self.ensure_thread(shared);
        }
    }

    /// Stops the thread and waits for the flush that it may be at.
    pub(crate) fn stop(&self) {
        self.lock().is_stopped = true;
        self.wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last reference to a store may be dropped by its own thread.
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
    }

    fn ensure_thread(&self, shared: &Arc<Shared>) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return;
        }
        let weak = Arc::downgrade(shared);
        match thread::Builder::new().name("simd-r-drive".into()).spawn(move || run(&weak)) {
            Ok(handle) => *thread = Some(handle),
            // Without a thread, writers flush when recovery would take too long; see `Shared::after_commit`.
            Err(error) => events::thread_not_started(&shared.path, &error),
        }
    }

    /// Waits until a flush is due; `false` when the store is closed.
    fn wait(&self, interval: Duration) -> bool {
        let mut state = self.lock();
        loop {
            if state.is_stopped {
                return false;
            }
            let left = match state.dirty_since {
                None => None,
                Some(_) if state.is_urgent => Some(Duration::ZERO),
                Some(since) => Some(interval.saturating_sub(since.elapsed())),
            };
            state = match left {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    state.dirty_since = None;
                    state.is_urgent = false;
                    // Before the flush: a commit that comes during it is noted again.
                    self.is_dirty.store(false, Ordering::Relaxed);
                    return true;
                }
                Some(left) => {
                    self.wake.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread. It holds the store only while it works, so that it does not keep it open.
fn run(store: &Weak<Shared>) {
    let mut last_barrier = Instant::now();
    loop {
        let Some(shared) = store.upgrade() else { return };
        let interval = shared.flush_interval().unwrap_or(BARRIER_INTERVAL).min(BARRIER_INTERVAL);
        let background = Arc::clone(&shared.background);
        drop(shared);
        if !background.wait(interval) {
            return;
        }
        let Some(shared) = store.upgrade() else { return };
        let is_barrier_due = last_barrier.elapsed() >= BARRIER_INTERVAL;
        match flush(&shared, is_barrier_due) {
            Ok(has_barrier) if has_barrier => last_barrier = Instant::now(),
            Ok(_) => {}
            Err(error) => {
                events::unasked_flush_failed(&shared.path, &error);
                if shared.writer().is_err() {
                    // Writes are refused from now on; there is nothing left to flush.
                    return;
                }
                // A barrier that found no space, say: what comes later must be flushed all the same.
            }
        }
    }
}

fn flush(shared: &Arc<Shared>, is_barrier_due: bool) -> io::Result<bool> {
    shared.sync()?;
    shared.barrier(is_barrier_due)
}
