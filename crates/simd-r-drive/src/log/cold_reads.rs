//! Reads that wait for the medium: noticing them, and asking for many pages before they are read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;

use crate::log::{LogFile, ReadState};

/// A batch whose keys take longer than this, each, is taken to wait for the medium. Longer than the
/// first touch of pages that the system has in memory, shorter than a twentieth of a read of an SSD.
const SLOW_KEY: Duration = Duration::from_micros(4);

/// Smaller batches are not timed, because a look at the clock would show in what they cost.
const MIN_TIMED_KEYS: usize = 8;

/// Values of so many bytes are asked for at a time, at most: they have to stay in memory until they
/// are read.
const MAX_VALUE_BYTES: u64 = 16 << 20;

/// Whether the last batch waited for the medium.
///
/// Only a batch that follows such a one asks for its pages first. To others, that would cost many
/// times what they take.
#[derive(Debug, Default)]
pub(crate) struct ColdReads {
    // Relaxed: it orders nothing.
    is_cold: AtomicBool,
}

impl ColdReads {
    pub(crate) fn are_cold(&self) -> bool {
        self.is_cold.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, is_cold: bool) {
        self.is_cold.store(is_cold, Ordering::Relaxed);
    }
}

/// Times the parts of a batch.
pub(crate) struct BatchClock {
    before: Instant,
}

impl BatchClock {
    pub(crate) fn start() -> Self {
        Self { before: Instant::now() }
    }

    /// At the end of a part, and the start of the next one.
    pub(crate) fn note(&mut self, keys: usize, reads: &ColdReads) {
        let now = Instant::now();
        if now - self.before > SLOW_KEY * keys as u32 {
            reads.set(true);
        }
        self.before = now;
    }

    pub(crate) fn is_worth_it(keys: usize) -> bool {
        keys >= MIN_TIMED_KEYS
    }
}

impl ReadState {
    /// Asks the system for the pages that look-ups of these hashes will read. Waits for those of
    /// the index, and for those in which the slots end, but not for those of the values.
    #[cold]
    #[inline(never)]
    pub(crate) fn fetch(&self, hashes: &[u64]) {
        let mut is_missing = self.index.fetch(hashes);
        let ends = self.index.likely_ends(hashes);
        is_missing |= self.fetch_slots(&ends);
        self.cold_reads.set(is_missing);
    }
}

impl LogFile {
    fn fetch_slots(&self, ends: &[u64]) -> bool {
        let Some(map) = ends.iter().max().and_then(|end| self.publication.covering(*end)) else {
            return false;
        };
        let mut blocks: Vec<u64> = ends.iter().map(|end| end.saturating_sub(BLOCK_SIZE)).collect();
        let mut is_missing = map.fetch_blocks(&mut blocks);
        let mut room = MAX_VALUE_BYTES;
        for end in blocks.into_iter().map(|block| block + BLOCK_SIZE) {
            let Some(slot) = self.unchecked_slot(end) else { continue };
            let rest = slot.start..end.saturating_sub(BLOCK_SIZE);
            let len = rest.end.saturating_sub(rest.start);
            if len <= room {
                room -= len;
                is_missing |= map.fetch(rest);
            }
        }
        is_missing
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use simd_r_drive_entry_handle::compute_hash;
    use simd_r_drive_traits::DataStoreWriter;

    use super::*;
    use crate::DataStore;

    #[test]
    fn a_slow_batch_is_noticed_and_a_quick_one_is_not() {
        let reads = ColdReads::default();
        let mut clock = BatchClock::start();
        clock.note(1_000_000, &reads);
        assert!(!reads.are_cold());
        std::thread::sleep(SLOW_KEY * 200);
        clock.note(100, &reads);
        assert!(reads.are_cold());
    }

    #[test]
    fn a_batch_that_finds_all_pages_in_memory_is_the_last_to_ask_for_them() {
        let directory = tempfile::tempdir().unwrap();
        let store = DataStore::open(directory.path().join("store.srd")).unwrap();
        let keys: Vec<_> = (0..300_u32).map(u32::to_le_bytes).collect();
        keys.iter().for_each(|key| {
            store.write(key, &[7; 9000]).unwrap();
        });
        let state = store.state();
        let hashes: Vec<u64> = keys.iter().map(|key| compute_hash(key)).collect();
        let ends = state.index.likely_ends(&hashes);
        assert_eq!(ends.len(), keys.len());
        state.cold_reads.set(true);
        let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let view = store.view();
        let mut values = Vec::new();
        // The values have just been written, so the system has them in memory.
        view.get_many(&asked, &mut values).unwrap();
        assert_eq!(values, vec![Some(&[7; 9000][..]); keys.len()]);
        assert!(!state.cold_reads.are_cold());
    }
}
