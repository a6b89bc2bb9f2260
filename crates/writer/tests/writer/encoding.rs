//! However a payload reaches the file (gathered, copied in pieces, written directly, or streamed),
//! the bytes are those that the format requires.

use simd_r_drive_entry_handle::{Alignment, Flags, Kind, Layout, Seal, Trailer};
use simd_r_drive_writer::NewEntry;

use crate::support::{empty_log, identity, value};

/// The lengths at which the encoder changes its way, and a few of the format's own.
const BOUNDARIES: [usize; 8] =
    [0, 32, 64, 16 << 10, 128 << 10, 256 << 10, 1 << 20, (1 << 20) + (256 << 10)];

/// One slot after the other, with no thought for speed.
fn naive(layout: &Layout, entries: &[NewEntry<'_>], root: Seal) -> Vec<u8> {
    let mut bytes = vec![0; layout.header_len() as usize];
    let mut predecessor = root;
    for (number, entry) in entries.iter().enumerate() {
        let end =
            bytes.len() as u64 + layout.slot_len(entry.payload.len(), entry.key.len()).unwrap();
        let fields = Trailer {
            payload_len: entry.payload.len() as u64,
            key_len: entry.key.len() as u16,
            previous_end: entry.previous_end,
            kind: entry.kind,
            flags: Flags::NONE
                .with_if(Flags::COMMIT, number + 1 == entries.len())
                .with_if(Flags::BARE_HASH, entry.is_bare)
                .with_if(Flags::REPLACES_LIVE, entry.replaces_live)
                .with_if(Flags::NEW_HASH, entry.is_new_hash),
            written_at: 12_345,
            payload_crc: crc32fast::hash(entry.payload),
        };
        bytes.extend(entry.payload);
        bytes.resize(end as usize, 0);
        let at = end as usize - entry.key.len() - 32;
        let out = &mut bytes[at..];
        predecessor =
            layout.seal_into(out, entry.key, fields, end, predecessor.self_half()).unwrap();
    }
    bytes
}

fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n as u32).wrapping_mul(0x9e37_79b9).to_be_bytes()[0]).collect()
}

fn check(alignment: Alignment, entries: &[NewEntry<'_>]) {
    let lens: Vec<_> = entries.iter().map(|entry| entry.payload.len()).collect();
    let expected =
        naive(&identity(alignment).layout(), entries, Seal(identity(alignment).checksum()));
    let (file, _, mut log) = empty_log(alignment);
    assert_eq!(log.append(entries).unwrap(), expected.len() as u64, "{lens:?}");
    assert!(file.bytes()[..expected.len()] == expected, "appended: {lens:?}");

    let (last, before) = entries.split_last().unwrap();
    if before.iter().all(|entry| entry.payload.is_empty()) {
        let (file, _, mut log) = empty_log(alignment);
        let crc = crc32fast::hash(last.payload);
        let len = last.payload.len() as u64;
        log.append_from(before, last, &mut &last.payload[..], len, Some(crc)).unwrap();
        assert!(file.bytes()[..expected.len()] == expected, "streamed: {lens:?}");
    }
}

fn lens() -> impl Iterator<Item = usize> {
    BOUNDARIES.into_iter().flat_map(|len| len.saturating_sub(1)..=len + 1)
}

#[test]
fn single_entries_around_every_boundary() {
    for alignment in [64, 4096, 65_536].map(|bytes| Alignment::new(bytes).unwrap()) {
        for len in lens() {
            check(alignment, &[value(b"key", &payload(len))]);
        }
    }
}

#[test]
fn batches_that_mix_small_and_large() {
    let small = payload(100);
    for len in lens() {
        let large = payload(len);
        let entry = value(b"large", &large);
        let little = NewEntry {
            previous_end: 1 << 40,
            replaces_live: true,
            is_new_hash: true,
            ..value(b"", &small)
        };
        let bare = NewEntry { is_bare: true, ..value(b"8 bytes.", &small) };
        let tombstone = NewEntry { kind: Kind::Tombstone, ..value(b"gone", b"") };
        for entries in [
            [tombstone, tombstone, entry],
            [little, entry, bare],
            [entry, little, tombstone],
            [entry, entry, entry],
        ] {
            check(Alignment::DEFAULT, &entries);
        }
    }
}

/// The buffer is written when the next slot does not fit, so the last slot in it may end at any
/// distance from its end.
#[test]
fn small_entries_across_the_buffers_end() {
    for len in [1000, 16 << 10, (16 << 10) + 1, 120_000] {
        let payload = payload(len);
        let entry = value(b"key", &payload);
        for spare in [0, 64, 1000] {
            let first = vec![1; spare];
            let mut entries = vec![value(b"first", &first)];
            entries.resize(2 + (1 << 20) / len, entry);
            check(Alignment::DEFAULT, &entries);
        }
    }
}

#[test]
fn the_longest_key_fits() {
    let key = vec![b'k'; usize::from(u16::MAX)];
    for len in [0, 1, 128 << 10, 1 << 20] {
        check(Alignment::DEFAULT, &[value(&key, &payload(len))]);
    }
}
