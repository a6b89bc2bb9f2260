//! The lines of one hash.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::mix::Mix;
use crate::packed_slot::PackedSlot;

/// Where in its group a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The position of a keyed line: the fingerprint of its key, or the next free number above it where
    /// fingerprints collide.
    Keyed(u64),
    Bare,
}

/// All lines of one hash, by place and by the end of their newest version.
///
/// Lines stay for good, deleted ones as tombstones, since readers of older tails start their walk there.
/// So a chain of colliding fingerprints never has a hole, but for the undoing of a batch, which takes
/// away what came last.
#[derive(Debug)]
pub(crate) struct Group {
    keyed: HashMap<u64, PackedSlot, Mix>,
    bare: Option<PackedSlot>,
    /// Newest versions that are values. Two sets rather than one with a flag: the newest live line must be
    /// found at once however many lines were deleted after it.
    live: BTreeMap<u64, Place>,
    /// Newest versions that are tombstones.
    dead: BTreeMap<u64, Place>,
}

impl Group {
    pub(crate) fn new(mix: Mix) -> Self {
        Self {
            keyed: HashMap::with_hasher(mix),
            bare: None,
            live: BTreeMap::new(),
            dead: BTreeMap::new(),
        }
    }

    pub(crate) fn line(&self, place: Place) -> Option<PackedSlot> {
        match place {
            Place::Keyed(position) => self.keyed.get(&position).copied(),
            Place::Bare => self.bare,
        }
    }

    /// Sets the newest version of the line at `place`, or removes the line; returns what stood there.
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

    /// Gives the line whose newest version ends at `end` back its version before it, if it had one.
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

    /// The newest version of every line.
    pub(crate) fn lines(&self) -> impl Iterator<Item = PackedSlot> {
        self.keyed.values().copied().chain(self.bare)
    }

    pub(crate) fn line_count(&self) -> usize {
        self.live.len() + self.dead.len()
    }

    /// The ends of all live lines, oldest first.
    pub(crate) fn live_ends(&self) -> impl Iterator<Item = u64> {
        self.live.keys().copied()
    }

    pub(crate) fn live_keyed_count(&self) -> usize {
        self.live.len() - usize::from(self.bare.is_some_and(|slot| !slot.is_tombstone()))
    }

    /// The end of the newest live keyed line.
    pub(crate) fn newest_live_keyed(&self) -> Option<u64> {
        self.live.iter().rev().find(|(_, place)| **place != Place::Bare).map(|(end, _)| *end)
    }

    /// Whether a live line has its newest version at `end`.
    pub(crate) fn is_live(&self, end: u64) -> bool {
        self.live.contains_key(&end)
    }

    /// The newest live line among those whose newest version is not beyond `tail`.
    pub(crate) fn newest_live_until(&self, tail: u64) -> Option<u64> {
        self.live.range(..=tail).next_back().map(|(end, _)| *end)
    }

    /// The newest versions beyond `tail`, dead ones too: their lines may have been live at `tail`.
    pub(crate) fn newest_beyond(&self, tail: u64) -> impl Iterator<Item = PackedSlot> {
        let beyond = (Bound::Excluded(tail), Bound::Unbounded);
        let live = self.live.range(beyond);
        live.chain(self.dead.range(beyond)).filter_map(|(_, place)| self.line(*place))
    }
}
