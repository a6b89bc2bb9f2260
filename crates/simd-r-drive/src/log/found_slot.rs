//! A slot that was found in the log.

use std::ops::Deref;
use std::sync::Arc;

use simd_r_drive_entry_handle::{EntryHandle, FormatError, Map, MappedSlot};
use simd_r_drive_indexer::{ChainKey, Slot};

use crate::log::slot_hash;

/// A slot of a log, with its trailer decoded and its seal checked, and the map it is in. Look-ups
/// return it, so that keys are compared and values are read without decoding the slot again.
///
/// Only [`LogFile::slot_at`](super::LogFile::slot_at) makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FoundSlot<'a> {
    map: &'a Arc<Map>,
    slot: MappedSlot<'a>,
}

impl<'a> FoundSlot<'a> {
    /// A slot whose seal was checked.
    #[inline(always)]
    pub(super) fn checked(map: &'a Arc<Map>, slot: MappedSlot<'a>) -> Self {
        Self { map, slot }
    }

    /// A handle to the entry in the slot. Its payload is not checked.
    #[inline]
    pub(crate) fn handle(&self, key_hash: u64) -> Result<EntryHandle, FormatError> {
        EntryHandle::from_slot(self.map, &self.slot, key_hash)
    }
}

impl<'a> Deref for FoundSlot<'a> {
    type Target = MappedSlot<'a>;

    #[inline(always)]
    fn deref(&self) -> &MappedSlot<'a> {
        &self.slot
    }
}

impl<'a> Slot<'a> for FoundSlot<'a> {
    #[inline(always)]
    fn chain_key(&self) -> ChainKey<'a> {
        chain_key(self)
    }

    fn hash(&self) -> u64 {
        slot_hash(self.fields().is_bare(), self.key())
    }

    #[inline(always)]
    fn is_tombstone(&self) -> bool {
        self.fields().is_tombstone()
    }

    #[inline(always)]
    fn previous_end(&self) -> u64 {
        self.fields().previous_end
    }
}

/// The chain that a slot belongs to.
#[inline(always)]
pub(crate) fn chain_key<'a>(slot: &MappedSlot<'a>) -> ChainKey<'a> {
    if slot.fields().is_bare() { ChainKey::Bare } else { ChainKey::Keyed(slot.key()) }
}
