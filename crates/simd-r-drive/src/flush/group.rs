//! Group commit: threads that need a flush at the same time share it.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use simd_r_drive_writer::{PoisonCause, WriteError};

use crate::events;

/// Which commits are on the medium. Appends are counted, because compaction changes offsets.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    state: Mutex<State>,
    done: Condvar,
}

/// How much has been appended to a store since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Number of appends that may need a flush: commits, barriers, space for tables. An append's
    /// own number is this count just after it.
    pub(crate) appends: u64,
    /// Number of commits among them, plus one for what recovery found beyond the durable point.
    pub(crate) commits: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Everything up to here is on the medium.
    flushed: Progress,
    is_running: bool,
    has_failed: bool,
    counts: FlushCounts,
}

/// Statistics of flushes since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FlushCounts {
    pub(crate) flushes: u64,
    /// Calls whose commits another thread's flush covered.
    pub(crate) shared: u64,
    /// Commits covered by the flushes.
    pub(crate) commits: u64,
    /// The largest number of commits in one flush.
    pub(crate) largest: u64,
}

impl Flush {
    /// Returns once everything up to append number `append` is on the medium. Runs `flush` itself,
    /// or waits for the thread that does. `flush` must flush all that is acknowledged when it
    /// starts, and return how much that is.
    ///
    /// # Errors
    /// Those of `flush`, for the call that ran it; [`WriteError::Poisoned`] for waiting calls and
    /// all later ones: a failed flush is not retried.
    ///
    /// # Locking
    /// No lock is held while `flush` runs.
    pub(crate) fn reach(
        &self,
        append: u64,
        flush: impl FnOnce() -> io::Result<Progress>,
    ) -> io::Result<()> {
        let mut state = self.lock();
        let mut has_waited = false;
        loop {
            if state.flushed.appends >= append {
                state.counts.shared += u64::from(has_waited);
                return Ok(());
            }
            if state.has_failed {
                return Err(WriteError::Poisoned { cause: PoisonCause::SyncFailed }.into());
            }
            if !state.is_running {
                break;
            }
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            has_waited = true;
        }
        state.is_running = true;
        state.counts.flushes += 1;
        drop(state);
        // Deferred until the flush is over: a subscriber that writes would wait for it.
        let _events = events::defer();
        let running = Running { flush: self, result: None, is_counted: true };
        running.finish(flush())
    }

    /// Runs `flush` while no other flush runs. Of two concurrent flushes, each might receive an
    /// error that the other needs to know of.
    ///
    /// # Errors
    /// Those of `flush`.
    pub(crate) fn run_alone(&self, flush: impl FnOnce() -> io::Result<Progress>) -> io::Result<()> {
        let mut state = self.lock();
        while state.is_running {
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_running = true;
        drop(state);
        let _events = events::defer();
        let running = Running { flush: self, result: None, is_counted: false };
        running.finish(flush())
    }

    /// Records that everything up to `progress` has reached the medium by other means than a flush
    /// here.
    pub(crate) fn advance(&self, progress: Progress) {
        let mut state = self.lock();
        if progress.appends > state.flushed.appends {
            state.flushed = progress;
        }
        drop(state);
        self.done.notify_all();
    }

    /// Statistics of flushes so far.
    pub(crate) fn counts(&self) -> FlushCounts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A flush in progress. If it panics, waiting calls learn that it failed.
struct Running<'a> {
    flush: &'a Flush,
    result: Option<Progress>,
    /// Whether the flush counts in the statistics.
    is_counted: bool,
}

impl Running<'_> {
    fn finish(mut self, result: io::Result<Progress>) -> io::Result<()> {
        self.result = result.as_ref().ok().copied();
        result.map(drop)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.flush.lock();
        state.is_running = false;
        match self.result {
            Some(progress) => {
                let group = progress.commits.saturating_sub(state.flushed.commits);
                if progress.appends > state.flushed.appends {
                    state.flushed = progress;
                }
                if self.is_counted {
                    state.counts.commits += group;
                    state.counts.largest = state.counts.largest.max(group);
                }
            }
            None => state.has_failed = true,
        }
        drop(state);
        self.flush.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    /// This many commits, and nothing else.
    fn commits(commits: u64) -> Progress {
        Progress { appends: commits, commits }
    }

    #[test]
    fn many_committers_share_few_flushes() {
        let flush = Arc::new(Flush::default());
        let committed = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (flush, committed) = (Arc::clone(&flush), Arc::clone(&committed));
                thread::spawn(move || {
                    for _ in 0..50 {
                        let mine = committed.fetch_add(1, Ordering::SeqCst) + 1;
                        let flush_all = || {
                            let last = committed.load(Ordering::SeqCst);
                            thread::sleep(std::time::Duration::from_micros(200));
                            Ok(commits(last))
                        };
                        flush.reach(mine, flush_all).unwrap();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let FlushCounts { flushes, shared, commits, largest } = flush.counts();
        assert!(flushes < 400, "400 commits took {flushes} flushes");
        assert!(shared > 0);
        assert_eq!(commits, 400, "each commit is counted once");
        assert!(largest > 1 && largest <= 8, "{largest} commits of 8 threads in one flush");
    }

    #[test]
    fn a_failed_flush_fails_everybody_for_ever() {
        let flush = Flush::default();
        assert!(flush.reach(1, || Err(io::ErrorKind::StorageFull.into())).is_err());
        assert!(flush.reach(1, || Ok(commits(1))).is_err());
        flush.advance(commits(1));
        let reached = flush.reach(1, || Ok(commits(1)));
        assert!(reached.is_ok(), "commit 1 came to the medium in another way");
        assert!(flush.reach(2, || Ok(commits(2))).is_err());
    }

    #[test]
    fn a_panic_in_a_flush_wakes_those_who_wait() {
        let flush = Arc::new(Flush::default());
        let other = Arc::clone(&flush);
        let panicked = thread::spawn(move || other.reach(1, || panic!("on purpose"))).join();
        assert!(panicked.is_err());
        assert!(flush.reach(1, || Ok(commits(1))).is_err());
    }

    #[test]
    fn a_barrier_is_flushed_and_is_no_commit() {
        let flush = Flush::default();
        flush.reach(2, || Ok(Progress { appends: 2, commits: 1 })).unwrap();
        flush.reach(3, || Ok(Progress { appends: 3, commits: 1 })).unwrap();
        let FlushCounts { flushes, commits, largest, .. } = flush.counts();
        assert_eq!((flushes, commits, largest), (2, 1, 1));
    }
}
