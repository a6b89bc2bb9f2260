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
use std::sync::atomic::{AtomicU64, Ordering, fence};

use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};

use crate::alignment::Alignment;
use crate::constants::METADATA_SIZE;
use crate::error::{Damage, FormatError};
use crate::layout::slot_start;
use crate::trailer::{Kind, SealedTrailer};

/// Length of a [`Map::block`]: a cache line.
const BLOCK_LEN: usize = crate::constants::BLOCK_SIZE as usize;

/// A read-only memory map of a store's file, with room to grow.
///
/// The map reserves address space beyond the end of the file, so that a store's growth costs a handful of
/// maps over its life. Only `[header, readable)` can be reached.
///
/// # Safety argument
/// Bytes below `readable` are slots that are complete and never change again; the engine only appends, and
/// never shortens a file below a byte it has published. The payloads of index slots are the exception: they are
/// filled after they are published, and may be given back as zeros. Nothing but [`Map::block`], which copies,
/// reads those. Another program that writes to or truncates the file breaks this: no memory map survives that,
/// on any system.
pub struct Map {
    backing: Backing,
    base: NonNull<u8>,
    reserved: u64,
    first: u64,
    alignment: Alignment,
    readable: AtomicU64,
}

#[derive(Clone)]
enum Backing {
    File(#[expect(dead_code, reason = "unmaps on drop")] Arc<MmapRaw>),
    Anonymous(#[expect(dead_code, reason = "unmaps on drop")] Arc<Mmap>),
}

// SAFETY: the pointer is into a mapping that this value owns or shares, and that stays where it is until the
// last owner drops it; all access through it is reading, bounded by `readable`, of bytes that do not change.
unsafe impl Send for Map {}
// SAFETY: as above; the only field that changes is atomic.
unsafe impl Sync for Map {}

impl Map {
    /// Maps `file` read-only, from its start, reserving `wish` bytes of address space if there is as much,
    /// and never less than `need`. Nothing is readable yet.
    ///
    /// If there is less than `wish`, the map takes no more than half of what could be had, so that the
    /// process can go on allocating memory; but never less than `need`.
    ///
    /// # Errors
    /// The operating system's, when not even `need` bytes of address space are left.
    pub fn reserve(file: &File, alignment: Alignment, need: u64, wish: u64) -> io::Result<Self> {
        // Windows cannot map beyond the end of a file without growing it.
        let wish = if cfg!(windows) { need } else { wish.max(need) };
        let mut len = wish;
        let mut leaves_room = false;
        loop {
            let mapped = usize::try_from(len)
                .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))
                .and_then(|len| map_file(file, len, alignment));
            match mapped {
                // The mapping is dropped: it was the largest that fits, and half of it will do.
                Ok(_) if len < wish && len / 2 >= need && !leaves_room => {
                    leaves_room = true;
                    len /= 2;
                }
                Ok((backing, base)) => {
                    let first = alignment.header_len();
                    // A map shorter than the header must not lend an empty slice beyond its end.
                    let readable = AtomicU64::new(first.min(len));
                    return Ok(Self { backing, base, reserved: len, first, alignment, readable });
                }
                Err(error) if len <= need => return Err(error),
                Err(_) => len = (len / 2).max(need),
            }
        }
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
            backing: Backing::Anonymous(Arc::new(map)),
            base,
            reserved: len,
            first: 0,
            alignment: Alignment::DEFAULT,
            readable: AtomicU64::new(len),
        })
    }

    /// `bytes` as a map of its own, for a store that is kept as a value of another. It keeps the memory
    /// mapping alive, and knows nothing of the map it was cut from: maps within maps do not form a chain. Only
    /// the part from the header's end of `alignment` on can become readable.
    ///
    /// # Errors
    /// [`FormatError::NestedAlignment`] if `bytes` lie in a map of a smaller alignment, which could not keep
    /// the inner one's promise.
    pub fn within(bytes: &MapSlice, alignment: Alignment) -> Result<Self, FormatError> {
        let outer = &bytes.map;
        let (inner_bytes, outer_bytes) = (alignment.bytes(), outer.alignment.bytes());
        if inner_bytes > outer_bytes {
            return Err(FormatError::NestedAlignment { inner: inner_bytes, outer: outer_bytes });
        }
        let reserved = bytes.len as u64;
        let first = alignment.header_len();
        Ok(Self {
            backing: outer.backing.clone(),
            // The slice's own bounds, which `Map::slice` has checked: `reserved` bytes from here on were
            // readable in `outer`, so they exist and never change while the mapping lives.
            base: bytes.first,
            reserved,
            first,
            alignment,
            readable: AtomicU64::new(first.min(reserved)),
        })
    }

    /// How many bytes of address space the map holds; slots up to here can become readable.
    #[inline]
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Where the map starts in memory, to tell maps apart.
    pub fn as_ptr(&self) -> *const u8 {
        self.base.as_ptr()
    }

    /// A private copy of everything up to `end`, at the same offsets; what cannot be read is zero.
    ///
    /// # Errors
    /// The operating system's, when memory is short.
    pub fn copy_until(&self, end: u64) -> io::Result<Mmap> {
        let end = end.min(self.readable());
        let len = usize::try_from(end).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut copy = MmapMut::map_anon(len.max(1))?;
        let first = usize::try_from(self.first.min(end)).unwrap_or(len);
        if let (Some(target), Some(bytes)) = (copy.get_mut(first..len), self.bytes(self.first..end))
        {
            target.copy_from_slice(bytes);
        }
        copy.make_read_only()
    }

    /// Up to where bytes can be read.
    #[inline]
    pub fn readable(&self) -> u64 {
        self.readable.load(Ordering::Acquire)
    }

    /// Makes `[header, end)` readable, as far as the map reaches. Never takes anything back.
    ///
    /// # Safety
    /// The file must be at least `end` bytes long, and its bytes from the header to `end` must never be cut off
    /// while this map lives, nor change, but for the payloads of index slots, which are read by
    /// [`block`](Map::block) alone. (A map [within](Map::within) another fulfils that by itself.)
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
        // mapping is private and read-only, or both held for the map that this one was cut from, whose
        // mapping `backing` keeps alive.
        Some(unsafe { std::slice::from_raw_parts(first.as_ptr(), len) })
    }

    /// The slot that ends at `end`. Its form is checked and all of it is readable; its seal is not checked.
    ///
    /// # Errors
    /// [`FormatError::NoSuchSlot`] or [`FormatError::Damaged`].
    #[inline(always)]
    pub fn slot(&self, end: u64) -> Result<MappedSlot<'_>, FormatError> {
        self.well_formed_slot(end).ok_or_else(|| self.why_no_slot(end))
    }

    // Inlined for the sake of look-ups: a slot is a dozen of words, most of which are not asked for.
    #[inline(always)]
    fn well_formed_slot(&self, end: u64) -> Option<MappedSlot<'_>> {
        let trailer_at = end.checked_sub(METADATA_SIZE as u64)?;
        let trailer = SealedTrailer::decode(self.bytes(trailer_at..end)?.first_chunk()?)?;
        let start = slot_start(self.alignment, end, &trailer.fields)?;
        // The payload of an index is not lent, since it may change.
        let first = if trailer.fields.kind == Kind::Index {
            trailer_at.checked_sub(u64::from(trailer.fields.key_len))?
        } else {
            start
        };
        Some(MappedSlot { start, end, trailer, bytes: self.bytes(first..end)? })
    }

    /// Look-ups ask for slots that are there: what else there is to say is worked out apart from them.
    #[cold]
    fn why_no_slot(&self, end: u64) -> FormatError {
        match end.checked_sub(METADATA_SIZE as u64) {
            Some(trailer_at) if self.bytes(trailer_at..end).is_some() => {
                FormatError::damaged(trailer_at, Damage::Trailer)
            }
            _ => FormatError::no_such_slot(end),
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

    /// The block of 64 bytes at `offset`, a multiple of 64, if all of it is readable; a copy, as eight little-endian
    /// numbers.
    ///
    /// For blocks whose bytes may change while they are read, those of an index in the log. Each number of the
    /// copy is one that stood there at some time. Whether they fit together is for a checksum to say. A block
    /// that only ever turns into zeros, from its first byte on or all at once, is easier to judge: its first
    /// number is read last, so if that is not zero, the copy is the block as it was before.
    #[inline]
    pub fn block(&self, offset: u64) -> Option<[u64; BLOCK_LEN / size_of::<u64>()]> {
        let end = offset.checked_add(BLOCK_LEN as u64)?;
        let is_block = offset.is_multiple_of(BLOCK_LEN as u64) && offset >= self.first;
        if !is_block || end > self.readable() {
            return None;
        }
        let words = self.base.as_ptr().wrapping_add(usize::try_from(offset).ok()?).cast::<u64>();
        if !words.is_aligned() {
            return None;
        }
        let read = |number| {
            // SAFETY: offset + 64 <= readable <= reserved, the length of the mapping, and the pointer is aligned.
            // A volatile read makes a copy of whatever stands there: no reference to bytes that may change exists.
            u64::from_le(unsafe { words.wrapping_add(number).read_volatile() })
        };
        let mut block: [u64; BLOCK_LEN / size_of::<u64>()] = [0; _];
        for (at, number) in block.iter_mut().enumerate().skip(1) {
            *number = read(at);
        }
        fence(Ordering::Acquire);
        block[0] = read(0);
        Some(block)
    }

    /// Whether `bytes` stand at `offset` in what is mapped, be it readable or not. For files whose maps may show
    /// something else than reads do. Where the system cannot tell what is mapped (Linux before 5.14), the answer
    /// is yes.
    ///
    /// # Errors
    /// The operating system's.
    #[cfg(unix)]
    pub fn shows(&self, offset: u64, bytes: &[u8]) -> io::Result<bool> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.reserved);
        let (Some(_), Ok(start)) = (end, usize::try_from(offset)) else { return Ok(false) };
        let first = self.base.as_ptr().wrapping_add(start);
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let from_page = first.addr() & rustix::param::page_size().wrapping_sub(1);
            let aligned = first.wrapping_sub(from_page);
            let len = bytes.len().saturating_add(from_page);
            let advice = rustix::mm::Advice::LinuxPopulateRead;
            // SAFETY: this advice reads pages and changes none; those beyond the file's end are an error, not a
            // signal. The range lies in the mapping, whose start is a page's.
            match unsafe { rustix::mm::madvise(aligned.cast(), len, advice) } {
                Ok(()) => {}
                Err(rustix::io::Errno::FAULT | rustix::io::Errno::NOMEM) => return Ok(false),
                Err(rustix::io::Errno::INVAL) => return Ok(true),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(bytes.iter().enumerate().all(|(number, byte)| {
            // SAFETY: offset + number < reserved, the length of the mapping, and the page has just been read. A
            // volatile read makes a copy of whatever stands there: no reference to bytes that may change exists.
            *byte == unsafe { first.wrapping_add(number).read_volatile() }
        }))
    }

    /// Maps show what reads do.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn shows(&self, _: u64, _: &[u8]) -> io::Result<bool> {
        Ok(true)
    }

    /// Asks the processor to fetch the cache line at `offset`.
    #[inline]
    pub fn prefetch_block(&self, offset: u64) {
        self.prefetch_trailer(offset.saturating_add(METADATA_SIZE as u64));
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
        let is_file = !matches!(self.backing, Backing::Anonymous(_));
        f.debug_struct("Map")
            .field("is_file", &is_file)
            .field("reserved", &self.reserved)
            .field("readable", &self.readable())
            .finish_non_exhaustive()
    }
}

