//! Tests of what finding the tail costs, and that only genuine slots move it.

use std::sync::atomic::{AtomicU64, Ordering};

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{
    Alignment, Barrier, Flags, IdentitySeeds, Kind, Map, SealedTrailer, Trailer,
};
use simd_r_drive_writer::FileKey;

use super::scan::{ZEROS_LEN, last_set};
use super::*;

/// A file in memory that counts the bytes read.
#[derive(Debug, Default)]
struct MemoryFile {
    bytes: Vec<u8>,
    bytes_read: AtomicU64,
}

impl StoreFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        self.bytes_read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self, _: Alignment, _: u64, _: u64) -> io::Result<Map> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }

    fn key(&self) -> io::Result<FileKey> {
        Ok(FileKey { device: 0, inode: 0 })
    }
}

/// A log built in memory.
struct Log {
    identity: Identity,
    layout: Layout,
    file: MemoryFile,
    tail: LogPosition,
}

impl Log {
    fn new() -> Self {
        let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
        let identity = Identity::new(seeds, Alignment::DEFAULT, 0, 0);
        let layout = identity.layout();
        let mut file = MemoryFile::default();
        file.bytes.extend(identity.encode());
        file.bytes.resize(layout.header_len() as usize, 0);
        let tail = LogPosition { end: layout.header_len(), seal: Seal(identity.checksum()) };
        Self { identity, layout, file, tail }
    }

    fn push(&mut self, kind: Kind, payload: &[u8]) {
        let end = self.tail.end + self.layout.slot_len(payload.len(), 0).unwrap();
        let fields = Trailer {
            payload_len: payload.len() as u64,
            key_len: 0,
            previous_end: 0,
            kind,
            flags: Flags::COMMIT,
            written_at: 0,
            payload_crc: crc32fast::hash(payload),
        };
        self.file.bytes.extend(payload);
        self.file.bytes.resize(end as usize, 0);
        let at = end as usize - METADATA_SIZE;
        let predecessor = self.tail.seal.self_half();
        let out = &mut self.file.bytes[at..];
        let seal = self.layout.seal_into(out, b"", fields, end, predecessor).unwrap();
        self.tail = LogPosition { end, seal };
    }

    fn push_barrier(&mut self) {
        let LogPosition { end, seal } = self.tail;
        let barrier = Barrier { durable_tail: end, durable_seal: seal.0, ..Barrier::default() };
        self.push(Kind::Barrier, &barrier.encode());
    }

    fn find_tail(&self) -> LogBounds {
        find_tail(&self.file, &self.identity, &[], self.file.bytes.len() as u64, false, &mut |_| {})
            .unwrap()
    }
}

/// Each block claims to end a slot with a long key that starts where the log ends. A reader that
/// refills its window for each claim would read the same bytes thousands of times.
#[test]
fn false_claims_are_rejected_at_the_price_of_one_pass() {
    const KEY_LEN: u16 = 256;
    let mut log = Log::new();
    log.push(Kind::Value, b"value");
    let region = 3 << 20;
    let start = log.tail.end;
    for block in 1..=region / 64 {
        let end = start + block * 64;
        let fields = Trailer {
            payload_len: (end - start).saturating_sub(u64::from(KEY_LEN) + 32),
            key_len: KEY_LEN,
            previous_end: 0,
            kind: Kind::Value,
            flags: Flags::COMMIT,
            written_at: 0,
            payload_crc: 0,
        };
        log.file.bytes.extend([b'.'; 32]);
        let trailer = SealedTrailer { fields, self_half: 1, link: u32::MAX };
        log.file.bytes.extend(trailer.encode());
    }
    let found = log.find_tail();
    assert_eq!(found.tail, log.tail);
    assert_eq!(found.data_end, start + region);
    let bytes_read = log.file.bytes_read.into_inner();
    assert!(bytes_read < 8 * region, "{bytes_read} bytes were read to search {region}");
}

#[test]
fn what_lies_before_the_newest_barrier_takes_no_memory() {
    let mut log = Log::new();
    for _ in 0..20 {
        for _ in 0..50 {
            log.push(Kind::Value, b"value");
        }
        log.push_barrier();
    }
    let len = log.file.bytes.len() as u64;
    let found = scan(&log.file, &log.layout, log.layout.header_len(), len, WalkFrom::NewestBarrier)
        .unwrap();
    assert_eq!(found.candidates.len(), 1, "the barrier alone stands beyond its durable point");
    assert_eq!(log.find_tail().tail, log.tail);
}

