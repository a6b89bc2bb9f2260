//! The hardware floor: an array of index slots in memory, then the entry in a mapped file, with its key compared.
//! It checks nothing, recovers nothing, and cannot delete. What it takes is what the memory takes.
#![expect(unsafe_code, reason = "maps a file, and prefetches")]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, RwLock};

use memmap2::{Mmap, MmapOptions};
use rustix::fs::{FallocateFlags, fallocate};
use xxhash_rust::xxh3::xxh3_64;

use crate::store::{Calls, Kind, Profile, Reader, Result, Store, Workload, unsupported};

/// Bytes that are allocated, and mapped, at a time.
const STEP: u64 = 256 << 20;

/// Address space of the map. Its pages are touched only where the file is.
const MAP_LEN: usize = 64 << 30;

/// Bytes that one write takes, at most.
const WRITE_LEN: usize = 1 << 20;

/// Before each entry: lengths of its key and of its value.
const HEADER_LEN: usize = 8;

/// Where entries start.
const ALIGNMENT: usize = 64;

#[derive(Clone, Copy, Default)]
struct Slot {
    hash: u64,
    /// Place of the entry plus one. Zero is an empty slot.
    place: u64,
}

/// Open addressing with linear probing, at most half full.
#[derive(Default)]
struct Index {
    slots: Vec<Slot>,
    len: usize,
}

impl Index {
    #[inline]
    fn first(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn insert(&mut self, map: &[u8], key: &[u8], hash: u64, place: u64) {
        if self.len * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = self.first(hash);
        loop {
            let slot = &mut self.slots[at];
            if slot.place == 0 {
                *slot = Slot { hash, place: place + 1 };
                self.len += 1;
                return;
            }
            if slot.hash == hash && entry(map, slot.place - 1).0 == key {
                slot.place = place + 1;
                return;
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![Slot::default(); (old.len() * 2).max(1024)];
        let mask = self.slots.len() - 1;
        for slot in old.into_iter().filter(|slot| slot.place != 0) {
            let mut at = self.first(slot.hash);
            while self.slots[at].place != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }

    #[inline]
    fn find<'a>(&self, map: &'a [u8], key: &[u8], hash: u64) -> Option<&'a [u8]> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let mut at = self.first(hash);
        loop {
            let slot = self.slots[at];
            if slot.place == 0 {
                return None;
            }
            if slot.hash == hash {
                let (found, value) = entry(map, slot.place - 1);
                if found == key {
                    return Some(value);
                }
            }
            at = (at + 1) & mask;
        }
    }
}

/// Key and value of the entry at `place`.
#[inline]
fn entry(map: &[u8], place: u64) -> (&[u8], &[u8]) {
    let bytes = &map[place as usize..];
    let (header, bytes) = bytes.split_first_chunk::<HEADER_LEN>().expect("a whole entry");
    let lens = u64::from_le_bytes(*header);
    let (key_len, value_len) = ((lens >> 32) as usize, (lens & 0xffff_ffff) as usize);
    (&bytes[..key_len], &bytes[key_len..key_len + value_len])
}

#[inline]
fn prefetch<T>(target: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which cannot fault whatever the address is.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(target).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = target;
}

struct Tail {
    file: File,
    len: u64,
    allocated: u64,
    entries: usize,
    buffer: Vec<u8>,
}

impl Tail {
    fn write_out(&mut self) -> Result<()> {
        let end = self.len + self.buffer.len() as u64;
        while end > self.allocated {
            fallocate(&self.file, FallocateFlags::empty(), self.allocated, STEP)?;
            self.allocated += STEP;
        }
        self.file.write_all_at(&self.buffer, self.len)?;
        self.len = end;
        self.buffer.clear();
        Ok(())
    }

    /// The place of the entry. It is in the file once the buffer is written out.
    fn append(&mut self, key: &[u8], value: &[u8]) -> Result<u64> {
        if self.buffer.len() + HEADER_LEN + key.len() + value.len() > WRITE_LEN {
            self.write_out()?;
        }
        let place = self.len + self.buffer.len() as u64;
        let lens = (key.len() as u64) << 32 | value.len() as u64;
        self.buffer.extend_from_slice(&lens.to_le_bytes());
        self.buffer.extend_from_slice(key);
        self.buffer.extend_from_slice(value);
        self.entries += 1;
        self.buffer.resize(self.buffer.len().next_multiple_of(ALIGNMENT), 0);
        Ok(place)
    }
}

pub struct Floor {
    index: RwLock<Index>,
    tail: Mutex<Tail>,
    map: Mmap,
}

const POISONED: &str = "no thread panics while it holds the lock";

impl Store for Floor {
    const PROFILE: Profile = Profile {
        name: "hardware floor",
        package: "memmap2",
        kind: Kind::Floor,
        settings: "16-byte index slots in memory, entries aligned to 64 bytes in a mapped file that is written in \
            pieces of at most 1 MiB into allocated space; no checks, no recovery",
        calls: Calls {
            put: "one `pwrite`",
            put_batch: "`pwrite` of at most 1 MiB",
            put_durably: "`pwrite`, `fdatasync`",
            get: "slot, then entry",
            reader: "slot, then entry, one lock for all",
            contains: "slot, then key",
            get_batch: "slot and entry, prefetched",
            scan: "the file, front to back",
            settle: "nothing",
            compact: "nothing",
        },
    };

    type Reader<'a> = FloorReader<'a>;

    fn open(directory: &Path, _workload: Workload) -> Result<Self> {
        let path = directory.join("floor.bin");
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        // SAFETY: only this store writes to the file, beyond what is read, and never cuts it.
        let map = unsafe { MmapOptions::new().len(MAP_LEN).map(&file)? };
        let tail = Tail { file, len: 0, allocated: 0, entries: 0, buffer: Vec::new() };
        Ok(Self { index: RwLock::default(), tail: Mutex::new(tail), map })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_batch(&[(key, value)])
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let mut tail = self.tail.lock().expect(POISONED);
        let mut places = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            places.push(tail.append(key, value)?);
        }
        tail.write_out()?;
        let mut index = self.index.write().expect(POISONED);
        for ((key, _), place) in entries.iter().zip(places) {
            index.insert(&self.map, key, xxh3_64(key), place);
        }
        Ok(())
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)?;
        self.sync()
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let index = self.index.read().expect(POISONED);
        Ok(look(index.find(&self.map, key, xxh3_64(key))))
    }

