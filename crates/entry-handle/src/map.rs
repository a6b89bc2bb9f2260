//! The one place that maps memory.
//!
//! Code outside this file can reach only readable bytes of a map. Neither the header, whose hint
//! pages change, nor anything beyond the last published slot, which may not exist yet, is readable.

#![expect(unsafe_code, reason = "mapped memory is raw memory; every access is bounded here")]

use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use memmap2::{Mmap, MmapMut, MmapOptions, MmapRaw};

use crate::access::Access;
use crate::alignment::Alignment;
use crate::constants::METADATA_SIZE;
use crate::error::{Damage, FormatError};
use crate::trailer::{Kind, SealedTrailer, Trailer, WellFormed};

/// Length of a [`Map::block`]: a cache line.
const BLOCK_LEN: usize = crate::constants::BLOCK_SIZE as usize;

/// Numbers in a block.
const BLOCK_WORDS: usize = BLOCK_LEN / size_of::<u64>();

/// A read-only memory map of a store's file, with room to grow.
///
/// The map reserves address space beyond the end of the file, so that a growing store is remapped
/// only a few times in its life. Only `[header, readable)` can be reached.
///
/// # Safety argument
/// Bytes below `readable` belong to complete slots and never change again: the engine only appends,
/// and never cuts off what it has published. The payloads of index slots are the exception. They
/// are filled after the slot is published, and may be replaced by zeros later. The engine reads
/// them only through [`Map::block`], which copies. If another program writes to the file or
/// truncates it, this does not hold: no memory map is safe against that, on any system.
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

// SAFETY: the pointer is into a mapping that this value owns or shares. The mapping stays where it
// is until its last owner drops it. All access through the pointer is reading, bounded by
// `readable`, of bytes that do not change, or copying with volatile reads.
unsafe impl Send for Map {}
// SAFETY: as above; the only field that changes is atomic.
unsafe impl Sync for Map {}

impl Map {
    /// Maps `file` read-only from its start. Reserves `wish` bytes of address space if they are
    /// available, and never fewer than `need`. Nothing is readable yet.
    ///
    /// If fewer than `wish` bytes are available, the map takes at most half of what could be
    /// mapped, so that the process can go on allocating memory. It still takes at least `need`
    /// bytes.
    ///
    /// # Errors
    /// Any error of mapping the file with `need` bytes, for example if address space is short.
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
                // This was the largest mapping that fits. It is dropped, and half of it is tried.
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

