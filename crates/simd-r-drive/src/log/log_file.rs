//! One file of a store: its maps, tail, totals and slots.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive_entry_handle::{
    EntryHandle, FormatError, Identity, Layout, Map, MappedSlot, verify_payload, verify_slot,
};
use simd_r_drive_indexer::{ChainKey, FrozenIndex, KeyIndexer, RebuildSource, SlotRef, SlotSource};
use simd_r_drive_writer::StoreFile;

use crate::events::{self, Deferral};
use crate::log::{Counts, DamageMap, Publication, Totals, maps, rebuild, slot_hash};

/// A file with its maps and its tail.
#[derive(Debug)]
pub(crate) struct LogFile {
    pub(crate) file: Arc<dyn StoreFile>,
    pub(crate) identity: Identity,
    pub(crate) layout: Layout,
    pub(crate) publication: Publication<Arc<Map>>,
    pub(crate) counts: Counts,
    /// Damaged parts, in a store that was opened read-only.
    pub(crate) damage: Option<DamageMap>,
    /// Slots that end up to here are known only from an index in the log, so each read checks their
    /// seals.
    unchecked_until: AtomicU64,
    /// Whether every read checks its entry in full.
    pub(crate) verify_reads: bool,
}

impl LogFile {
    /// A file whose totals are not known yet.
    pub(crate) fn new(
        file: Arc<dyn StoreFile>,
        identity: &Identity,
        publication: Publication<Arc<Map>>,
        verify_reads: bool,
    ) -> Self {
        Self {
            file,
            identity: identity.clone(),
            layout: identity.layout(),
            publication,
            counts: Counts::default(),
            damage: None,
            unchecked_until: AtomicU64::new(0),
            verify_reads,
        }
    }

    /// Makes reads check the seals of slots that end up to `end`, which are known only from an
    /// index in the log. Call this before that index is used.
    pub(crate) fn check_reads_until(&self, end: u64) {
        self.unchecked_until.store(end, Ordering::Relaxed);
    }

    /// The published tail with its totals.
    pub(crate) fn totals(&self) -> Totals {
        loop {
            if let Some(totals) = self.counts.at(self.publication.tail()) {
                return totals;
            }
            // Two commits were published between the two loads. The next attempt finds newer ones.
            std::hint::spin_loop();
        }
    }

    /// Makes sure that a map covers the log up to `end`, before anything is published there.
    ///
    /// # Errors
    /// Those of mapping the file.
    pub(crate) fn make_room(&self, end: u64) -> io::Result<()> {
        if !self.publication.needs_map(end) {
            return Ok(());
        }
        let map = maps::map(&*self.file, self.layout.alignment(), end)?;
        if self.publication.add_map(map) { Ok(()) } else { Err(maps::too_many()) }
    }

    /// The slot that ends at `end`.
    #[inline]
    pub(crate) fn mapped_slot(&self, end: u64) -> Result<(&Arc<Map>, MappedSlot<'_>), FormatError> {
        let (map, slot) = self.unchecked_slot(end)?;
        if self.is_unchecked(end) {
            self.check_seal(&slot)?;
        }
        Ok((map, slot))
    }

    /// Whether the seal of the slot that ends at `end` has not been checked since the file was
    /// opened.
    #[inline]
    fn is_unchecked(&self, end: u64) -> bool {
        // Relaxed: any holder of an index that reaches this far loaded it with Acquire after this
        // was stored.
        end <= self.unchecked_until.load(Ordering::Relaxed)
    }

    /// As [`LogFile::mapped_slot`], but without a check of the seal: the slot's fields may be
    /// wrong.
    #[inline(always)]
    pub(crate) fn unchecked_slot(
        &self,
        end: u64,
    ) -> Result<(&Arc<Map>, MappedSlot<'_>), FormatError> {
        let map = self.publication.covering(end).ok_or(FormatError::no_such_slot(end))?;
        let slot = map.slot(end).inspect_err(events::damage_found)?;
        Ok((map, slot))
    }

    #[inline]
    fn check_seal(&self, slot: &MappedSlot<'_>) -> Result<(), FormatError> {
        let sealed = slot.key_and_trailer();
        let checked = self.layout.check_seal(sealed, &slot.trailer, slot.end);
        checked.map(drop).inspect_err(events::damage_found)
    }

