//! A walk over live entries, from newest to oldest.

use std::io;

use simd_r_drive_entry_handle::Kind;

use crate::log::{DeadSlot, FoundSlot, ReadState, Superseded, Totals, chain_key, chain_of};

/// Where a walk over the live entries of a read state is. It holds nothing but positions.
#[derive(Debug)]
pub(crate) struct Walk {
    tail: u64,
    /// Where the next slot to look at ends.
    position: u64,
    /// There were no dead slots below the tail, and nothing is damaged, so no slot needs a look-up.
    is_all_live: bool,
    ahead: Ahead,
    superseded: Superseded,
    #[cfg(test)]
    pub(super) lookups: usize,
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

impl Walk {
    /// A walk from the tail of `totals`.
    pub(super) fn new(state: &ReadState, totals: Totals) -> Self {
        let Totals { tail, dead_slots, .. } = totals;
        Self {
            tail,
            position: tail,
            is_all_live: dead_slots == 0 && state.damage.is_none(),
            ahead: Ahead { position: tail, slots: 0 },
            superseded: Superseded::default(),
            #[cfg(test)]
            lookups: 0,
        }
    }

    /// The slot of the next older live entry, in the usual case, for a caller that goes on in
    /// registers. `None` does not mean the end: only [`next`](Self::next) can tell.
    #[inline(always)]
    pub(super) fn quick_next<'s>(&mut self, state: &'s ReadState) -> Option<FoundSlot<'s>> {
        if !self.is_all_live {
            return None;
        }
        let slot = state.quick_slot_at(self.position)?;
        let is_value = slot.fields().kind == Kind::Value;
        is_value.then(|| {
            self.position = slot.start;
            slot
        })
    }

    /// The slot of the next older live entry; `None` at the end of the log.
    ///
    /// # Errors
    /// [`FormatError::Damaged`](crate::FormatError::Damaged) if a slot is not as it was written.
    /// The walk cannot get past it: the next call repeats the error.
    #[inline(never)]
    pub(super) fn next<'s>(&mut self, state: &'s ReadState) -> io::Result<Option<FoundSlot<'s>>> {
        while self.position > state.layout.header_len() {
            let end = state.skip_damage(self.position);
            if end != self.position {
                self.position = end;
                self.ahead = Ahead { position: end, slots: 0 };
                continue;
            }
            self.look_ahead(state);
            let slot = state.slot_at(end)?;
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
                let is_live = self.is_all_live || {
                    let chain = chain_key(&slot);
                    state.index.is_current(hash, end, chain, self.tail, &*state.log)?
                };
                if is_live {
                    if let Some(damage) = &state.damage {
                        damage.confirm(end)?;
                    }
                    self.position = slot.start;
                    return Ok(Some(slot));
                }
            }
            self.position = slot.start;
        }
        // If part of the log is lost, there may have been more entries.
        if let Some(damage) = &state.damage {
            damage.confirm(0)?;
        }
        Ok(None)
    }

    /// Goes back to before `slot`, which the last call returned.
    pub(super) fn repeat(&mut self, slot: &FoundSlot<'_>) {
        self.position = slot.end;
    }

    /// Prefetches the index for some older slots. Damage is reported when iteration reaches it.
    #[inline]
    fn look_ahead(&mut self, state: &ReadState) {
        if self.is_all_live {
            return;
        }
        let Ahead { mut position, mut slots } = self.ahead;
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
}