    /// A private, page-aligned copy of `bytes`. All of it is readable.
    ///
    /// # Errors
    /// Any error of the operating system if memory is short.
    pub fn anonymous(bytes: &[u8]) -> io::Result<Self> {
        // A mapping cannot be empty. For no bytes, one byte is mapped and none is readable.
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

    /// `bytes` as a map of its own, for a store nested in a value. It shares the memory mapping and
    /// keeps it alive, but not the outer [`Map`], so nested maps do not form a chain. Only what
    /// follows a header of `alignment` can become readable.
    ///
    /// # Errors
    /// [`FormatError::NestedAlignment`] if the alignment of the map that holds `bytes` is smaller
    /// than `alignment`.
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
            // `Map::slice` has checked the bounds of the slice: `reserved` bytes from here on were
            // readable in `outer`, so they exist and never change while the mapping lives.
            base: bytes.first,
            reserved,
            first,
            alignment,
            readable: AtomicU64::new(first.min(reserved)),
        })
    }

    /// Length of the map in bytes, of address space. Slots up to here can become readable.
    #[inline]
    pub fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Where the map starts in memory, to tell maps apart.
    pub fn as_ptr(&self) -> *const u8 {
        self.base.as_ptr()
    }

    /// A private copy of the map up to `end`, or to the end of the readable bytes, at the same
    /// offsets. Bytes before the readable ones are zero.
    ///
    /// # Errors
    /// Any error of the operating system if memory is short.
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

    /// The end of the readable bytes, as an offset.
    #[inline]
    pub fn readable(&self) -> u64 {
        self.readable.load(Ordering::Acquire)
    }

    /// Makes `[header, end)` readable, as far as the map reaches. What is readable stays readable.
    ///
    /// # Safety
    /// The file must be at least `end` bytes long. While this map lives, its bytes from the header
    /// to `end` must neither be cut off nor change, except for the payloads of index slots, which
    /// only [`block`](Map::block) reads. A map [within](Map::within) another always meets this.
    pub unsafe fn make_readable(&self, end: u64) {
        // Release: a thread that loads the new bound sees the bytes that were written before this
        // call.
        self.readable.fetch_max(end.min(self.reserved), Ordering::Release);
    }

    /// The bytes of `range`, if all of them are readable.
    #[inline]
    pub fn bytes(&self, range: Range<u64>) -> Option<&[u8]> {
        let is_readable =
            self.first <= range.start && range.start <= range.end && range.end <= self.readable();
        // SAFETY: just checked.
        is_readable.then(|| unsafe { self.lend(range) })
    }

    /// The bytes of `range`.
    ///
    /// # Safety
    /// All of them must be readable.
    #[inline(always)]
    unsafe fn lend(&self, range: Range<u64>) -> &[u8] {
        // `readable` never exceeds `reserved`, which was a `usize` when it was mapped.
        let (start, len) = (range.start as usize, range.end.wrapping_sub(range.start) as usize);
        // SAFETY: start + len <= readable <= reserved, the length of the mapping.
        let first = unsafe { self.base.add(start) };
        // SAFETY: the bytes exist and never change while `self` lives. Either that is the contract
        // of `make_readable`, or the mapping is private and read-only, or one of the two held for
        // the map that this one was cut from, whose mapping `backing` keeps alive.
        unsafe { std::slice::from_raw_parts(first.as_ptr(), len) }
    }

    /// The slot that ends at `end`. Its trailer is well-formed and all of it is readable. Its seal
    /// is not checked.
    ///
    /// # Errors
    /// [`FormatError::NoSuchSlot`] if the trailer at `end` is not readable;
    /// [`FormatError::Damaged`] if the slot is malformed or reaches beyond what is readable.
    #[inline(always)]
    pub fn slot(&self, end: u64) -> Result<MappedSlot<'_>, FormatError> {
        self.well_formed_slot(end).ok_or_else(|| self.why_no_slot(end))
    }

    /// The slot that ends at `end`, without an explanation where there is none.
    // Inlined, so that a look-up computes only what it uses.
    #[inline(always)]
    pub fn well_formed_slot(&self, end: u64) -> Option<MappedSlot<'_>> {
        let trailer_at = end.checked_sub(METADATA_SIZE as u64)?;
        let trailer = WellFormed::new(self.bytes(trailer_at..end)?.first_chunk()?)?;
        let len = self.alignment.slot_len(trailer.payload_len(), trailer.key_len())?;
        let start = end.checked_sub(len)?;
        // Slot lengths are multiples of the alignment, so an aligned start means an aligned end.
        if start < self.alignment.header_len() || !self.alignment.is_aligned(start) {
            return None;
        }
        // The payload of an index slot may change, so no slice of it may exist.
        let first = if trailer.kind() == Kind::Index {
            trailer_at.checked_sub(u64::from(trailer.key_len()))?
        } else {
            start
        };
        // SAFETY: `first` lies between the header, where readable bytes begin, and the trailer, all
        // of which is readable.
        let bytes = unsafe { self.lend(first..end) };
        Some(MappedSlot { start, end, trailer, bytes })
    }

    /// The error for a missing slot, worked out separately to keep the look-up itself small.
    #[cold]
    fn why_no_slot(&self, end: u64) -> FormatError {
        match end.checked_sub(METADATA_SIZE as u64) {
            Some(trailer_at) if self.bytes(trailer_at..end).is_some() => {
                FormatError::damaged(trailer_at, Damage::Trailer)
            }
            _ => FormatError::no_such_slot(end),
        }
    }

    /// Asks the processor to fetch the cache line that holds the trailer of the slot that ends at
    /// `end`.
    #[inline]
    pub fn prefetch_trailer(&self, end: u64) {
        if end < METADATA_SIZE as u64 || end > self.reserved {
            return;
        }
        prefetch(self.base.as_ptr().wrapping_add(end as usize).wrapping_sub(METADATA_SIZE));
    }

    /// The block of 64 bytes at `offset`, a multiple of 64, if all of it is readable.
    #[inline]
    pub fn block(&self, offset: u64) -> Option<Block<'_>> {
        let end = offset.checked_add(BLOCK_LEN as u64)?;
        if offset < self.first || end > self.readable() {
            return None;
        }
        // `readable` never exceeds `reserved`, which was a `usize` when it was mapped.
        let words = self.base.as_ptr().wrapping_add(offset as usize).cast::<u64>();
        // The map starts at a multiple of its alignment, of 64 at least.
        let is_block = words.addr().is_multiple_of(BLOCK_LEN);
        is_block.then_some(Block { words, map: PhantomData })
    }

    /// Whether the mapping shows `bytes` at `offset`, even where it is not readable yet. Some file
    /// systems show other bytes in a map than in a read. Returns `true` if the system cannot tell
    /// (Linux before 5.14).
    ///
    /// # Errors
    /// Any error of `madvise`, other than that the pages cannot be read.
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
            // SAFETY: this advice reads pages and changes none. Pages beyond the file's end give an
            // error, not a signal. The range lies in the mapping, and starts at a page, as the
            // mapping does.
            match unsafe { rustix::mm::madvise(aligned.cast(), len, advice) } {
                Ok(()) => {}
                Err(rustix::io::Errno::FAULT | rustix::io::Errno::NOMEM) => return Ok(false),
                Err(rustix::io::Errno::INVAL) => return Ok(true),
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(bytes.iter().enumerate().all(|(number, byte)| {
            // SAFETY: offset + number < reserved, the length of the mapping, and the page has just
            // been read. A volatile read copies the byte: no reference to bytes that may change
            // exists.
            *byte == unsafe { first.wrapping_add(number).read_volatile() }
        }))
    }

    /// Tells the system how the map is going to be read. Does nothing on Windows. A map of a nested
    /// store tells it for the pages that are its own.
    pub fn advise(&self, access: Access) {
        #[cfg(unix)]
        {
            use rustix::mm::Advice;
            let advice = match access {
                Access::Normal => Advice::Normal,
                Access::Random => Advice::Random,
                Access::Sequential => Advice::Sequential,
            };
            let within_page = rustix::param::page_size().wrapping_sub(1);
            let before_page = self.base.addr().get().wrapping_neg() & within_page;
            let first = self.base.as_ptr().wrapping_add(before_page);
            // `reserved` was a `usize` when it was mapped.
            let len = (self.reserved as usize).saturating_sub(before_page);
            // It is only advice, so a system may refuse it.
            // SAFETY: the advice changes no page, and the range lies in the mapping.
            let _ = unsafe { rustix::mm::madvise(first.cast(), len, advice) };
        }
        #[cfg(not(unix))]
        let _ = access;
    }

    /// Asks the system to read those readable bytes of `range` that are not in memory, and does not
    /// wait for them. Returns whether there were any. Always `false` on systems other than Linux,
    /// and for a file that the process may not write.
    ///
    /// Costs a system call for each 128 KiB in memory, and another one if they are not.
    pub fn fetch(&self, range: Range<u64>) -> bool {
        let range = range.start.max(self.first)..range.end.min(self.readable());
        if range.is_empty() {
            return false;
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // SAFETY: all of it is readable, so it lies in the mapping.
        return unsafe { self.fetch_readable(range) };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        false
    }

    /// # Safety
    /// The range must be readable.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    unsafe fn fetch_readable(&self, range: Range<u64>) -> bool {
        let page_len = rustix::param::page_size();
        // `readable` never exceeds `reserved`, which was a `usize` when it was mapped.
        let first = self.base.addr().get().wrapping_add(range.start as usize);
        let end = self.base.addr().get().wrapping_add(range.end as usize);
        let mut at = first & !page_len.wrapping_sub(1);
        let mut is_missing = false;
        while at < end {
            let len = end.wrapping_sub(at).min(FETCH_LEN);
            let start = self.base.as_ptr().with_addr(at).cast::<std::ffi::c_void>();
            let mut is_resident = [1_u8; FETCH_LEN / SMALLEST_PAGE as usize];
            // SAFETY: the range begins at a page and lies in the mapping. The array has a byte for
            // each of its pages, which are at least as long as the smallest.
            let failed = unsafe { libc::mincore(start, len, is_resident.as_mut_ptr()) } != 0;
            let pages = len.div_ceil(page_len);
            if !failed && is_resident.iter().take(pages).any(|page| page & 1 == 0) {
                is_missing = true;
                // It is only advice, so a system may refuse it.
                // SAFETY: the advice changes no page, and the range lies in the mapping.
                let _ = unsafe { rustix::mm::madvise(start, len, rustix::mm::Advice::WillNeed) };
            }
            at = at.wrapping_add(FETCH_LEN);
        }
        is_missing
    }

    /// [`fetch`](Self::fetch) for the blocks of 64 bytes at some offsets, which it sorts.
    pub fn fetch_blocks(&self, offsets: &mut [u64]) -> bool {
        offsets.sort_unstable();
        let (mut is_missing, mut last_page) = (false, None);
        for offset in &*offsets {
            let page = offset / SMALLEST_PAGE;
            if last_page.replace(page) != Some(page) {
                is_missing |= self.fetch(*offset..offset.saturating_add(BLOCK_LEN as u64));
            }
        }
        is_missing
    }

    /// Always true: on this system, maps and reads show the same bytes.
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

    /// The payload of a slot of this map as an owned slice that keeps the map alive. `None` if the
    /// slot is of another map.
    #[inline]
    pub fn payload(self: &Arc<Self>, slot: &MappedSlot<'_>) -> Option<MapSlice> {
        let payload = slot.payload();
        let at = payload.as_ptr().addr().checked_sub(self.base.as_ptr().addr())?;
        let is_of_map = at.checked_add(payload.len())? as u64 <= self.reserved;
        let (first, len) = (NonNull::from(payload).cast::<u8>(), payload.len());
        is_of_map.then(|| MapSlice { first, len, map: Arc::clone(self) })
    }

    /// The bytes of `range` as an owned slice that keeps the map alive. `None` if not all of them
    /// are readable.
    #[inline]
    pub fn slice(self: &Arc<Self>, range: Range<u64>) -> Option<MapSlice> {
        let bytes = self.bytes(range)?;
        let (first, len) = (NonNull::from(bytes).cast::<u8>(), bytes.len());
        Some(MapSlice { first, len, map: Arc::clone(self) })
    }
}

