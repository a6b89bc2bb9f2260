//! The current read state, and the only place that replaces it.
//!
//! A checkpoint gives the writer a new list of index layers. Readers may still hold the previous
//! list, which lacks later commits. [`Current::replace_index`] therefore sets the tail limit of the
//! old list to the published tail, then stores the new list where readers load it. Only then may
//! the writer publish further commits. A reader loads the list, then the tail, then the limit. If
//! the tail is beyond the limit, the reader loads the list again and finds the newer one, because
//! it was stored before the tail was published with `Release`. A follower publishes the commits of
//! another process in the same way, and adopts that process's index by the same steps.

use std::sync::Arc;

use super::sync::{AtomicU64, Loaded, Ordering, SwapCell};
use crate::log::{ReadState, Totals};

/// A state that readers load at once.
pub(crate) trait State {
    /// The current tail of the log.
    fn published_tail(&self) -> u64;

    /// The tail up to which the state answers.
    fn limit(&self) -> &TailLimit;
}

/// The tail limit: up to which tail a list of index layers answers. Beyond it, a newer list does.
#[derive(Debug)]
pub(crate) struct TailLimit(AtomicU64);

impl Default for TailLimit {
    fn default() -> Self {
        Self(AtomicU64::new(u64::MAX))
    }
}

impl TailLimit {
    /// Whether the list answers for `tail`, which must have been loaded after the list.
    #[inline(always)]
    fn allows(&self, tail: u64) -> bool {
        // Relaxed: `tail` was loaded with Acquire, and any tail beyond the limit was published
        // after the limit was set.
        tail <= self.0.load(Ordering::Relaxed)
    }

    /// Sets the limit, before anything beyond `tail` is published.
    fn set(&self, tail: u64) {
        self.0.store(tail, Ordering::Relaxed);
    }
}

/// The current read state.
///
/// Loading it is inlined into each look-up: otherwise a read of hot keys takes a fifth longer.
#[derive(Debug)]
pub(crate) struct Current<S = ReadState>(SwapCell<S>);

impl<S: State> Current<S> {
    pub(crate) fn new(state: Arc<S>) -> Self {
        Self(SwapCell::new(state))
    }

    /// The state that the next look-up will use. Its tail may be beyond its limit, unless no one
    /// can replace it now. To read, use [`Current::now`].
    #[inline(always)]
    pub(crate) fn load(&self) -> Loaded<S> {
        self.0.load()
    }

    /// As [`Current::load`], but counts a reference.
    pub(crate) fn load_full(&self) -> Arc<S> {
        self.0.load_full()
    }

    /// A state and a tail for which it answers.
    #[inline(always)]
    pub(crate) fn now(&self) -> (Loaded<S>, u64) {
        loop {
            if let Some(now) = self.try_now() {
                return now;
            }
            // A checkpoint has replaced the list and a commit has followed. The next attempt finds
            // both.
            std::hint::spin_loop();
        }
    }

    #[inline(always)]
    fn try_now(&self) -> Option<(Loaded<S>, u64)> {
        let state = self.load();
        let tail = state.published_tail();
        state.limit().allows(tail).then_some((state, tail))
    }

    /// Replaces the list of index layers. The old list answers up to `tail`, which must be the
    /// published one. Returns the previous state.
    ///
    /// Call this only from the thread that publishes commits, before the next one.
    pub(crate) fn replace_index(&self, tail: u64, next: S) -> Arc<S> {
        self.load().limit().set(tail);
        self.0.swap(Arc::new(next))
    }

    /// Replaces the file. Nothing may be published in the old one any more. Returns the previous
    /// state.
    pub(crate) fn replace_file(&self, next: Arc<S>) -> Arc<S> {
        self.0.swap(next)
    }
}

impl Current {
    /// As [`Current::now`], but counts a reference and adds the totals of that tail.
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
