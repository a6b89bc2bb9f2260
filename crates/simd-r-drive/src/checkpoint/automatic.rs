//! Automatic checkpoints.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::events;
use crate::shared::Shared;

/// The automatic checkpoints of a store.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// Whether one is running or about to. Set back to `false` under the lock of `thread`.
    is_running: AtomicBool,
    is_cancelled: AtomicBool,
    /// After a failure, the number of writes before which no checkpoint is attempted.
    not_before: AtomicU64,
    /// Id of the thread that makes one. The handle is not kept: until it is joined, a finished
    /// thread would keep its stack.
    thread: Mutex<Option<ThreadId>>,
    ended: Condvar,
}

impl Checkpoints {
    /// Cancels a running checkpoint, and waits for its thread.
    pub(crate) fn stop(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let mut thread = self.thread();
        // A subscriber to events may close the store from that very thread.
        while self.is_running.load(Ordering::Relaxed) && *thread != Some(thread::current().id()) {
            thread = self.ended.wait(thread).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A checkpoint that is running, or about to.
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
    /// Starts a checkpoint in a thread of its own, unless one is running.
    pub(crate) fn start_checkpoint(self: &Arc<Self>, unfrozen: u64) {
        let checkpoints = &self.checkpoints;
        if unfrozen < checkpoints.not_before.load(Ordering::Relaxed)
            || checkpoints.is_running.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let (running, weak) = (Running(Arc::clone(checkpoints)), Arc::downgrade(self));
        let run = move || {
            // Dropped last: the store must be released before a caller of `stop` learns that this
            // is over.
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
        // A running compaction makes a checkpoint itself.
        let Some(_one_at_a_time) = self.maintenance.try_begin() else { return Ok(()) };
        self.checkpoint_and_merge(&self.checkpoints.is_cancelled)
    }
}