/// Asks the processor to fetch the cache line at an address, which need not be valid. Does nothing
/// on processors other than x86-64.
#[inline(always)]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint: it never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
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
    // Systems align maps to pages. Windows aligns them to 64 KiB, the largest alignment of a store.
    #[cfg(unix)]
    if alignment.bytes() > SMALLEST_PAGE {
        return map_aligned(file, len, alignment);
    }
    let _ = alignment;
    let raw = MmapOptions::new().len(len).map_raw_read_only(file)?;
    let base = NonNull::new(raw.as_mut_ptr()).ok_or(io::ErrorKind::OutOfMemory)?;
    Ok((Backing::File(Arc::new(raw)), base))
}

/// Smallest page size of any system, in bytes.
const SMALLEST_PAGE: u64 = 4096;

/// Bytes that [`Map::fetch`] asks for in a call. Linux reads no more than its read-ahead in one.
#[cfg(any(target_os = "linux", target_os = "android"))]
const FETCH_LEN: usize = 128 << 10;

/// Reserves address space for `len` bytes and the alignment, and maps the file at the first aligned
/// address in it.
#[cfg(unix)]
fn map_aligned(
    file: &File,
    len: usize,
    alignment: Alignment,
) -> io::Result<(Backing, NonNull<u8>)> {
    let out_of_memory = || io::Error::from(io::ErrorKind::OutOfMemory);
    let align = usize::try_from(alignment.bytes()).map_err(|_| out_of_memory())?;
    let reserved_len = len.checked_add(align).ok_or_else(out_of_memory)?;
    // A map of the file itself reserves the space. Unlike anonymous memory, it counts neither as
    // data nor as committed memory.
    let region = MmapOptions::new().len(reserved_len).map_raw_read_only(file)?;
    let start = region.as_mut_ptr();
    let padding = start.align_offset(align);
    let base = NonNull::new(start.wrapping_add(padding)).ok_or_else(out_of_memory)?;
    // SAFETY: the padding is less than the alignment, so the new mapping replaces only pages of
    // `region`. Nothing refers to them yet. When `region` is dropped, it unmaps all of its range,
    // whatever is mapped there.
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

/// A block of 64 bytes of a [`Map`], as little-endian numbers.
///
/// For tables in the log, whose bytes may change while they are read. Each number stood there at
/// some time; only a checksum can tell whether the numbers belong together.
///
/// A block that changes only by turning into zeros, from its first byte on or all at once, is
/// easier to judge: if its first number is read last and is not zero, nothing that was read before
/// had changed.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    words: *const u64,
    map: PhantomData<&'a Map>,
}

