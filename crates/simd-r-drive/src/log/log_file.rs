//! One file of a store: its maps, tail, totals and slots.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;
use simd_r_drive_entry_handle::{
    Access, CheckedSet, EntryHandle, FormatError, Identity, Layout, Map, MappedSlot, verify_payload,
};
use simd_r_drive_indexer::{FrozenIndex, KeyIndexer, RebuildSource, SlotSource};
use simd_r_drive_writer::StoreFile;

use crate::events::{self, Deferral};
use crate::log::{ColdReads, Counts, DamageMap, FoundSlot, Publication, Totals, maps, rebuild};
use crate::options::OpenOptions;

/// Bytes of log for whose slots it is remembered, at least, that their seals were checked (1 GiB).
const MIN_REMEMBERED: u64 = 1 << 30;

/// The same at most (32 GiB, which takes 64 MiB of memory when all of it has been read). Beyond it,
/// each read checks a seal.
const MAX_REMEMBERED: u64 = 32 << 30;

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
    /// Slots that end up to here are known only from an index in the log, so the first read of each
    /// checks its seal. If reads are verified, each read of any slot does.
    unchecked_until: AtomicU64,
    /// Those of them whose seals were checked, by the number of their last block.
    checked: OnceLock<CheckedSet>,
    /// Whether every read checks its entry in full.
    pub(crate) verify_reads: bool,
    access: Access,
    pub(crate) cold_reads: ColdReads,
}

impl LogFile {
    /// A file whose totals are not known yet.
    pub(crate) fn new(
        file: Arc<dyn StoreFile>,
        identity: &Identity,
        publication: Publication<Arc<Map>>,
        options: &OpenOptions,
    ) -> Self {
        let verify_reads = options.verify_reads;
        Self {
            file,
            identity: identity.clone(),
            layout: identity.layout(),
            publication,
            counts: Counts::default(),
            damage: None,
            // With `verify_reads`, a key that changed after the store was opened must not look like
            // another key, which would make its entry look absent.
            unchecked_until: AtomicU64::new(if verify_reads { u64::MAX } else { 0 }),
            checked: OnceLock::new(),
            verify_reads,
            access: options.access,
            cold_reads: ColdReads::default(),
        }
    }

    /// Makes reads check the seals of slots that end up to `end`, which are known only from an
    /// index in the log. Call this before that index is used.
    pub(crate) fn check_reads_until(&self, end: u64) {
        if self.verify_reads {
            return;
        }
        if end > 0 {
            // With room for what another process may append.
            let len = end.saturating_mul(2).clamp(MIN_REMEMBERED, MAX_REMEMBERED);
            self.checked.get_or_init(|| CheckedSet::new(len / BLOCK_SIZE));
        }
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
        let map = maps::map(&*self.file, self.layout.alignment(), end, self.access)?;
        if self.publication.add_map(map) { Ok(()) } else { Err(maps::too_many()) }
    }

    /// The slot that ends at `end`.
    #[inline(always)]
    pub(crate) fn slot_at(&self, end: u64) -> Result<FoundSlot<'_>, FormatError> {
        let map = self.publication.covering(end).ok_or(FormatError::no_such_slot(end))?;
        let slot = map.slot(end).inspect_err(events::damage_found)?;
        if !self.is_checked(end) {
            self.check_seal(&slot)?;
        }
        Ok(FoundSlot::checked(map, slot))
    }

    /// The slot that ends at `end`, if its seal was checked.
    #[inline(always)]
    pub(crate) fn quick_slot_at(&self, end: u64) -> Option<FoundSlot<'_>> {
        let map = self.publication.covering(end)?;
        let slot = map.well_formed_slot(end)?;
        self.is_checked(end).then(|| FoundSlot::checked(map, slot))
    }

    /// The slot that ends at `end`, if it looks like one, for what its contents cannot make wrong.
    #[inline]
    pub(crate) fn unchecked_slot(&self, end: u64) -> Option<MappedSlot<'_>> {
        self.publication.covering(end)?.well_formed_slot(end)
    }

    /// Whether the seal of the slot that ends at `end` was checked since the file was opened, and
    /// need not be checked again.
    #[inline(always)]
    fn is_checked(&self, end: u64) -> bool {
        // Relaxed: any holder of an index that reaches this far loaded it with Acquire after this
        // was stored.
        end > self.unchecked_until.load(Ordering::Relaxed)
            || self.checked.get().is_some_and(|checked| checked.contains(end / BLOCK_SIZE))
    }

    /// Makes reads check the seal of each slot again when they next use it.
    pub(crate) fn forget_checks(&self) {
        if let Some(checked) = self.checked.get() {
            checked.clear();
        }
    }

    /// Checks the seal of a slot, whatever was checked before.
    ///
    /// # Errors
    /// [`FormatError::Damaged`].
    #[cold]
    pub(crate) fn check_seal(&self, slot: &MappedSlot<'_>) -> Result<(), FormatError> {
        let sealed = slot.key_and_trailer();
        let checked = self.layout.check_seal(sealed, &slot.trailer(), slot.end);
        checked.inspect_err(events::damage_found)?;
        if let Some(checked) = self.checked.get() {
            checked.insert(slot.end / BLOCK_SIZE);
        }
        Ok(())
    }

    /// The payload of a slot, checked if reads are verified.
    #[inline]
    pub(crate) fn payload<'a>(&self, slot: &FoundSlot<'a>) -> Result<&'a [u8], FormatError> {
        self.verify(slot)?;
        Ok(slot.payload())
    }

    /// Checks the payload of a slot if reads are verified.
    #[inline(always)]
    fn verify(&self, slot: &FoundSlot<'_>) -> Result<(), FormatError> {
        if self.verify_reads {
            verify_payload(slot).inspect_err(events::damage_found)?;
        }
        Ok(())
    }

    /// A handle to the entry in a slot, checked if reads are verified.
    #[inline(always)]
    pub(crate) fn handle(
        &self,
        slot: &FoundSlot<'_>,
        key_hash: u64,
    ) -> Result<EntryHandle, FormatError> {
        self.verify(slot)?;
        slot.handle(key_hash)
    }

    /// The index table in the payload of the slot from `start` to `end`, if it is complete.
    pub(crate) fn frozen_index(
        &self,
        start: u64,
        payload_len: u64,
        end: u64,
    ) -> Option<FrozenIndex> {
        let map = self.publication.covering(end)?;
        let map = Arc::clone(map);
        FrozenIndex::open(map, &self.layout, start, payload_len, end, self.verify_reads)
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
    type Slot<'a> = FoundSlot<'a>;

    #[inline(always)]
    fn slot(&self, end: u64) -> io::Result<FoundSlot<'_>> {
        Ok(self.slot_at(end)?)
    }

    #[inline(always)]
    fn quick_slot(&self, end: u64) -> Option<FoundSlot<'_>> {
        self.quick_slot_at(end)
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