#[test]
fn a_durable_point_where_no_slot_can_end_used_to_underflow_a_read_only_open() {
    let mut log = Log::new();
    log.push(Kind::Value, b"value");
    let root = log.layout.header_len();
    for durable_tail in [0, 5, root - 64, root + 1, log.tail.end - 1] {
        let checkpoint = Checkpoint {
            sequence: 0,
            durable_tail,
            durable_seal: 1,
            barrier_end: 0,
            is_clean: true,
            is_copying: false,
        };
        let len = log.file.bytes.len() as u64;
        let find = |tolerate| {
            find_tail(&log.file, &log.identity, &[checkpoint], len, tolerate, &mut |_| {})
        };
        assert!(is_format_error(&find(false).unwrap_err()), "{durable_tail}");
        // An open that tolerates damage ignores it.
        assert_eq!(find(true).unwrap().tail, log.tail, "{durable_tail}");
    }
}

/// Anyone who knows the secret of a file can seal what no writer would.
#[test]
fn barriers_that_lag_far_behind_used_to_take_quadratic_time() {
    let mut log = Log::new();
    let root = log.tail.end;
    for number in 0..(4 << 20) / 64 {
        let durable_tail = root + number / 2 * 64;
        let barrier = Barrier { durable_tail, ..Barrier::default() };
        log.push(Kind::Barrier, &barrier.encode());
    }
    let len = log.file.bytes.len() as u64;
    let found = scan(&log.file, &log.layout, root, len, WalkFrom::NewestBarrier).unwrap();
    assert_eq!(found.newest_barrier.unwrap().durable.end, root + (2 << 20) - 64);
    assert_eq!(found.candidates.len(), (2 << 20) / 64 + 1);
}

/// All slots start where the log ends, follow it, and are sealed. None has the payload it claims.
#[test]
fn sealed_slots_with_wrong_payloads_used_to_be_read_in_quadratic_time() {
    let mut log = Log::new();
    log.push(Kind::Value, b"value");
    let region = 4 << 20;
    let start = log.tail.end;
    for block in 1..=region / 64 {
        let end = start + block * 64;
        let fields = Trailer {
            payload_len: end - start - 32,
            key_len: 0,
            previous_end: 0,
            kind: Kind::Value,
            flags: Flags::COMMIT,
            written_at: 0,
            payload_crc: 1,
        };
        log.file.bytes.resize(end as usize, 0);
        let out = &mut log.file.bytes[end as usize - METADATA_SIZE..];
        log.layout.seal_into(out, b"", fields, end, log.tail.seal.self_half()).unwrap();
    }
    let len = log.file.bytes.len() as u64;
    let result = find_tail(&log.file, &log.identity, &[], len, false, &mut |_| {});
    assert!(is_format_error(&result.unwrap_err()));
    let bytes_read = log.file.bytes_read.into_inner();
    assert!(bytes_read < 32 * region, "{bytes_read} bytes were read to search {region}");
}

#[test]
fn the_last_byte_that_is_set_is_found_wherever_it_stands() {
    for len in [0, 1, ZEROS_LEN - 1, ZEROS_LEN, ZEROS_LEN + 1, 3 * ZEROS_LEN + 7] {
        let mut bytes = vec![0; len];
        assert_eq!(last_set(&bytes), None);
        for at in 0..len {
            bytes[at] = 128;
            assert_eq!(last_set(&bytes), Some(at), "{len}");
        }
    }
}

/// A barrier came with an interrupted copy, but an older slot that it vouches for did not.
#[test]
fn barriers_that_were_copied_are_not_believed_while_the_copy_is_incomplete() {
    let mut log = Log::new();
    log.push(Kind::Value, b"old");
    let old = log.tail;
    log.push(Kind::Value, b"lost");
    let lost = old.end as usize..log.tail.end as usize;
    log.push(Kind::Value, b"new");
    log.push_barrier();
    let checkpoint = |sequence, is_copying| Checkpoint {
        sequence,
        durable_tail: old.end,
        durable_seal: old.seal.0,
        barrier_end: 0,
        is_clean: false,
        is_copying,
    };
    let len = log.file.bytes.len() as u64;
    let find = |log: &Log, checkpoints: &[Checkpoint]| {
        find_tail(&log.file, &log.identity, checkpoints, len, false, &mut |_| {}).unwrap()
    };
    let copying = [checkpoint(2, true), checkpoint(1, true)];
    let found = find(&log, &copying);
    assert_eq!((found.durable, found.tail), (old, log.tail), "nothing is lost");

    log.file.bytes[lost].fill(0);
    let found = find(&log, &copying);
    assert_eq!((found.durable, found.tail, found.data_end), (old, old, len));
    // The newest checkpoint counts: that of a complete copy is newer than all those written on the
    // way.
    assert!(find(&log, &[checkpoint(3, false), checkpoint(2, true)]).durable.end > old.end);
}
