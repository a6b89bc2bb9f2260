//! Backpressure: writers pause so that a compaction can catch up with them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// Pause after each commit at level 1, regardless of its length.
const COMMIT_PAUSE: Duration = Duration::from_micros(100);

/// Additional pause at level 1 per byte of a commit, in nanoseconds. Limits a thread to 100 MB/s.
const BYTE_PAUSE: u64 = 10;

/// The highest level: pauses are this many times as long as at level 1.
const MAX_LEVEL: u32 = 1 << 10;

/// The pause that writers make after each commit. None unless a compaction is catching up.
///
/// Writers pause after they release the lock, so that others can take it meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Backpressure {
    /// Multiple of the level-1 pause; 0 for none. This is all that a commit reads.
    level: AtomicU32,
    /// The compacting thread. Its callback may write, and a pause would only delay the compaction
    /// itself.
    exempt: Mutex<Option<ThreadId>>,
}

impl Backpressure {
    /// Pauses after a commit of `len` bytes if a compaction asks for it.
    #[inline]
    pub(crate) fn keep(&self, commit_len: u64) {
        // Relaxed: one commit more or less does not matter.
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

    /// Lets the calling thread set the pace until the result is dropped.
    pub(crate) fn take(&self) -> PaceSetter<'_> {
        let this_thread = Some(thread::current().id());
        *self.exempt.lock().unwrap_or_else(PoisonError::into_inner) = this_thread;
        PaceSetter(self)
    }
}

/// Sets the pace while a compaction catches up.
#[derive(Debug)]
pub(crate) struct PaceSetter<'a>(&'a Backpressure);

impl PaceSetter<'_> {
    /// Makes writers pause if they do not yet.
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
