//! How a compaction slows writers down, so that it comes to its end beside any of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Pause after a commit at the first level, whatever its length.
const COMMIT_PAUSE: Duration = Duration::from_micros(100);

/// Pause at the first level for each byte of a commit, in nanoseconds: no thread writes more than 100 MB a second.
const BYTE_PAUSE: u64 = 10;

/// The pauses of the highest level are as many times as long.
const MAX_LEVEL: u32 = 1 << 10;

/// The pause that writers make after each commit. Without a compaction that catches up with them, none.
///
/// They make it when they have given the writer's lock back, so that somebody else gets it meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Backpressure {
    /// How many times the first level's pause; 0 for none. All that a commit looks at.
    level: AtomicU32,
    /// The thread of the compaction: its callback may write, and would only hold up itself.
    exempt: Mutex<Option<ThreadId>>,
}

impl Backpressure {
    /// Pauses after a commit of `len` bytes, if a compaction asks for it.
    #[inline]
    pub(crate) fn keep(&self, commit_len: u64) {
        // Relaxed: a commit more or less does not matter.
        let level = self.level.load(Ordering::Relaxed);
        if level > 0 {
            self.pause(level, commit_len);
        }
    }

    #[cold]
    fn pause(&self, level: u32, commit_len: u64) {
        let exempt = *self.exempt.lock().unwrap_or_else(PoisonError::into_inner);
        if exempt != Some(thread::current().id()) {
            let of_bytes = Duration::from_nanos(commit_len.saturating_mul(BYTE_PAUSE));
            thread::sleep((COMMIT_PAUSE + of_bytes).saturating_mul(level));
        }
    }

    /// What the calling thread sets is undone when the result is dropped.
    pub(crate) fn take(&self) -> PaceSetter<'_> {
        let this_thread = Some(thread::current().id());
        *self.exempt.lock().unwrap_or_else(PoisonError::into_inner) = this_thread;
        PaceSetter(self)
    }
}

/// Sets the pace, while a compaction catches up.
#[derive(Debug)]
pub(crate) struct PaceSetter<'a>(&'a Backpressure);

impl PaceSetter<'_> {
    /// Makes writers pause, if they do not yet.
    pub(crate) fn ask(&self) {
        if self.0.level.load(Ordering::Relaxed) == 0 {
            self.0.level.store(1, Ordering::Relaxed);
        }
    }

    /// Doubles the pauses.
    pub(crate) fn slow_down(&self) {
        let level = self.0.level.load(Ordering::Relaxed);
        self.0.level.store((level * 2).clamp(1, MAX_LEVEL), Ordering::Relaxed);
    }
}

impl Drop for PaceSetter<'_> {
    fn drop(&mut self) {
        self.0.level.store(0, Ordering::Relaxed);
    }
}