impl Block<'_> {
    /// Number `at % 8`.
    #[inline]
    pub fn number(self, at: usize) -> u64 {
        let word = self.words.wrapping_add(at % BLOCK_WORDS);
        // SAFETY: the block lies in the readable part of the mapping, which the borrowed map keeps
        // alive, and the pointer is aligned: `Map::block` has checked both. A volatile read copies
        // the bytes: no reference to bytes that may change exists.
        u64::from_le(unsafe { word.read_volatile() })
    }

    /// The first number, read after all that were read before.
    #[inline]
    pub fn first_at_last(self) -> u64 {
        fence(Ordering::Acquire);
        self.number(0)
    }

    /// All numbers. The first one is read last.
    #[inline]
    pub fn numbers(self) -> [u64; BLOCK_WORDS] {
        let mut numbers = std::array::from_fn(|at| self.number(at));
        if let Some(first) = numbers.first_mut() {
            *first = self.first_at_last();
        }
        numbers
    }
}

/// A slot in mapped memory. The payload of an index slot appears empty.
#[derive(Debug, Clone, Copy)]
pub struct MappedSlot<'a> {
    /// Where the slot, and its payload, starts, in bytes.
    pub start: u64,
    /// Where the slot ends, in bytes.
    pub end: u64,
    trailer: WellFormed<'a>,
    /// From the payload, or in an index slot from the key, to the end of the slot.
    bytes: &'a [u8],
}

