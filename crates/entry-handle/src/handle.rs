//! A zero-copy handle to one entry.

use std::fmt;
use std::io;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::alignment::Alignment;
use crate::error::{Damage, FormatError};
use crate::hash::compute_checksum;
use crate::layout::Layout;
use crate::map::{Map, MapSlice, MappedSlot};
use crate::metadata::EntryMetadata;
use crate::subject::Subject;
use crate::trailer::Flags;
use crate::typed_view::TypedViewError;

/// A value of a store, read in place.
///
/// It derefs to the payload's bytes in the store's memory map. Nothing is copied, and the first
/// byte is aligned to the store's alignment (64 bytes unless chosen otherwise). A handle stays
/// valid and unchanged as long as it lives: across later writes, growth of the file, compaction,
/// and the drop of its store.
///
/// Cloning costs one atomic increment.
///
/// ```
/// use simd_r_drive_entry_handle::EntryHandle;
///
/// let handle = EntryHandle::from_owned_bytes_anon(&1.5_f32.to_le_bytes(), 7)?;
/// assert_eq!(handle.as_typed::<f32>().unwrap(), [1.5]);
/// assert!(handle.is_valid_checksum());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct EntryHandle {
    payload: MapSlice,
    slot_end: u64,
    metadata: EntryMetadata,
}

impl EntryHandle {
    /// The entry whose slot ends at `end`. `key_hash` is the hash that the caller looked up.
    ///
    /// # Errors
    /// [`FormatError::NoSuchSlot`] or [`FormatError::Damaged`] if no well-formed slot ends there.
    #[inline]
    pub fn from_map(map: &Arc<Map>, end: u64, key_hash: u64) -> Result<Self, FormatError> {
        Self::from_slot(map, &map.slot(end)?, key_hash)
    }

    /// The entry in `slot`, which was read from `map`. The payload of an index slot appears empty.
    ///
    /// # Errors
    /// [`FormatError::NoSuchSlot`] if the slot does not belong to `map`.
    #[inline]
    pub fn from_slot(
        map: &Arc<Map>,
        slot: &MappedSlot<'_>,
        key_hash: u64,
    ) -> Result<Self, FormatError> {
        let payload = map.payload(slot).ok_or(FormatError::no_such_slot(slot.end))?;
        let checksum = slot.fields().payload_crc.to_le_bytes();
        let metadata = EntryMetadata::new(key_hash, slot.start, checksum);
        Ok(Self { payload, slot_end: slot.end, metadata })
    }

    /// Creates a handle to a private copy of `bytes`, for code that returns values from elsewhere
    /// as entries. Maps whole pages: meant for a few values, not for many small ones.
    ///
    /// # Errors
    /// Any error of the operating system if memory is short.
    pub fn from_owned_bytes_anon(bytes: &[u8], key_hash: u64) -> io::Result<Self> {
        let map = Arc::new(Map::anonymous(bytes)?);
        let len = bytes.len() as u64;
        let payload = map.slice(0..len).ok_or(io::ErrorKind::OutOfMemory)?;
        let metadata = EntryMetadata::new(key_hash, 0, compute_checksum(bytes));
        Ok(Self { payload, slot_end: len, metadata })
    }

    /// Another handle to the same entry, like [`Clone`]: one atomic increment.
    #[must_use]
    #[inline]
    pub fn clone_arc(&self) -> Self {
        self.clone()
    }

    /// The payload as an Arrow buffer, without a copy; it keeps the entry alive.
    #[cfg(feature = "arrow")]
    pub fn as_arrow_buffer(&self) -> arrow_buffer::Buffer {
        self.clone().into_arrow_buffer()
    }

    /// The payload as an Arrow buffer, without a copy.
    #[cfg(feature = "arrow")]
    pub fn into_arrow_buffer(self) -> arrow_buffer::Buffer {
        bytes::Bytes::from_owner(self).into()
    }