    /// The slot of the entry that ends at `end`, checked in full if reads are verified.
    #[inline]
    pub(crate) fn entry(&self, end: u64) -> Result<(&Arc<Map>, MappedSlot<'_>), FormatError> {
        if !self.verify_reads {
            return self.mapped_slot(end);
        }
        let (map, slot) = self.unchecked_slot(end)?;
        verify_slot(&slot, &self.layout).inspect_err(events::damage_found)?;
        Ok((map, slot))
    }

    /// As [`LogFile::entry`], for a slot found by key. To compare the key, the look-up called
    /// [`SlotSource::slot`], which has checked the seal unless the slot is bare.
    #[inline]
    pub(crate) fn entry_of(&self, end: u64) -> Result<(&Arc<Map>, MappedSlot<'_>), FormatError> {
        let (map, slot) = self.unchecked_slot(end)?;
        if slot.trailer.fields.is_bare() {
            return self.entry(end);
        }
        if self.verify_reads {
            verify_payload(&slot).inspect_err(events::damage_found)?;
        }
        Ok((map, slot))
    }

    /// A handle to the entry that ends at `end`.
    #[inline]
    pub(crate) fn handle(&self, end: u64, key_hash: u64) -> io::Result<EntryHandle> {
        let (map, slot) = self.entry(end)?;
        Ok(EntryHandle::from_slot(map, &slot, key_hash)?)
    }

    /// As [`LogFile::handle`], for an entry found by key.
    #[inline]
    pub(crate) fn handle_of(&self, end: u64, key_hash: u64) -> io::Result<EntryHandle> {
        let (map, slot) = self.entry_of(end)?;
        Ok(EntryHandle::from_slot(map, &slot, key_hash)?)
    }

    /// The index table in the payload of the slot from `start` to `end`, if it is complete.
    pub(crate) fn frozen_index(
        &self,
        start: u64,
        payload_len: u64,
        end: u64,
    ) -> Option<FrozenIndex> {
        let map = self.publication.covering(end)?;
        FrozenIndex::open(Arc::clone(map), &self.layout, start, payload_len, end)
    }

    /// `end`, or if that is in a damaged part, the end of the next readable slot below it.
    #[inline]
    pub(crate) fn skip_damage(&self, end: u64) -> u64 {
        self.damage.as_ref().map_or(end, |damage| damage.skip(end))
    }

    /// Fails if part of the log is lost, for answers that need all of it.
    pub(crate) fn refuse_damage(&self) -> Result<(), FormatError> {
        self.damage.as_ref().map_or(Ok(()), |damage| damage.confirm(0))
    }
}

impl SlotSource for LogFile {
    type Error = io::Error;

    #[inline]
    fn slot(&self, end: u64) -> io::Result<SlotRef<'_>> {
        let (_, slot) = self.unchecked_slot(end)?;
        // With `verify_reads`, a key that changed after the store was opened must not look like
        // another key, which would make its entry look absent.
        if self.verify_reads || self.is_unchecked(end) {
            self.check_seal(&slot)?;
        }
        let fields = &slot.trailer.fields;
        Ok(SlotRef {
            identity: chain_key(&slot),
            bare_hash: bare_hash(&slot),
            is_tombstone: fields.is_tombstone(),
            previous_end: fields.previous_end,
        })
    }

    #[inline]
    fn prefetch(&self, end: u64) {
        if let Some(map) = self.publication.covering(end) {
            map.prefetch_trailer(end);
        }
    }
}

impl RebuildSource for LogFile {
    type UnderLock = Deferral;

    fn under_lock(&self) -> Deferral {
        events::defer()
    }

    fn rebuild(&self, tail: u64) -> io::Result<KeyIndexer> {
        rebuild(self, tail)
    }
}

/// The hash under which a bare entry was written.
#[inline]
fn bare_hash(slot: &MappedSlot<'_>) -> u64 {
    if slot.trailer.fields.is_bare() { slot_hash(true, slot.key()) } else { 0 }
}

/// The chain that the slot belongs to.
#[inline]
pub(crate) fn chain_key<'a>(slot: &MappedSlot<'a>) -> ChainKey<'a> {
    if slot.trailer.fields.is_bare() { ChainKey::Bare } else { ChainKey::Keyed(slot.key()) }
}
