//! The chains of one hash.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::mix::Mixer;
use crate::packed_slot::PackedSlot;

/// Where a chain is in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The position of a keyed chain: the fingerprint of its key, or the next free number above it
    /// if fingerprints collide.
    Keyed(u64),
    Bare,
}

/// All chains of one hash, by place and by the end of their newest version.
///
/// Chains are never removed. A deleted one stays as a tombstone, because readers of older tails
/// start their walk there. So a run of colliding fingerprints never has a hole. The exception is
/// the undoing of a batch, which removes only what was added last.
#[derive(Debug)]
pub(crate) struct Group {
    keyed: HashMap<u64, PackedSlot, Mixer>,
    bare: Option<PackedSlot>,
    /// Newest versions that are values. Two maps rather than one with a flag: finding the newest
    /// live chain must be fast however many chains were deleted after it.
    live: BTreeMap<u64, Place>,
    /// Newest versions that are tombstones.
    dead: BTreeMap<u64, Place>,
}

impl Group {
    pub(crate) fn new(mixer: Mixer) -> Self {
        Self {
            keyed: HashMap::with_hasher(mixer),
            bare: None,
            live: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    pub(crate) fn chain(&self, place: Place) -> Option<PackedSlot> {
        match place {
            Place::Keyed(position) => self.keyed.get(&position).copied(),
            Place::Bare => self.bare,
        }
    }

    /// Sets the newest version of the chain at `place`, or removes the chain. Returns what was
    /// there.
    pub(crate) fn set(&mut self, place: Place, newest: Option<PackedSlot>) -> Option<PackedSlot> {
        let before = match (place, newest) {
            (Place::Keyed(position), Some(slot)) => self.keyed.insert(position, slot),
            (Place::Keyed(position), None) => self.keyed.remove(&position),
            (Place::Bare, slot) => std::mem::replace(&mut self.bare, slot),
        };
        if let Some(slot) = before {
            self.order_of(slot).remove(&slot.end());
        }
        if let Some(slot) = newest {
            self.order_of(slot).insert(slot.end(), place);
        }
        before
    }

    /// Resets the chain whose newest version ends at `end` to the version before it, if it had one.
    pub(crate) fn retract(&mut self, end: u64, before: Option<PackedSlot>) {
        if let Some(&place) = self.live.get(&end).or_else(|| self.dead.get(&end)) {
            self.set(place, before);
        }
    }

    fn order_of(&mut self, slot: PackedSlot) -> &mut BTreeMap<u64, Place> {
        if slot.is_tombstone() { &mut self.dead } else { &mut self.live }
    }

    pub(crate) fn keyed_count(&self) -> usize {
        self.keyed.len()
    }

    /// The newest version of every chain.
    pub(crate) fn chains(&self) -> impl Iterator<Item = PackedSlot> {
        self.keyed.values().copied().chain(self.bare)
    }

    pub(crate) fn chain_count(&self) -> usize {
        self.live.len() + self.dead.len()
    }

    /// The ends of all live chains, oldest first.
    pub(crate) fn live_ends(&self) -> impl Iterator<Item = u64> {
        self.live.keys().copied()
    }

    pub(crate) fn live_keyed_count(&self) -> usize {
        self.live.len() - usize::from(self.bare.is_some_and(|slot| !slot.is_tombstone()))
    }

    /// The end of the newest live keyed chain.
    pub(crate) fn newest_live_keyed(&self) -> Option<u64> {
        self.live.iter().rev().find(|(_, place)| **place != Place::Bare).map(|(end, _)| *end)
    }

    /// Whether a live chain has its newest version at `end`.
    pub(crate) fn is_live(&self, end: u64) -> bool {
        self.live.contains_key(&end)
    }

    /// The newest live chain among those whose newest version ends at or below `tail`.
    pub(crate) fn newest_live_until(&self, tail: u64) -> Option<u64> {
        self.live.range(..=tail).next_back().map(|(end, _)| *end)
    }

    /// The newest versions beyond `tail`, including tombstones: their chains may have been live at
    /// `tail`.
    pub(crate) fn newest_beyond(&self, tail: u64) -> impl Iterator<Item = PackedSlot> {
        let beyond = (Bound::Excluded(tail), Bound::Unbounded);
        let live = self.live.range(beyond);
        live.chain(self.dead.range(beyond)).filter_map(|(_, place)| self.chain(*place))
    }
}