    /// A copy of the map's bytes up to the end of this entry, at the same offsets, with zeros for
    /// the header. Earlier versions returned the map itself, which safe code must not have.
    ///
    /// # Errors
    /// Any error of the operating system if memory is short.
    #[cfg(feature = "expose-internal-api")]
    pub fn mmap_arc(&self) -> io::Result<Arc<memmap2::Mmap>> {
        self.payload.map().copy_until(self.slot_end).map(Arc::new)
    }

    /// Where the map starts in memory, to tell maps apart.
    #[doc(hidden)]
    pub fn arc_ptr(&self) -> *const u8 {
        self.payload.map().as_ptr()
    }

    /// The payload.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as a slice of `T`, in place: nothing is copied or converted. The caller must
    /// know in which byte order the values were written. An empty payload is an empty slice.
    ///
    /// ```
    /// use simd_r_drive_entry_handle::{EntryHandle, TypedViewError};
    ///
    /// let handle = EntryHandle::from_owned_bytes_anon(&[0; 10], 7)?;
    /// assert_eq!(handle.as_typed::<u16>()?.len(), 5);
    /// let error = handle.as_typed::<u32>().unwrap_err();
    /// assert_eq!(error, TypedViewError::Length { len: 10, size: 4 });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`TypedViewError::Length`] if the payload's length is not a multiple of the size of `T`;
    /// - [`TypedViewError::Alignment`] if the payload is not aligned for `T`. Payloads of a store
    ///   are at multiples of its alignment, at least 64 bytes, which is enough for every primitive
    ///   type.
    #[inline]
    pub fn as_typed<T: bytemuck::Pod>(&self) -> Result<&[T], TypedViewError> {
        bytemuck::try_cast_slice(self).map_err(|error| TypedViewError::of::<T>(error, self))
    }

    /// Length of the payload in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        self.payload.len()
    }

    /// Length of the whole slot in the file, in bytes: payload, padding, key and trailer.
    #[inline]
    pub fn file_size(&self) -> usize {
        self.slot_end.saturating_sub(self.metadata.prev_offset) as usize
    }

    /// Hash of the key.
    #[inline]
    pub fn key_hash(&self) -> u64 {
        self.metadata.key_hash
    }

    /// The key's bytes. `None` for an entry written under a bare hash, or one that is not from a
    /// store.
    pub fn key(&self) -> Option<&[u8]> {
        let slot = self.slot()?;
        (!slot.fields().is_bare()).then(|| slot.key())
    }

    /// When the entry was written, with a resolution of 10 ms, by the clock of the machine that
    /// wrote it. `None` for an entry that is not from a store.
    pub fn written_at(&self) -> Option<SystemTime> {
        let units = self.slot()?.fields().written_at;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(units.saturating_mul(10)))
    }

    /// Where the slot of the previous version of this key ends, in bytes; `None` if there is none.
    /// It may be a tombstone.
    pub fn previous_version_end(&self) -> Option<u64> {
        let end = self.slot()?.fields().previous_end;
        (end != 0).then_some(end)
    }

    /// CRC-32 of the payload, as stored.
    #[inline]
    pub fn checksum(&self) -> u32 {
        u32::from_le_bytes(self.metadata.checksum)
    }

    /// CRC-32 of the payload, as its four bytes in the file (little-endian).
    #[inline]
    pub fn raw_checksum(&self) -> [u8; 4] {
        self.metadata.checksum
    }

    /// Whether the payload matches its CRC-32. Reads all of it.
    pub fn is_valid_checksum(&self) -> bool {
        compute_checksum(self) == self.metadata.checksum
    }

    /// Checks everything: the payload against its CRC-32, key and trailer against their seal.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] with the offset.
    pub fn verify(&self, layout: &Layout) -> Result<(), FormatError> {
        let slot = self.payload.map().slot(self.slot_end)?;
        verify_slot(&slot, layout)
    }

    /// The payload as a map of its own, with slots of `alignment`, for a store nested in a value.
    /// Its payloads can then be read in place. Nothing of the map is readable yet.
    ///
    /// # Errors
    /// [`FormatError::NestedAlignment`] if the alignment of the entry's own store is smaller.
    pub fn payload_map(&self, alignment: Alignment) -> Result<Map, FormatError> {
        Map::within(&self.payload, alignment)
    }

    /// A view of the trailer.
    #[inline]
    pub fn metadata(&self) -> &EntryMetadata {
        &self.metadata
    }

    /// Where the payload starts in the file, in bytes.
    #[inline]
    pub fn start_offset(&self) -> usize {
        self.metadata.prev_offset as usize
    }

    /// Where the payload ends in the file, in bytes.
    #[inline]
    pub fn end_offset(&self) -> usize {
        self.start_offset().wrapping_add(self.size())
    }

    /// The payload's range in the file.
    pub fn offset_range(&self) -> Range<usize> {
        self.start_offset()..self.end_offset()
    }

    /// The payload's range in this process's memory.
    pub fn address_range(&self) -> Range<*const u8> {
        self.payload.as_ptr_range()
    }

    /// Where the entry's slot ends, in bytes: the store's tail right after the entry.
    #[inline]
    pub fn slot_end(&self) -> u64 {
        self.slot_end
    }

    fn slot(&self) -> Option<MappedSlot<'_>> {
        // A private copy has no slot around it.
        let slot = self.payload.map().slot(self.slot_end).ok()?;
        (slot.start == self.metadata.prev_offset).then_some(slot)
    }
}