    fn view<T>(&self, act: impl FnOnce(FloorReader<'_>) -> Result<T>) -> Result<T> {
        act(FloorReader { index: self.index.read().expect(POISONED), map: &self.map })
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        Store::get(self, key, |value| value.is_some())
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let index = self.index.read().expect(POISONED);
        if index.slots.is_empty() {
            (0..keys.len()).for_each(|place| look(place, None));
            return Ok(());
        }
        for (first, keys) in (0..).step_by(32).zip(keys.chunks(32)) {
            let mut hashes = [0; 32];
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = xxh3_64(key);
                prefetch(&index.slots[index.first(*hash)]);
            }
            for hash in &hashes[..keys.len()] {
                let slot = index.slots[index.first(*hash)];
                prefetch(&self.map[slot.place.saturating_sub(1) as usize]);
            }
            for (place, (key, hash)) in keys.iter().zip(&hashes).enumerate() {
                look(first + place, index.find(&self.map, key, *hash));
            }
        }
        Ok(())
    }

    fn delete(&self, _key: &[u8]) -> Result<()> {
        unsupported("cannot delete")
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        let tail = self.tail.lock().expect(POISONED);
        let index = self.index.read().expect(POISONED);
        let has_dead = tail.entries != index.len;
        let mut place = 0;
        while place < tail.len {
            let (key, value) = entry(&self.map, place);
            let next = place as usize + HEADER_LEN + key.len() + value.len();
            let is_live = !has_dead
                || index
                    .find(&self.map, key, xxh3_64(key))
                    .is_some_and(|found| std::ptr::eq(found.as_ptr(), value.as_ptr()));
            if is_live {
                look(value);
            }
            place = next.next_multiple_of(ALIGNMENT) as u64;
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.tail.lock().expect(POISONED).file.sync_data()?)
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        unsupported("cannot compact")
    }

    fn close(self) -> Result<()> {
        unsupported("its index is lost with the process")
    }
}

pub struct FloorReader<'a> {
    index: std::sync::RwLockReadGuard<'a, Index>,
    map: &'a Mmap,
}

impl Reader for FloorReader<'_> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        Ok(look(self.index.find(self.map, key, xxh3_64(key))))
    }
}
