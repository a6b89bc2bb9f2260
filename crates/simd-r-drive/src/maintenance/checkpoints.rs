//! Whether an automatic checkpoint is running, and stopping it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

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
    /// Begins a checkpoint after `unfrozen` writes. `None` if one is running, or if the last one
    /// failed and too little was written since.
    pub(crate) fn begin(self: &Arc<Self>, unfrozen: u64) -> Option<Running> {
        let is_early = unfrozen < self.not_before.load(Ordering::Relaxed);
        let is_free = || !self.is_running.swap(true, Ordering::Relaxed);
        (!is_early && is_free()).then(|| Running(Arc::clone(self)))
    }

    /// Lets the next attempt wait until twice as much has been written.
    pub(crate) fn failed(&self, unfrozen: u64) {
        self.not_before.store(unfrozen.saturating_mul(2), Ordering::Relaxed);
    }

    /// Lets the next checkpoint be made as soon as it is due.
    pub(crate) fn succeeded(&self) {
        self.not_before.store(0, Ordering::Relaxed);
    }

    /// Whether the running checkpoint must end.
    pub(crate) fn is_cancelled(&self) -> &AtomicBool {
        &self.is_cancelled
    }

    /// Cancels a running checkpoint, and waits for its thread.
    pub(crate) fn stop(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let this_thread = Some(thread::current().id());
        // A subscriber to events may close the store from that very thread.
        let is_elsewhere = |thread: &mut Option<ThreadId>| {
            self.is_running.load(Ordering::Relaxed) && *thread != this_thread
        };
        let ended = self.ended.wait_while(self.thread(), is_elsewhere);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }

    fn thread(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A checkpoint that is running, or about to.
#[derive(Debug)]
pub(crate) struct Running(Arc<Checkpoints>);

impl Running {
    /// Notes that the calling thread makes it.
    pub(crate) fn on_this_thread(&self) {
        *self.0.thread() = Some(thread::current().id());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut thread = self.0.thread();
        *thread = None;
        self.0.is_running.store(false, Ordering::Relaxed);
        drop(thread);
        self.0.ended.notify_all();
    }
}
