//! One file of a store, as readers see it.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::{
    EntryHandle, FormatError, Identity, Layout, Map, MappedSlot, verify_slot,
};
use simd_r_drive_indexer::{Identity as LineIdentity, KeyIndexer, SlotRef, SlotSource};
use simd_r_drive_writer::StoreFile;

use crate::counts::Counts;
pub(crate) use crate::counts::Totals;
use crate::damage::DamageMap;
use crate::events;
use crate::publication::Publication;

/// A file with its index and its maps. Handles, iterators and snapshots keep it alive.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) file: Arc<dyn StoreFile>,
    pub(crate) identity: Identity,
    pub(crate) layout: Layout,
    pub(crate) index: KeyIndexer,
    pub(crate) publication: Publication<Arc<Map>>,
    pub(crate) counts: Counts,
    /// What cannot be read, in a store that was opened read-only.
    pub(crate) damage: Option<DamageMap>,
    /// Whether every read checks its entry in full.
    pub(crate) verify_reads: bool,
}

impl Generation {
    /// The published tail, with the totals that belong to it.
    pub(crate) fn totals(&self) -> Totals {
        loop {
            if let Some(totals) = self.counts.at(self.publication.tail()) {
                return totals;
            }
            // Two commits were published between the two loads; the next try finds newer ones.
            std::hint::spin_loop();
        }
    }

    /// The slot that ends at `end`.
    #[inline]
    pub(crate) fn mapped_slot(&self, end: u64) -> Result<(&Arc<Map>, MappedSlot<'_>), FormatError> {
        let map = self.publication.covering(end).ok_or(FormatError::NoSuchSlot { offset: end })?;
        Ok((map, map.slot(end).inspect_err(events::damage_found)?))
    }

    /// A handle to the entry that ends at `end`, checked in full if reads are to be verified.
    #[inline]
    pub(crate) fn handle(&self, end: u64, key_hash: u64) -> io::Result<EntryHandle> {
        let (map, slot) = self.mapped_slot(end)?;
        if self.verify_reads {
            verify_slot(&slot, &self.layout).inspect_err(events::damage_found)?;
        }
        Ok(EntryHandle::from_slot(map, &slot, key_hash)?)
    }

    /// Where the next slot below `end` ends, if not there.
    #[inline]
    pub(crate) fn skip_damage(&self, end: u64) -> u64 {
        self.damage.as_ref().map_or(end, |damage| damage.skip(end))
    }

    /// Refuses what cannot be told of a damaged store.
    pub(crate) fn refuse_damage(&self) -> Result<(), FormatError> {
        self.damage.as_ref().map_or(Ok(()), |damage| damage.confirm(0))
    }

    /// Asks the processor for the trailer of a slot that will be read soon.
    #[inline]
    pub(crate) fn prefetch(&self, end: u64) {
        if let Some(map) = self.publication.covering(end) {
            map.prefetch_trailer(end);
        }
    }
}

impl SlotSource for Generation {
    type Error = FormatError;

    #[inline]
    fn slot(&self, end: u64) -> Result<SlotRef<'_>, FormatError> {
        let (_, slot) = self.mapped_slot(end)?;
        if self.verify_reads {
            // A key that has changed since the store was opened must not look like another key, and its entry
            // like none.
            self.layout
                .check_seal(slot.key_and_trailer(), &slot.trailer, slot.end)
                .inspect_err(events::damage_found)?;
        }
        let fields = &slot.trailer.fields;
        Ok(SlotRef {
            identity: line_identity(&slot),
            is_tombstone: fields.is_tombstone(),
            previous_end: fields.previous_end,
        })
    }
}

/// Whose versions the slot's line holds.
#[inline]
pub(crate) fn line_identity<'a>(slot: &MappedSlot<'a>) -> LineIdentity<'a> {
    if slot.trailer.fields.is_bare() { LineIdentity::Bare } else { LineIdentity::Keyed(slot.key()) }
}
