//! Where a new slot goes when its hash is not vacant.

use crate::groups::Probe;
use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, SlotSource};

/// What became of a slot.
pub(crate) struct Placed {
    /// The newest version of the line before.
    pub(crate) before: Option<PackedSlot>,
    /// Whether the slot is now the newest version; otherwise the line already had a newer one.
    pub(crate) is_newest: bool,
}

impl KeyIndexer {
    /// Makes `slot` the newest version of the line of `identity`, unless that line has a newer one. A line
    /// whose newest version ends at `replaces` is taken to be it without asking the source.
    ///
    /// All source calls come before the first change: a failed call leaves the index as it was.
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
                // Only now: whoever reads the mark must find the group behind it.
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

/// The identity of a filed slot; only that of a keyed one needs the source.
fn identity_of<'s, S: SlotSource + ?Sized>(
    slot: PackedSlot,
    source: &'s S,
) -> Result<ChainKey<'s>, S::Error> {
    if slot.is_bare() { Ok(ChainKey::Bare) } else { Ok(source.slot(slot.end())?.identity) }
}