/// Maps `len` bytes of `file` so that they start at a multiple of the alignment.
fn map_file(file: &File, len: usize, alignment: Alignment) -> io::Result<(Backing, NonNull<u8>)> {
    // Systems align maps to pages; Windows to 64 KiB, the largest alignment there is.
    #[cfg(unix)]
    if alignment.bytes() > SMALLEST_PAGE {
        return map_aligned(file, len, alignment);
    }
    let _ = alignment;
    let raw = MmapOptions::new().len(len).map_raw_read_only(file)?;
    let base = NonNull::new(raw.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
    Ok((Backing::File(Arc::new(raw)), base))
}

/// Size in bytes that pages have at least, on every system.
#[cfg(unix)]
const SMALLEST_PAGE: u64 = 4096;

/// Reserves address space for the file and the alignment, and maps the file into it where it is aligned.
#[cfg(unix)]
fn map_aligned(
    file: &File,
    len: usize,
    alignment: Alignment,
) -> io::Result<(Backing, NonNull<u8>)> {
    let out_of_memory = || io::Error::from(io::ErrorKind::OutOfMemory);
    let align = usize::try_from(alignment.bytes()).map_err(|_| out_of_memory())?;
    let reserved_len = len.checked_add(align).ok_or_else(out_of_memory)?;
    // A map of the file itself: unlike anonymous memory, it counts neither as data nor as committed.
    let region = MmapOptions::new().len(reserved_len).map_raw_read_only(file)?;
    let start = region.as_mut_ptr();
    let padding = start.align_offset(align);
    let base = NonNull::new(start.wrapping_add(padding)).ok_or_else(out_of_memory)?;
    // SAFETY: the padding is less than the alignment, so the new mapping replaces only pages of `region`, which
    // nothing refers to yet and which unmaps all of its range, whatever is mapped there, when it is dropped.
    unsafe {
        rustix::mm::mmap(
            base.as_ptr().cast(),
            len,
            rustix::mm::ProtFlags::READ,
            rustix::mm::MapFlags::SHARED | rustix::mm::MapFlags::FIXED,
            file,
            0,
        )
    }?;
    Ok((Backing::File(Arc::new(region)), base))
}

/// A slot in mapped memory. That of an index has no payload here.
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
        if self.trailer.fields.kind == Kind::Index {
            return &[];
        }
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
