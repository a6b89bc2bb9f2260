//! Iteration over live entries.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, Kind, verify_slot};

use crate::events;
use crate::log::{DeadSlot, ReadState, Superseded, Totals, chain_key, chain_of};
use crate::store::DataStore;

/// Live entries of a store, newest first, as of the moment when it was made.
///
/// It holds no lock and constant memory, keeps the store's file alive, and goes on undisturbed by writes and
/// by the drop of the store.
///
/// An entry that is damaged ends the iteration: [`EntryIterator::next_entry`] returns the error,
/// which the `Iterator` can only keep for [`EntryIterator::error`]. Whoever does not ask takes the
/// entries before it for all: [`DataStore::entries`] is an iterator that gives the error itself.
#[derive(Debug)]
pub struct EntryIterator {
    state: Arc<ReadState>,
    tail: u64,
    /// Where the next slot to look at ends.
    position: u64,
    /// Whether each value is checked.
    is_verifying: bool,
    /// Nothing below the tail was dead, so that no slot needs a look-up.
    is_all_live: bool,
    ahead: Ahead,
    superseded: Superseded,
    #[cfg(test)]
    lookups: usize,
    error: Option<io::Error>,
}

/// How far the look-ups of slots to come have been prepared.
#[derive(Debug)]
struct Ahead {
    /// Where the next slot to prepare ends.
    position: u64,
    /// How many slots are prepared.
    slots: usize,
}

/// How many slots are prepared: what tells whether they are live is fetched from memory while others are decided on.
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

    /// For whoever checks the values itself, if they are to be.
    #[cfg(feature = "parallel")]
    pub(crate) fn without_verification(state: Arc<ReadState>, totals: Totals) -> Self {
        Self { is_verifying: false, ..Self::new(state, totals) }
    }

    /// The next older live entry; `None` at the end of the log.
    ///
    /// # Errors
    /// [`FormatError::Damaged`](crate::FormatError::Damaged) for a slot that is not as it was written. What lies behind it cannot be
    /// reached by iteration: the next call repeats the error.
    pub fn next_entry(&mut self) -> io::Result<Option<EntryHandle>> {
        while self.position > self.state.layout.header_len() {
            let end = self.state.skip_damage(self.position);
            if end != self.position {
                self.position = end;
                self.ahead = Ahead { position: end, slots: 0 };
                continue;
            }
            self.look_ahead();
            let (map, slot) = self.state.mapped_slot(end)?;
            let fields = &slot.trailer.fields;
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
                    if self.is_verifying {
                        verify_slot(&slot, &self.state.layout)?;
                    }
                    let handle = EntryHandle::from_slot(map, &slot, hash)?;
                    self.position = slot.start;
                    return Ok(Some(handle));
                }
            }
            self.position = slot.start;
        }
        // With a part of the log lost, nobody can say that this was all.
        if let Some(damage) = &self.state.damage {
            damage.confirm(0)?;
        }
        Ok(None)
    }

    /// Asks the processor for what the look-ups of some older slots will need. What is damaged is told of when it is
    /// reached.
    #[inline]
    fn look_ahead(&mut self) {
        if self.is_all_live {
            return;
        }
        let Ahead { mut position, mut slots } = self.ahead;
        let state = &*self.state;
        while slots < AHEAD
            && position > state.layout.header_len()
            && let Ok((_, slot)) = state.unchecked_slot(position)
        {
            let fields = &slot.trailer.fields;
            if fields.kind == Kind::Value {
                let (hash, _) = chain_of(fields.is_bare(), slot.key());
                state.index.prefetch(hash);
            }
            (position, slots) = (slot.start, slots + 1);
        }
        // The one that is decided on now.
        self.ahead = Ahead { position, slots: slots.saturating_sub(1) };
    }

    /// The error that ended the iteration, if one did.
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }

    /// Takes the error that ended the iteration.
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

    /// Each look-up follows the versions that were written since the iteration began. With one for each slot, an iteration
    /// beside a writer of a few keys took minutes.
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
        // And some that were forgotten.
        assert!(iterator.lookups < 100, "{} look-ups for three keys", iterator.lookups);
        iterator.finish().unwrap();
    }
}
