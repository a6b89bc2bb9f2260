//! The second table: hashes with several chains.

use dashmap::DashMap;

use crate::fingerprint::Fingerprints;
use crate::group::{Group, Place};
use crate::mix::Mixer;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, Slot as _, SlotSource};

/// Few hashes have several chains.
const SHARDS: usize = 16;

/// The groups, by hash.
///
/// Every method copies out what it returns. No guard escapes, and the source is never called while
/// the table is locked.
#[derive(Debug)]
pub(crate) struct Groups {
    by_hash: DashMap<u64, Group, Mixer>,
    fingerprints: Fingerprints,
}

/// Where an identity is in its group, or where it would go.
#[derive(Clone, Copy)]
pub(crate) enum Probe {
    Present { place: Place, newest: PackedSlot },
    Absent { place: Place },
}

impl Probe {
    pub(crate) fn newest(self) -> Option<PackedSlot> {
        match self {
            Self::Present { newest, .. } => Some(newest),
            Self::Absent { .. } => None,
        }
    }
}

impl Groups {
    pub(crate) fn new(fingerprints: Fingerprints) -> Self {
        let by_hash = DashMap::with_hasher_and_shard_amount(Mixer::random(), SHARDS);
        Self { by_hash, fingerprints }
    }

    /// Inspects a group under its shard's lock. `None` if the hash has no group.
    pub(crate) fn look<R>(&self, hash: u64, read: impl FnOnce(&Group) -> R) -> Option<R> {
        self.by_hash.get(&hash).map(|group| read(&group))
    }

    pub(crate) fn chain(&self, hash: u64, place: Place) -> Option<PackedSlot> {
        self.look(hash, |group| group.chain(place)).flatten()
    }

    /// Finds the chain of `identity`. A chain whose newest version ends at `known_end` is taken for
    /// it without asking the source.
    ///
    /// # Costs
    ///
    /// One source call if the chain exists, none if it does not. More only if the secret 64-bit
    /// fingerprints of two keys collide.
    pub(crate) fn probe<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        identity: ChainKey<'_>,
        known_end: u64,
        source: &S,
    ) -> Result<Probe, S::Error> {
        let ChainKey::Keyed(key) = identity else {
            let place = Place::Bare;
            return Ok(match self.chain(hash, place) {
                Some(newest) => Probe::Present { place, newest },
                None => Probe::Absent { place },
            });
        };
        let mut position = self.fingerprints.of(key);
        loop {
            let place = Place::Keyed(position);
            let Some(newest) = self.chain(hash, place) else {
                return Ok(Probe::Absent { place });
            };
            if newest.end() == known_end || source.slot(newest.end())?.chain_key() == identity {
                return Ok(Probe::Present { place, newest });
            }
            position = position.wrapping_add(1);
        }
    }

    /// Sets the newest version of a chain, or removes the chain. The hash must have a group.
    pub(crate) fn set(&self, hash: u64, place: Place, newest: Option<PackedSlot>) {
        if let Some(mut group) = self.by_hash.get_mut(&hash) {
            group.set(place, newest);
        }
    }

    /// Undoes an insertion, see [`Group::retract`].
    pub(crate) fn retract(&self, hash: u64, end: u64, before: Option<PackedSlot>) {
        if let Some(mut group) = self.by_hash.get_mut(&hash) {
            group.retract(end, before);
        }
    }

    /// Creates a group of two chains. It becomes visible with both or not at all.
    pub(crate) fn found(
        &self,
        hash: u64,
        first: (ChainKey<'_>, PackedSlot),
        second: (ChainKey<'_>, PackedSlot),
    ) {
        self.found_all(hash, &[first, second]);
    }

    fn free_place(&self, group: &Group, identity: ChainKey<'_>) -> Place {
        let ChainKey::Keyed(key) = identity else { return Place::Bare };
        let mut position = self.fingerprints.of(key);
        while group.chain(Place::Keyed(position)).is_some() {
            position = position.wrapping_add(1);
        }
        Place::Keyed(position)
    }

    /// The number of keyed chains in each group.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.by_hash.iter().map(|group| group.keyed_count()).collect()
    }

    /// Creates a group from chains that are already known. It becomes visible with all of them or
    /// not at all.
    pub(crate) fn found_all(&self, hash: u64, chains: &[(ChainKey<'_>, PackedSlot)]) {
        let mut group = Group::new(*self.by_hash.hasher());
        for (identity, slot) in chains {
            let place = self.free_place(&group, *identity);
            group.set(place, Some(*slot));
        }
        self.by_hash.insert(hash, group);
    }

    pub(crate) fn group_count(&self) -> usize {
        self.by_hash.len()
    }

    pub(crate) fn chain_count(&self) -> usize {
        self.by_hash.iter().map(|group| group.chain_count()).sum()
    }
}
