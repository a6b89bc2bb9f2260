//! How commits become visible: the order in which one writer stores and any number of readers load.
//!
//! The writer stores slot bytes, a map that covers them, index entries, and the tail. A reader
//! loads the tail, the index and the map. A reader that has loaded tail `T` therefore finds every
//! index entry of every commit up to `T`. It may also find entries beyond `T`. It can reach their
//! slots, and from there follow the previous-version links to what stood at `T`.
//!
//! # Memory orders
//!
//! - `tail` is stored with `Release` and loaded with `Acquire`: a reader that sees `T` sees the
//!   slot bytes below `T`, the map that covers them, and the index entries.
//! - An index entry is inserted and found under the index's own lock. A reader that finds one sees
//!   everything the writer did before inserting it: the slot's bytes and the map that covers them.
//! - The cells of the maps therefore need no order of their own. (`OnceLock` has one anyway; the
//!   model uses a relaxed cell instead.)
//!
//! Loom runs this very code in `publication/model.rs`; weakening the order of the tail makes it
//! fail.

use super::sync::{AtomicU64, OnceSlot, Ordering};

/// Maximum number of maps that one file can have in a process. Each is at least an eighth larger
/// than the one before, and normally four times as large as the file, or twice where address space
/// is limited.
pub(crate) const MAX_MAPS: usize = 64;

/// What publication needs of a map.
pub(crate) trait Window {
    /// Offset up to which slots can become readable through this map.
    fn reserved(&self) -> u64;

    /// Makes everything up to `end` readable, as far as the map reaches.
    fn reveal(&self, end: u64);
}

/// The tail of a read state and the maps through which its slots are read.
#[derive(Debug)]
pub(crate) struct Publication<W> {
    tail: AtomicU64,
    /// A reader uses the first map that covers its slot, so growth keeps warm page tables in use.
    first: W,
    /// Filled from the front.
    others: [OnceSlot<W>; MAX_MAPS - 1],
}

impl<W: Window> Publication<W> {
    /// Publishes a log that ends at `tail` and is covered by `map`.
    pub(crate) fn new(map: W, tail: u64) -> Self {
        map.reveal(tail);
        let others = std::array::from_fn(|_| OnceSlot::new());
        Self { tail: AtomicU64::new(tail), first: map, others }
    }

    /// End of what readers may see. Load it before asking the index.
    #[inline]
    pub(crate) fn tail(&self) -> u64 {
        self.tail.load(Ordering::Acquire)
    }

    /// The map through which the slot that ends at `end` is read.
    #[inline]
    pub(crate) fn covering(&self, end: u64) -> Option<&W> {
        if end <= self.first.reserved() {
            return Some(&self.first);
        }
        self.maps().skip(1).find(|map| end <= map.reserved())
    }

    fn maps(&self) -> impl Iterator<Item = &W> {
        let others = self.others.iter().map_while(|cell| cell.get());
        std::iter::once(&self.first).chain(others)
    }

    /// Whether a slot that ends at `end` needs another map.
    pub(crate) fn needs_map(&self, end: u64) -> bool {
        self.covering(end).is_none()
    }

    /// Adds a map before anything that needs it is appended. Returns `false` if there are too many.
    pub(crate) fn add_map(&self, map: W) -> bool {
        self.others
            .iter()
            .find(|cell| cell.get().is_none())
            .is_some_and(|cell| cell.set(map).is_ok())
    }

    /// Makes slots up to `end`, whose bytes are written, readable. Look-ups do not find them yet.
    pub(crate) fn reveal(&self, end: u64) {
        for map in self.maps() {
            map.reveal(end);
        }
    }

    /// Makes the commit that ends at `end`, whose bytes are written, visible at once. `index`
    /// inserts its entries.
    ///
    /// # Errors
    /// Those of `index`. Look-ups at the tail do not see the commit then.
    pub(crate) fn publish<E>(
        &self,
        end: u64,
        index: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.reveal(end);
        index()?;
        self.tail.store(end, Ordering::Release);
        Ok(())
    }
}

#[cfg(all(test, loom))]
pub(crate) mod model;
