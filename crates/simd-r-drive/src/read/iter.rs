//! Iteration over live entries.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, Kind};

use crate::events;
use crate::log::{DeadSlot, ReadState, Superseded, Totals, chain_key, chain_of};
use crate::store::DataStore;

/// Live entries of a store as of the iterator's creation, newest first.
///
/// It holds no lock, takes constant memory and keeps the store's file alive. Writes do not disturb
/// it, and it may outlive the store.
///
/// A damaged entry ends the iteration. [`EntryIterator::next_entry`] returns the error; the
/// `Iterator` can only keep it for [`EntryIterator::error`]. A caller that does not check mistakes
/// a partial iteration for a complete one: [`DataStore::entries`] returns the error as an item.
#[derive(Debug)]
pub struct EntryIterator {
    state: Arc<ReadState>,
    tail: u64,
    /// Where the next slot to look at ends.
    position: u64,
    /// Whether each value is checked.
    is_verifying: bool,
    /// There were no dead slots below the tail, so no slot needs a look-up.
    is_all_live: bool,
    ahead: Ahead,
    superseded: Superseded,
    #[cfg(test)]
    lookups: usize,
    error: Option<io::Error>,
}

/// How far look-ups of upcoming slots have been prefetched.
#[derive(Debug)]
struct Ahead {
    /// End of the next slot to prefetch for.
    position: u64,
    /// Number of slots prefetched for and not yet visited.
    slots: usize,
}

/// Number of slots to prefetch for, so that cache misses of the index overlap.
const AHEAD: usize = 32;

impl EntryIterator {
    pub(crate) fn new(state: Arc<ReadState>, totals: Totals) -> Self {
        let Totals { tail, dead_slots, .. } = totals;
        let is_all_live = dead_slots == 0;
        let ahead = Ahead { position: tail, slots: 0 };
        Self {
            is_verifying: state.verify_reads,
            state,
            tail,
            position: tail,
            is_all_live,
            ahead,
            superseded: Superseded::default(),
            #[cfg(test)]
            lookups: 0,
            error: None,
        }
    }

    /// For a caller that checks the values itself.
    #[cfg(feature = "parallel")]
    pub(crate) fn without_verification(state: Arc<ReadState>, totals: Totals) -> Self {
        Self { is_verifying: false, ..Self::new(state, totals) }
    }

    /// The next older live entry; `None` at the end of the log.
    ///
    /// # Errors
    /// [`FormatError::Damaged`](crate::FormatError::Damaged) if a slot is not as it was written.
    /// Iteration cannot get past it: the next call repeats the error.
    pub fn next_entry(&mut self) -> io::Result<Option<EntryHandle>> {
        while self.position > self.state.layout.header_len() {
            let end = self.state.skip_damage(self.position);
            if end != self.position {
                self.position = end;
                self.ahead = Ahead { position: end, slots: 0 };
                continue;
            }
            self.look_ahead();
            let slot = self.state.slot_at(end)?;
            let fields = slot.fields();
            let is_bare = fields.is_bare();
            let (hash, _) = chain_of(is_bare, slot.key());
            if fields.kind.is_keyed() && (1..=slot.start).contains(&fields.previous_end) {
                self.superseded.insert(DeadSlot { end: fields.previous_end, hash, is_bare });
            }
            let is_value = fields.kind == Kind::Value;
            if is_value && !self.superseded.contains(DeadSlot { end, hash, is_bare }) {
                #[cfg(test)]
                {
                    self.lookups += usize::from(!self.is_all_live);
                }
                let is_live = self.is_all_live
                    || self.state.index.is_current(
                        hash,
                        end,
                        chain_key(&slot),
                        self.tail,
                        &*self.state.log,
                    )?;
                if is_live {
                    if let Some(damage) = &self.state.damage {
                        damage.confirm(end)?;
                    }
                    let handle = if self.is_verifying {
                        self.state.handle(&slot, hash)?
                    } else {
                        slot.handle(hash)?
                    };
                    self.position = slot.start;
                    return Ok(Some(handle));
                }
            }
            self.position = slot.start;
        }
        // If part of the log is lost, there may have been more entries.
        if let Some(damage) = &self.state.damage {
            damage.confirm(0)?;
        }
        Ok(None)
    }

    /// Prefetches the index for some older slots. Damage is reported when iteration reaches it.
    #[inline]
    fn look_ahead(&mut self) {
        if self.is_all_live {
            return;
        }
        let Ahead { mut position, mut slots } = self.ahead;
        let state = &*self.state;
        while slots < AHEAD
            && position > state.layout.header_len()
            && let Some(slot) = state.unchecked_slot(position)
        {
            let fields = slot.fields();
            if fields.kind == Kind::Value {
                let (hash, _) = chain_of(fields.is_bare(), slot.key());
                state.index.prefetch(hash);
            }
            (position, slots) = (slot.start, slots + 1);
        }
        // The current slot does not count.
        self.ahead = Ahead { position, slots: slots.saturating_sub(1) };
    }

    /// The error that ended the iteration, if any.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Ends the iteration and returns the error that cut it short, if any.
    ///
    /// # Errors
    /// That error.
    pub fn finish(self) -> io::Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

impl Iterator for EntryIterator {
    type Item = EntryHandle;

    fn next(&mut self) -> Option<EntryHandle> {
        if self.error.is_some() {
            return None;
        }
        match self.next_entry() {
            Ok(entry) => entry,
            Err(error) => {
                events::iteration_failed(&error);
                self.error = Some(error);
                None
            }
        }
    }
}

impl std::iter::FusedIterator for EntryIterator {}

impl IntoIterator for DataStore {
    type Item = EntryHandle;
    type IntoIter = EntryIterator;

    fn into_iter(self) -> EntryIterator {
        self.iter_entries()
    }
}

impl IntoIterator for &DataStore {
    type Item = EntryHandle;
    type IntoIter = EntryIterator;

    fn into_iter(self) -> EntryIterator {
        self.iter_entries()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use simd_r_drive_traits::DataStoreWriter;

    use super::*;

    /// Each look-up follows the versions written since the iteration began. When every slot took a
    /// look-up, iterating beside a writer of a few keys took minutes.
    #[test]
    fn versions_of_one_key_are_looked_up_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = DataStore::open(&directory.path().join("store.srd")).unwrap();
        let overwrite = || {
            for version in 0..500_u32 {
                for key in [b"a", b"b", b"c"] {
                    store.write(key, &version.to_le_bytes()).unwrap();
                }
            }
        };
        overwrite();
        store.delete(b"c").unwrap();
        let mut iterator = store.iter_entries();
        overwrite();
        let values: Vec<_> = iterator.by_ref().map(|entry| entry.to_vec()).collect();
        assert_eq!(values, [499_u32.to_le_bytes(); 2]);
        // Some dead slots may have been forgotten.
        assert!(iterator.lookups < 100, "{} look-ups for three keys", iterator.lookups);
        iterator.finish().unwrap();
    }
}
