//! The one place that maps memory.
//!
//! Nothing outside this file can reach a byte of the map that is not readable: neither the header, whose
//! hint pages change, nor what lies beyond the last sealed slot, which may not exist yet.

#![expect(unsafe_code, reason = "mapped memory is raw memory; every access is bounded here")]

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};

use crate::alignment::Alignment;
use crate::constants::METADATA_SIZE;
use crate::error::{Damage, FormatError};
use crate::layout::slot_start;
use crate::trailer::SealedTrailer;

/// A read-only memory map of a store's file, with room to grow.
///
/// The map reserves address space beyond the end of the file, so that a store's growth costs a handful of
/// maps over its life. Only `[header, readable)` can be reached.
///
/// # Safety argument
/// Bytes below `readable` are slots that are complete and never change again; the engine only appends, and
/// never shortens a file below a byte it has published. Another program that writes to or truncates the
/// file breaks this: no memory map survives that, on any system.
pub struct Map {
    backing: Backing,
    base: NonNull<u8>,
    reserved: u64,
    first: u64,
    alignment: Alignment,
    readable: AtomicU64,
}

enum Backing {
    File(#[expect(dead_code, reason = "unmaps on drop")] MmapRaw),
    Anonymous(#[expect(dead_code, reason = "unmaps on drop")] Mmap),
}

// SAFETY: the pointer is to a mapping that this value owns and that stays where it is until drop; all
// access through it is reading, bounded by `readable`, of bytes that do not change.
unsafe impl Send for Map {}
// SAFETY: as above; the only field that changes is atomic.
unsafe impl Sync for Map {}

impl Map {
    /// Maps `file` read-only, from its start, reserving `wish` bytes of address space if there is as much,
    /// and never less than `need`. Nothing is readable yet.
    ///
    /// # Errors
    /// The operating system's, when not even `need` bytes of address space are left.
    pub fn reserve(file: &File, alignment: Alignment, need: u64, wish: u64) -> io::Result<Self> {
        // Windows cannot map beyond the end of a file without growing it.
        let mut len = if cfg!(windows) { need } else { wish.max(need) };
        loop {
            let mapped = usize::try_from(len)
                .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))
                .and_then(|len| MmapOptions::new().len(len).map_raw_read_only(file));
            match mapped {
                Ok(raw) => return Self::from_raw(raw, alignment, len),
                Err(error) if len <= need => return Err(error),
                Err(_) => len = (len / 2).max(need),
            }
        }
    }

    fn from_raw(raw: MmapRaw, alignment: Alignment, reserved: u64) -> io::Result<Self> {
        let base = NonNull::new(raw.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
        let first = alignment.header_len();
        Ok(Self {
            backing: Backing::File(raw),
            base,
            reserved,
            first,
            alignment,
            // A map shorter than the header must not lend an empty slice beyond its end.
            readable: AtomicU64::new(first.min(reserved)),
        })
    }

    /// A private, page-aligned copy of `bytes`, readable as a whole.
    ///
    /// # Errors
    /// The operating system's, when memory is short.
    pub fn anonymous(bytes: &[u8]) -> io::Result<Self> {
        // An empty mapping does not exist; one byte is mapped and none is readable.
        let mut map = MmapMut::map_anon(bytes.len().max(1))?;
        if let Some(target) = map.get_mut(..bytes.len()) {
            target.copy_from_slice(bytes);
        }
        let map = map.make_read_only()?;
        let base = NonNull::new(map.as_ptr().cast_mut()).ok_or(io::ErrorKind::OutOfMemory)?;
        let len = bytes.len() as u64;
        Ok(Self {
            backing: Backing::Anonymous(map),
            base,
            reserved: len,
            first: 0,
            alignment: Alignment::DEFAULT,
            readable: AtomicU64::new(len),
        })
    }

    /// How many bytes of address space the map holds; slots up to here can become readable.
    #[inline]
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Up to where bytes can be read.
    #[inline]
    pub fn readable(&self) -> u64 {
        self.readable.load(Ordering::Acquire)
    }

    /// Makes `[header, end)` readable, as far as the map reaches. Never takes anything back.
    ///
    /// # Safety
    /// The file must be at least `end` bytes long, and its bytes from the header to `end` must never change
    /// or be cut off while this map lives.
    pub unsafe fn make_readable(&self, end: u64) {
        // Release: whoever reads the new bound sees the bytes that were written before this call.
        self.readable.fetch_max(end.min(self.reserved), Ordering::Release);
    }

    /// The bytes of `range`, if all of them are readable.
    #[inline]
    pub fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        let len = range.end.checked_sub(range.start)?;
        if range.start < self.first || range.end > self.readable() {
            return None;
        }
        // `readable` never exceeds `reserved`, which was a `usize` when it was mapped.
        let (start, len) = (usize::try_from(range.start).ok()?, usize::try_from(len).ok()?);
        // SAFETY: start + len <= readable <= reserved, the length of the mapping.
        let first = unsafe { self.base.add(start) };
        // SAFETY: the bytes exist and never change while `self` lives: `make_readable`'s contract, or the
        // mapping is private and read-only.
        Some(unsafe { std::slice::from_raw_parts(first.as_ptr(), len) })
    }

