//! How commits become visible: the order in which one writer stores, and any number of readers load.
//!
//! The writer: slot bytes, a map that covers them, index entries, tail. Readers: tail, index, map. A reader
//! that has loaded tail `T` therefore finds every index entry of every commit up to `T`, and may find entries
//! beyond `T`, whose slots it can reach, and from which it follows the previous-version links to what stood
//! at `T`.
//!
//! # Memory orders
//!
//! - `tail` is stored with `Release` and loaded with `Acquire`: who sees `T` sees the slot bytes below `T`,
//!   the map that covers them, and the index entries.
//! - An index entry is inserted and found under the index's own lock. Who finds one sees everything that the
//!   writer did before inserting it: the slot's bytes and the map that covers them.
//! - So the cells of the map chain need no order of their own. (`OnceLock` has it anyway; the model replaces
//!   it by a relaxed one.)
//!
//! The tests at the end of this file let loom run this very code; weakening the tail's order fails them.

use super::sync::{AtomicU64, OnceSlot, Ordering};

/// Most maps that one file can have in a process. Each is at least an eighth larger than the one before, and
/// normally four times as large as the file, or twice where address space is limited.
pub(crate) const MAX_MAPS: usize = 64;

/// A map of a store's file, as far as publication needs to know it.
pub(crate) trait Window {
    /// Up to which offset slots can become readable through it.
    fn reserved(&self) -> u64;

    /// Makes everything up to `end` readable, as far as it reaches.
    fn reveal(&self, end: u64);
}

/// The tail of a read state and the maps through which its slots are read.
#[derive(Debug)]
pub(crate) struct Publication<W> {
    tail: AtomicU64,
    /// Grows at the end; a reader uses the first one that covers its slot, so that growth leaves page tables
    /// that are warm in use.
    maps: [OnceSlot<W>; MAX_MAPS],
}

impl<W: Window> Publication<W> {
    /// Publishes a log that ends at `tail` and is covered by `map`.
    pub(crate) fn new(map: W, tail: u64) -> Self {
        map.reveal(tail);
        let maps = std::array::from_fn(|_| OnceSlot::new());
        let publication = Self { tail: AtomicU64::new(tail), maps };
        // The first cell of a fresh array is free.
        let _ = publication.maps[0].set(map);
        publication
    }

    /// The end of what readers may see. A reader loads it before it asks the index.
    #[inline]
    pub(crate) fn tail(&self) -> u64 {
        self.tail.load(Ordering::Acquire)
    }

    /// The map through which the slot that ends at `end` is read.
    #[inline]
    pub(crate) fn covering(&self, end: u64) -> Option<&W> {
        for cell in &self.maps {
            let map = cell.get()?;
            if end <= map.reserved() {
                return Some(map);
            }
        }
        None
    }

    /// Whether a slot that ends at `end` will need another map.
    pub(crate) fn needs_map(&self, end: u64) -> bool {
        self.covering(end).is_none()
    }

    /// Adds a map, before anything that needs it is appended; `false` if there are too many already.
    pub(crate) fn add_map(&self, map: W) -> bool {
        self.maps.iter().find(|cell| cell.get().is_none()).is_some_and(|cell| cell.set(map).is_ok())
    }

    /// Makes the slots up to `end`, whose bytes are written, readable. Look-ups do not find them yet.
    pub(crate) fn reveal(&self, end: u64) {
        for map in self.maps.iter().map_while(|cell| cell.get()) {
            map.reveal(end);
        }
    }

    /// Makes the commit that ends at `end`, whose bytes are written, visible at once. `index` inserts its
    /// entries.
    ///
    /// # Errors
    /// Those of `index`; the commit is then not visible to look-ups at the tail.
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
