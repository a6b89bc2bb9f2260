//! The totals of a store, as of each tail.

use super::sync::{AtomicU64, Ordering, fence};

/// How much of the log is live as of a tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    pub(crate) tail: u64,
    pub(crate) live_keys: u64,
    /// Dead slots: older versions and tombstones.
    pub(crate) dead_slots: u64,
    /// Bytes of the dead slots.
    pub(crate) dead_bytes: u64,
}

impl Totals {
    /// The totals after a commit that ends at `tail`.
    pub(crate) fn after(self, tail: u64, delta: Delta) -> Self {
        Self {
            tail,
            live_keys: self.live_keys.saturating_add_signed(delta.live_keys),
            // Saturating: a crafted barrier can say anything.
            dead_slots: self.dead_slots.saturating_add(delta.dead_slots),
            dead_bytes: self.dead_bytes.saturating_add(delta.dead_bytes),
        }
    }
}

/// How a commit changes the totals.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Delta {
    pub(crate) live_keys: i64,
    pub(crate) dead_slots: u64,
    pub(crate) dead_bytes: u64,
}

impl Delta {
    /// Counts a slot of this length in a log that is replayed. `replaced_len` is the length of the
    /// live version before it, if any.
    pub(crate) fn add_slot(
        &mut self,
        is_tombstone: bool,
        replaces_live: bool,
        len: u64,
        replaced_len: u64,
    ) {
        if replaces_live {
            self.dead_slots += 1;
            self.dead_bytes += replaced_len;
        }
        if is_tombstone {
            self.dead_slots += 1;
            self.dead_bytes += len;
        }
        self.live_keys += match (is_tombstone, replaces_live) {
            (false, false) => 1,
            (true, true) => -1,
            _ => 0,
        };
    }
}

/// The totals of the last two commits: the one that readers of the published tail ask for, and the
/// one about to be published. There is one writer and any number of readers, none of whom waits.
///
/// Each cell is a sequence lock whose sequence is the tail itself, which only grows. A reader
/// accepts a cell if its tail is the requested one both before and after reading the rest.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    cells: [Cell; 2],
}

#[derive(Debug)]
struct Cell {
    tail: AtomicU64,
    live_keys: AtomicU64,
    dead_slots: AtomicU64,
    dead_bytes: AtomicU64,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            tail: AtomicU64::new(0),
            live_keys: AtomicU64::new(0),
            dead_slots: AtomicU64::new(0),
            dead_bytes: AtomicU64::new(0),
        }
    }
}

impl Counts {
    /// The totals of a newly opened log.
    pub(crate) fn new(totals: Totals) -> Self {
        let counts = Self::default();
        counts.store(totals);
        counts
    }

    /// Stores the totals of a commit before its tail is published. Only the writer calls this.
    pub(crate) fn store(&self, totals: Totals) {
        // Overwrites the older cell. The other one belongs to the published tail.
        let [first, second] = &self.cells;
        let is_first_older =
            first.tail.load(Ordering::Relaxed) <= second.tail.load(Ordering::Relaxed);
        let cell = if is_first_older { first } else { second };
        cell.tail.store(0, Ordering::Relaxed);
        // Release: a reader that sees one of the new totals also sees that the cell is invalid.
        fence(Ordering::Release);
        cell.live_keys.store(totals.live_keys, Ordering::Relaxed);
        cell.dead_slots.store(totals.dead_slots, Ordering::Relaxed);
        cell.dead_bytes.store(totals.dead_bytes, Ordering::Relaxed);
        // Release: a reader that sees the tail sees its totals.
        cell.tail.store(totals.tail, Ordering::Release);
    }

    /// The totals at `tail`; `None` if two later commits have been stored since it was loaded.
    pub(crate) fn at(&self, tail: u64) -> Option<Totals> {
        self.cells.iter().find_map(|cell| {
            if cell.tail.load(Ordering::Acquire) != tail {
                return None;
            }
            let totals = Totals {
                tail,
                live_keys: cell.live_keys.load(Ordering::Relaxed),
                dead_slots: cell.dead_slots.load(Ordering::Relaxed),
                dead_bytes: cell.dead_bytes.load(Ordering::Relaxed),
            };
            // Acquire: if any of the totals came from a newer commit, the tail now reads as
            // changed.
            fence(Ordering::Acquire);
            (cell.tail.load(Ordering::Relaxed) == tail).then_some(totals)
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_commits_are_known() {
        let counts = Counts::default();
        let totals = |tail| Totals { tail, live_keys: tail * 2, dead_slots: 1, dead_bytes: 3 };
        for tail in [64, 128, 192] {
            counts.store(totals(tail));
        }
        assert_eq!(counts.at(192), Some(totals(192)));
        assert_eq!(counts.at(128), Some(totals(128)));
        assert_eq!(counts.at(64), None);
    }
}

#[cfg(all(test, loom))]
mod model {
    use loom::sync::Arc;

    use super::*;

    #[test]
    fn figures_of_two_commits_are_never_mixed() {
        loom::model(|| {
            let totals =
                |tail| Totals { tail, live_keys: tail, dead_slots: tail, dead_bytes: tail };
            let counts = Arc::new(Counts::new(totals(1)));
            let writer = {
                let counts = Arc::clone(&counts);
                loom::thread::spawn(move || {
                    counts.store(totals(2));
                    counts.store(totals(3));
                })
            };
            for tail in [1, 2, 3] {
                if let Some(found) = counts.at(tail) {
                    assert_eq!(found, totals(tail));
                }
            }
            writer.join().unwrap();
        });
    }
}
