//! When checkpoints happen by themselves.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::events;
use crate::shared::Shared;

/// The checkpoints that a store makes by itself.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// Whether there is one, or its thread is about to start. Goes back to `false` under the lock of `thread`.
    is_running: AtomicBool,
    is_cancelled: AtomicBool,
    /// After a failure, the number of writes before which no checkpoint is tried.
    not_before: AtomicU64,
    /// The thread that makes one. It is not joined: until it is, a thread that has ended keeps its stack.
    thread: Mutex<Option<ThreadId>>,
    ended: Condvar,
}

impl Checkpoints {
    /// Ends the one that is under way, and waits for its thread.
    pub(crate) fn stop(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let mut thread = self.thread();
        // A store may be closed by that very thread, if a subscriber to its events does so.
        while self.is_running.load(Ordering::Relaxed) && *thread != Some(thread::current().id()) {
            thread = self.ended.wait(thread).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A checkpoint that is under way, or about to start.
struct Running(Arc<Checkpoints>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut thread = self.0.thread();
        *thread = None;
        self.0.is_running.store(false, Ordering::Relaxed);
        drop(thread);
        self.0.ended.notify_all();
    }
}

impl Shared {
    /// Starts a checkpoint in a thread of its own, if none is under way.
    pub(crate) fn start_checkpoint(self: &Arc<Self>, unfrozen: u64) {
        let checkpoints = &self.checkpoints;
        if unfrozen < checkpoints.not_before.load(Ordering::Relaxed)
            || checkpoints.is_running.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let (running, weak) = (Running(Arc::clone(checkpoints)), Arc::downgrade(self));
        let run = move || {
            // Dropped last: the store is given back before anybody who closes it is told that this is over.
            let running = running;
            *running.0.thread() = Some(thread::current().id());
            if let Some(shared) = weak.upgrade() {
                shared.run_checkpoint(unfrozen);
            }
        };
        if let Err(error) = thread::Builder::new().name("simd-r-drive-index".into()).spawn(run) {
            checkpoints.not_before.store(unfrozen.saturating_mul(2), Ordering::Relaxed);
            events::checkpoint_failed(&error);
        }
    }

    fn run_checkpoint(&self, unfrozen: u64) {
        let checkpoints = &self.checkpoints;
        let not_before = match self.checkpoint_if_alone() {
            Ok(()) => 0,
            Err(error) => {
                if !checkpoints.is_cancelled.load(Ordering::Relaxed) {
                    events::checkpoint_failed(&error);
                }
                unfrozen.saturating_mul(2)
            }
        };
        checkpoints.not_before.store(not_before, Ordering::Relaxed);
    }

    fn checkpoint_if_alone(&self) -> io::Result<()> {
        // A compaction makes one.
        let Some(_one_at_a_time) = self.maintenance.try_begin() else { return Ok(()) };
        self.checkpoint_and_merge(&self.checkpoints.is_cancelled)
    }
}