    /// The slot that ends at `end`. Its form is checked and all of it is readable; its seal is not checked.
    ///
    /// # Errors
    /// [`FormatError::NoSuchSlot`] or [`FormatError::Damaged`].
    #[inline]
    pub fn slot(&self, end: u64) -> Result<MappedSlot<'_>, FormatError> {
        let no_slot = || FormatError::NoSuchSlot { offset: end };
        let trailer_at = end.checked_sub(METADATA_SIZE as u64).ok_or_else(no_slot)?;
        let trailer =
            self.bytes(trailer_at..end).and_then(<[u8]>::first_chunk).ok_or_else(no_slot)?;
        let trailer = SealedTrailer::decode_at(trailer, end)?;
        let bounds = slot_start(self.alignment, end, &trailer.fields)
            .and_then(|start| Some((start, self.bytes(start..end)?)));
        match bounds {
            Some((start, bytes)) => Ok(MappedSlot { start, end, trailer, bytes }),
            None => Err(FormatError::damaged(trailer_at, Damage::Trailer)),
        }
    }

    /// Asks the processor to fetch the cache line that holds the trailer of the slot that ends at `end`.
    #[inline]
    pub fn prefetch_trailer(&self, end: u64) {
        if end < METADATA_SIZE as u64 || end > self.reserved {
            return;
        }
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let offset = (end as usize).wrapping_sub(METADATA_SIZE);
            let line = self.base.as_ptr().wrapping_add(offset);
            // SAFETY: a prefetch is a hint: it never faults, whatever the address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast::<i8>()) };
        }
    }

    /// `range` as an owned slice that keeps the map alive; `None` if not all of it is readable.
    #[inline]
    pub fn slice(self: &Arc<Self>, range: Range<u64>) -> Option<MapSlice> {
        let bytes = self.bytes(range)?;
        let (first, len) = (NonNull::from(bytes).cast::<u8>(), bytes.len());
        Some(MapSlice { first, len, map: Arc::clone(self) })
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_file = matches!(self.backing, Backing::File(_));
        f.debug_struct("Map")
            .field("is_file", &is_file)
            .field("reserved", &self.reserved)
            .field("readable", &self.readable())
            .finish_non_exhaustive()
    }
}

/// A slot in mapped memory.
#[derive(Debug, Clone, Copy)]
pub struct MappedSlot<'a> {
    /// Where the slot, and its payload, starts.
    pub start: u64,
    /// Where the slot ends.
    pub end: u64,
    /// The trailer.
    pub trailer: SealedTrailer,
    bytes: &'a [u8],
}

impl<'a> MappedSlot<'a> {
    /// The payload.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        usize::try_from(self.trailer.fields.payload_len)
            .ok()
            .and_then(|len| self.bytes.get(..len))
            .unwrap_or_default()
    }

    /// The key: a key's bytes, or a hash's for a bare entry.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        let (key, _) = self.key_and_trailer().split_at_checked(self.key_len()).unwrap_or_default();
        key
    }

    /// Key and trailer, which stand side by side: what a seal is checked against.
    #[inline]
    pub fn key_and_trailer(&self) -> &'a [u8] {
        let len = self.key_len().wrapping_add(METADATA_SIZE);
        let at = self.bytes.len().saturating_sub(len);
        self.bytes.get(at..).unwrap_or_default()
    }

    /// The bytes between payload and key, which are zero.
    pub fn padding(&self) -> &'a [u8] {
        let end = self.bytes.len().saturating_sub(self.key_and_trailer().len());
        self.bytes.get(self.payload().len()..end).unwrap_or_default()
    }

    #[inline]
    fn key_len(&self) -> usize {
        usize::from(self.trailer.fields.key_len)
    }
}

/// Bytes of a [`Map`] that keep it alive.
#[derive(Clone)]
pub struct MapSlice {
    first: NonNull<u8>,
    len: usize,
    map: Arc<Map>,
}

// SAFETY: reading access to bytes that do not change, in a map that is kept alive and is itself `Send`.
unsafe impl Send for MapSlice {}
// SAFETY: as above; the map is `Sync`.
unsafe impl Sync for MapSlice {}

impl MapSlice {
    /// The map.
    #[inline]
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }
}

impl Deref for MapSlice {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: `Map::slice` took pointer and length from a slice of `self.map`, which is still alive.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.len) }
    }
}

impl fmt::Debug for MapSlice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapSlice").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map shorter than the header once lent the empty slice at the header's end, which lies outside it.
    #[test]
    fn a_map_shorter_than_the_header_lends_nothing() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let file = File::open(manifest).unwrap();
        let map = Map::reserve(&file, Alignment::DEFAULT, 1, 1).unwrap();
        let header_len = Alignment::DEFAULT.header_len();
        assert_eq!(map.bytes(header_len..header_len), None);
        assert_eq!(map.bytes(0..1), None);
        assert!(map.readable() <= map.reserved());
    }
}
