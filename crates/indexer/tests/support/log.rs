//! A log in memory that counts the calls made to it and fails on demand.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use simd_r_drive_indexer::{ChainKey, KeyIndexer, RebuildSource, SlotRef, SlotSource};

const LOG_START: u64 = 16 << 10;
const SLOT_LEN: u64 = 64;

#[derive(Clone, Debug)]
pub struct LogSlot {
    pub hash: u64,
    pub key: Option<Vec<u8>>,
    pub is_tombstone: bool,
    pub previous_end: u64,
}

impl LogSlot {
    pub fn identity(&self) -> ChainKey<'_> {
        self.key.as_deref().map_or(ChainKey::Bare, ChainKey::Keyed)
    }
}

#[derive(Debug, Default)]
pub struct Log {
    pub slots: Vec<LogSlot>,
    calls: AtomicUsize,
    /// The call number from which on calls fail; 0 for never.
    fails_from: AtomicUsize,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Fault;

impl Log {
    pub fn push(&mut self, slot: LogSlot) -> u64 {
        self.slots.push(slot);
        self.tail()
    }

    pub fn tail(&self) -> u64 {
        Self::end_of(self.slots.len()) - SLOT_LEN
    }

    pub fn end_of(number: usize) -> u64 {
        LOG_START + (number as u64 + 1) * SLOT_LEN
    }

    /// Ends of all slots, oldest first, each with its slot.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &LogSlot)> {
        self.slots.iter().enumerate().map(|(number, slot)| (Self::end_of(number), slot))
    }

    pub fn at(&self, end: u64) -> &LogSlot {
        &self.slots[((end - LOG_START) / SLOT_LEN - 1) as usize]
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    /// Lets the next `calls` calls through and fails all later ones.
    pub fn fail_after(&self, calls: usize) {
        self.fails_from.store(self.calls() + calls + 1, Relaxed);
    }

    pub fn heal(&self) {
        self.fails_from.store(0, Relaxed);
    }
}

/// Where a slot that was looked up ends.
pub fn end_of<E>(found: Result<Option<SlotRef<'_>>, E>) -> Result<Option<u64>, E> {
    Ok(found?.map(|slot| slot.end))
}

impl SlotSource for Log {
    type Error = Fault;
    type Slot<'a> = SlotRef<'a>;

    fn slot(&self, end: u64) -> Result<SlotRef<'_>, Fault> {
        let call = self.calls.fetch_add(1, Relaxed) + 1;
        let fails_from = self.fails_from.load(Relaxed);
        if fails_from != 0 && call >= fails_from {
            return Err(Fault);
        }
        let slot = self.at(end);
        Ok(SlotRef {
            end,
            chain_key: slot.identity(),
            hash: slot.hash,
            is_tombstone: slot.is_tombstone,
            previous_end: slot.previous_end,
        })
    }
}

impl RebuildSource for Log {
    type UnderLock = ();

    fn under_lock(&self) {}

    fn rebuild(&self, tail: u64) -> Result<KeyIndexer, Fault> {
        let index = KeyIndexer::new();
        for (end, slot) in self.iter().rev().filter(|(end, _)| *end <= tail) {
            index.insert_older(slot.hash, end, slot.identity(), slot.is_tombstone, self)?;
        }
        Ok(index)
    }
}