impl<'a> MappedSlot<'a> {
    /// The trailer.
    #[inline(always)]
    pub fn trailer(&self) -> SealedTrailer {
        self.trailer.decode()
    }

    /// The fields of the trailer. Only those that are used cost anything.
    #[inline(always)]
    pub fn fields(&self) -> Trailer {
        self.trailer().fields
    }

    /// The payload.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        // The bytes of an index slot begin with its key.
        let is_lent = self.trailer.kind() != Kind::Index;
        let len = if is_lent { self.trailer.payload_len() as usize } else { 0 };
        self.bytes.get(..len).unwrap_or_default()
    }

    /// The bytes of the key; for a bare entry, those of its hash.
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        let end = self.bytes.len().wrapping_sub(METADATA_SIZE);
        self.bytes.get(end.wrapping_sub(self.key_len())..end).unwrap_or_default()
    }

    /// Key and trailer, which are adjacent: the bytes against which the seal is checked.
    #[inline]
    pub fn key_and_trailer(&self) -> &'a [u8] {
        let len = self.key_len().wrapping_add(METADATA_SIZE);
        let at = self.bytes.len().saturating_sub(len);
        self.bytes.get(at..).unwrap_or_default()
    }

    /// The bytes between payload and key. They should be zero, which is not checked here. Empty for
    /// an index slot.
    pub fn padding(&self) -> &'a [u8] {
        let end = self.bytes.len().saturating_sub(self.key_and_trailer().len());
        self.bytes.get(self.payload().len()..end).unwrap_or_default()
    }

    #[inline]
    fn key_len(&self) -> usize {
        usize::from(self.trailer.key_len())
    }
}

/// Bytes of a [`Map`] that keep it alive.
#[derive(Clone)]
pub struct MapSlice {
    first: NonNull<u8>,
    len: usize,
    map: Arc<Map>,
}

// SAFETY: it only reads bytes that do not change, in a map that it keeps alive and that is `Send`.
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
        // SAFETY: `Map::slice` took pointer and length from a slice of `self.map`, which is still
        // alive.
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

    /// A map shorter than the header once returned the empty slice at the header's end, which lies
    /// outside the map.
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
