//! When checkpoints happen by themselves.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};

use crate::events;
use crate::shared::Shared;

/// The checkpoints that a store makes by itself.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    is_running: AtomicBool,
    is_cancelled: AtomicBool,
    /// After a failure: not before so many writes.
    not_before: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpoints {
    /// Ends the one that is under way, and waits for its thread.
    pub(crate) fn stop(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The last reference to a store may be dropped by its own thread.
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            let _ = thread.join();
        }
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
        let weak = Arc::downgrade(self);
        let run = move || {
            if let Some(shared) = weak.upgrade() {
                shared.run_checkpoint(unfrozen);
            }
        };
        let mut thread = checkpoints.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread::Builder::new().name("simd-r-drive-index".into()).spawn(run) {
            Ok(handle) => *thread = Some(handle),
            Err(error) => {
                events::checkpoint_failed(&error);
                checkpoints.not_before.store(unfrozen.saturating_mul(2), Ordering::Relaxed);
                checkpoints.is_running.store(false, Ordering::Relaxed);
            }
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
        checkpoints.is_running.store(false, Ordering::Relaxed);
    }

    fn checkpoint_if_alone(&self) -> io::Result<()> {
        let _one_at_a_time = match self.maintenance.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(guard)) => guard.into_inner(),
            // A compaction makes one.
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        self.checkpoint_and_merge(&self.checkpoints.is_cancelled)
    }
}
