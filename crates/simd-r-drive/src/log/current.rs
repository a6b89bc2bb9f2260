//! What readers see now, and the only place where that is replaced.
//!
//! A checkpoint gives the writer another list of index layers, and readers may still hold the one before, which knows
//! nothing of later commits. So [`Current::replace_index`] sets the limit of the old list to the tail that is published,
//! then stores the new list where readers load it, and only then may the writer publish further commits. A reader loads
//! the list, then the tail, then the limit; if the tail is beyond it, the reader loads the list again, and finds the
//! newer one: the tail was published, with `Release`, after that was stored. A reader that follows the log of another
//! process publishes what it finds there in the same way, and takes over that process's index by the same steps.

use std::sync::Arc;

use super::sync::{AtomicU64, Loaded, Ordering, SwapCell};
use crate::log::{ReadState, Totals};

/// A state that readers load at once.
pub(crate) trait State {
    /// The tail of the log, as it is now.
    fn published_tail(&self) -> u64;

    /// Up to which tail the state answers.
    fn limit(&self) -> &TailLimit;
}

/// Up to which tail a list of index layers answers: further on, a newer one does.
#[derive(Debug)]
pub(crate) struct TailLimit(AtomicU64);

impl Default for TailLimit {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl TailLimit {
    /// Whether the list answers for `tail`, which was loaded after the list.
    #[inline]
    fn allows(&self, tail: u64) -> bool {
        // Relaxed: the tail was loaded with Acquire, and one beyond the limit was published after it was set.
        tail <= self.0.load(Ordering::Relaxed)
    }

    /// Ends the list's time, before anything beyond `tail` is published.
    fn set(&self, tail: u64) {
        self.0.store(tail, Ordering::Relaxed);
    }
}

/// What readers see now.
#[derive(Debug)]
pub(crate) struct Current<S = ReadState>(SwapCell<S>);

impl<S: State> Current<S> {
    pub(crate) fn new(state: Arc<S>) -> Self {
        Self(SwapCell::new(state))
    }

    /// The state that the next look-up will use. Its tail may be beyond what it answers for, unless nobody can replace
    /// it now: ask [`Current::now`] for that.
    #[inline]
    pub(crate) fn load(&self) -> Loaded<S> {
        self.0.load()
    }

    /// As [`Current::load`], to be kept.
    pub(crate) fn load_full(&self) -> Arc<S> {
        self.0.load_full()
    }

    /// A state, and a tail that it answers for.
    #[inline]
    pub(crate) fn now(&self) -> (Loaded<S>, u64) {
        loop {
            if let Some(now) = self.try_now() {
                return now;
            }
            // A checkpoint has replaced the list meanwhile, and a commit has followed: the next try finds them.
            std::hint::spin_loop();
        }
    }

    #[inline]
    fn try_now(&self) -> Option<(Loaded<S>, u64)> {
        let state = self.load();
        let tail = state.published_tail();
        state.limit().allows(tail).then_some((state, tail))
    }

    /// Puts another list of index layers in the place of the present one, which answers up to `tail`, the published one.
    /// Returns the state before.
    ///
    /// Only for whoever publishes commits, before the next one.
    pub(crate) fn replace_index(&self, tail: u64, next: S) -> Arc<S> {
        self.load().limit().set(tail);
        self.0.swap(Arc::new(next))
    }

    /// Puts another file in the place of the present one, in which nothing is published any more. Returns the state
    /// before.
    pub(crate) fn replace_file(&self, next: Arc<S>) -> Arc<S> {
        self.0.swap(next)
    }
}

impl Current {
    /// As [`Current::now`], to be kept, with the totals of that tail.
    pub(crate) fn now_with_totals(&self) -> (Arc<ReadState>, Totals) {
        loop {
            let state = self.load_full();
            let totals = state.totals();
            if state.limit().allows(totals.tail) {
                return (state, totals);
            }
            std::hint::spin_loop();
        }
    }
}

#[cfg(all(test, loom))]
mod model;