/// Checks payload, key and trailer of `slot`.
///
/// # Errors
/// [`FormatError::Damaged`] with the offset.
pub fn verify_slot(slot: &MappedSlot<'_>, layout: &Layout) -> Result<(), FormatError> {
    layout.check_seal(slot.key_and_trailer(), &slot.trailer(), slot.end)?;
    verify_payload(slot)
}

/// Checks only the payload, for a slot whose seal has just been checked.
///
/// # Errors
/// [`FormatError::Damaged`] with the payload's offset. Its subject is the key.
///
/// # Costs
/// One pass over the payload.
#[inline]
pub fn verify_payload(slot: &MappedSlot<'_>) -> Result<(), FormatError> {
    let fields = slot.fields();
    let got = if fields.flags.has(Flags::OPAQUE) { 0 } else { crc32fast::hash(slot.payload()) };
    if got == fields.payload_crc {
        return Ok(());
    }
    let (expected, got) = (u64::from(fields.payload_crc), u64::from(got));
    let error = FormatError::mismatch(slot.start, Damage::Payload, expected, got);
    // The seal has been checked, so the key is genuine.
    Err(error.about(match slot.key().first_chunk() {
        Some(hash) if fields.is_bare() => Subject::of_key_hash(u64::from_le_bytes(*hash)),
        _ => Subject::of_key(slot.key()),
    }))
}

impl Deref for EntryHandle {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.payload
    }
}

impl AsRef<[u8]> for EntryHandle {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq<[u8]> for EntryHandle {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_slice() == other
    }
}

impl PartialEq<&[u8]> for EntryHandle {
    fn eq(&self, other: &&[u8]) -> bool {
        self.as_slice() == *other
    }
}

impl PartialEq<Vec<u8>> for EntryHandle {
    fn eq(&self, other: &Vec<u8>) -> bool {
        self.as_slice() == other.as_slice()
    }
}

/// Without a copy; the bytes keep the entry alive.
#[cfg(feature = "bytes")]
impl From<EntryHandle> for bytes::Bytes {
    fn from(entry: EntryHandle) -> Self {
        Self::from_owner(entry)
    }
}

impl fmt::Debug for EntryHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryHandle")
            .field("size", &self.size())
            .field("slot_end", &self.slot_end)
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}
