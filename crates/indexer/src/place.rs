//! Placement of a slot whose hash is not vacant.

use crate::groups::Probe;
use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, Slot as _, SlotSource};

/// The outcome of placing a slot.
pub(crate) struct Placed {
    /// The previous newest version of the chain.
    pub(crate) before: Option<PackedSlot>,
    /// Whether the slot is now the newest version; otherwise the chain already had a newer one.
    pub(crate) is_newest: bool,
}

impl KeyIndexer {
    /// Makes `slot` the newest version of the chain of `identity`, unless that chain has a newer
    /// one. A chain whose newest version ends at `replaces` is taken for it without asking the
    /// source.
    ///
    /// All source calls come before the first change, so a failed call leaves the index unchanged.
    pub(crate) fn place<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        identity: ChainKey<'_>,
        slot: PackedSlot,
        replaces: u64,
        source: &S,
    ) -> Result<Placed, S::Error> {
        let Some(occupant) = self.table.get(hash) else {
            self.table.set(hash, Some(slot));
            return Ok(Placed { before: None, is_newest: true });
        };
        if occupant.is_group() {
            return self.place_in_group(hash, identity, slot, replaces, source);
        }
        if occupant.end() != replaces {
            let occupant_identity = identity_of(occupant, source)?;
            if occupant_identity != identity {
                self.groups.found(hash, (occupant_identity, occupant), (identity, slot));
                // Last, because a reader that sees the mark must find the group.
                self.table.set(hash, Some(PackedSlot::group(hash)));
                return Ok(Placed { before: None, is_newest: true });
            }
        }
        let is_newest = occupant.end() < slot.end();
        if is_newest {
            self.table.set(hash, Some(slot));
        }
        Ok(Placed { before: Some(occupant), is_newest })
    }

    fn place_in_group<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        identity: ChainKey<'_>,
        slot: PackedSlot,
        replaces: u64,
        source: &S,
    ) -> Result<Placed, S::Error> {
        let (place, before) = match self.groups.probe(hash, identity, replaces, source)? {
            Probe::Present { place, newest } => (place, Some(newest)),
            Probe::Absent { place } => (place, None),
        };
        let is_newest = before.is_none_or(|before| before.end() < slot.end());
        if is_newest {
            self.groups.set(hash, place, Some(slot));
        }
        Ok(Placed { before, is_newest })
    }
}

/// The identity of a filed slot. The source is needed only for a keyed one.
fn identity_of<'s, S: SlotSource + ?Sized>(
    slot: PackedSlot,
    source: &'s S,
) -> Result<ChainKey<'s>, S::Error> {
    if slot.is_bare() { Ok(ChainKey::Bare) } else { Ok(source.slot(slot.end())?.chain_key()) }
}
