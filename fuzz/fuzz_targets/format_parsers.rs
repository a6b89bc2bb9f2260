//! Parsers of the format are total, and what they accept is encoded to the same bytes again.

#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use simd_r_drive_entry_handle::constants::{METADATA_SIZE, PAGE_SIZE};
use simd_r_drive_entry_handle::{
    Alignment, Barrier, Checkpoint, EntryHandle, FORMAT_MAJOR, Flags, Foreign, Identity, Kind,
    LogCursor, MAGIC, Map, PublishedTail, SealedTrailer, Trailer, compute_hash, is_older_format,
    verify_slot,
};
use simd_r_drive_fuzz::image;
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Page(&'a [u8]),
    /// A page with the right magic, version and checksums.
    SoundPage {
        version: Option<u16>,
        align_log2: u8,
        fields: &'a [u8],
    },
    Trailer([u8; METADATA_SIZE]),
    Records(&'a [u8]),
    Log(&'a [u8]),
    /// A log of sealed slots.
    SealedLog {
        align_log2: u8,
        slots: Vec<Slot<'a>>,
    },
    OlderFormat {
        len: u64,
        bytes: &'a [u8],
    },
    Sizes {
        alignment: u64,
        offset: u64,
        payload_len: u64,
        key_len: u16,
    },
}

#[derive(Debug, Arbitrary)]
struct Slot<'a> {
    payload: &'a [u8],
    key: &'a [u8],
    kind: u8,
    flags: u8,
    previous_end: u64,
    payload_len: Option<u64>,
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Page(page) => pages(page),
        Input::SoundPage { version, align_log2, fields } => {
            sound_page(version, align_log2, fields);
        }
        Input::Trailer(bytes) => {
            if let Some(trailer) = SealedTrailer::decode(&bytes) {
                assert_eq!(trailer.encode(), bytes);
            }
        }
        Input::Records(bytes) => {
            if let Some(barrier) = Barrier::decode(bytes) {
                assert_eq!(barrier.encode(), bytes);
            }
            if let Some(tail) = PublishedTail::decode(bytes) {
                assert_eq!(tail.encode(), bytes[..PublishedTail::LEN]);
            }
            let _ = Foreign::guess(bytes).to_string();
        }
        Input::Log(bytes) => {
            let mut log = vec![0; 16 << 10];
            log.extend(bytes);
            walk(Alignment::DEFAULT, &log);
        }
        Input::SealedLog { align_log2, slots } => sealed_log(align_log2, &slots),
        Input::OlderFormat { len, bytes } => {
            let mut read = 0;
            is_older_format(len, |offset, len| {
                read += len;
                let start = usize::try_from(offset).ok()?;
                bytes.get(start..start.checked_add(len)?).map(<[u8]>::to_vec)
            });
            assert!(read <= 16 << 20, "recognising a file must not read all of it");
        }
        Input::Sizes { alignment, offset, payload_len, key_len } => {
            sizes(alignment, offset, payload_len, key_len);
        }
    }
});

fn pages(page: &[u8]) {
    let _ = Identity::claimed_version(page);
    if let Ok(Some(identity)) = Identity::decode(page) {
        let encoded = identity.encode();
        let fields = encoded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        assert_eq!(encoded[..fields], page[..fields], "an identity changes when it is copied");
        assert_eq!(Identity::decode(&encoded), Ok(Some(identity.clone())));
        if let Some(checkpoint) = Checkpoint::decode(page, &identity) {
            let encoded = checkpoint.encode(&identity);
            assert_eq!(encoded[128..176], page[128..176]);
            assert_eq!(Checkpoint::decode(&encoded, &identity), Some(checkpoint));
        }
    }
    let _ = Checkpoint::decode(page, &image::identity(Alignment::DEFAULT));
    let _ = PublishedTail::decode(page);
}

fn sound_page(version: Option<u16>, align_log2: u8, fields: &[u8]) {
    let mut page = fields.to_vec();
    page.resize(PAGE_SIZE, 0);
    page[..16].copy_from_slice(&MAGIC);
    page[16..18].copy_from_slice(&version.unwrap_or(FORMAT_MAJOR).to_le_bytes());
    page[20] = align_log2;
    if version.is_none() {
        page[24..32].fill(0);
    }
    let check = compute_hash(&page[..112]);
    page[112..120].copy_from_slice(&check.to_le_bytes());
    let checkpoint = xxh3_64_with_seed(&page[128..168], check);
    page[168..176].copy_from_slice(&checkpoint.to_le_bytes());
    pages(&page);
}

fn sealed_log(align_log2: u8, slots: &[Slot<'_>]) {
    let log2 = Alignment::DEFAULT.log2() + align_log2 % 11;
    let alignment = Alignment::from_log2(log2).expect("6 to 16");
    let identity = image::identity(alignment);
    let layout = identity.layout();
    let mut log = vec![0; layout.header_len() as usize];
    let mut predecessor = layout.root();
    for slot in slots.iter().take(64) {
        let Ok(len) = layout.slot_len(slot.payload.len(), slot.key.len()) else { return };
        let start = log.len();
        let end = start + len as usize;
        log.extend(slot.payload);
        log.resize(end, 0);
        let fields = Trailer {
            payload_len: slot.payload_len.unwrap_or(slot.payload.len() as u64),
            key_len: slot.key.len() as u16,
            previous_end: slot.previous_end,
            kind: [Kind::Value, Kind::Tombstone, Kind::Barrier, Kind::Index]
                [usize::from(slot.kind % 4)],
            flags: Flags::NONE
                .with_if(Flags::COMMIT, slot.flags & 1 != 0)
                .with_if(Flags::BARE_HASH, slot.flags & 2 != 0)
                .with_if(Flags::OPAQUE, slot.flags & 4 != 0)
                .with_if(Flags::REPLACES_LIVE, slot.flags & 8 != 0),
            written_at: slot.previous_end,
            payload_crc: crc32fast::hash(slot.payload),
        };
        let at = end - slot.key.len() - METADATA_SIZE;
        let seal = layout
            .seal_into(&mut log[at..], slot.key, fields, end as u64, predecessor)
            .expect("the key fits");
        predecessor = seal.self_half();
    }
    walk(alignment, &log);
}

/// Walks the log from every place where a slot may end.
fn walk(alignment: Alignment, log: &[u8]) {
    let identity = image::identity(alignment);
    let layout = identity.layout();
    let map = Arc::new(Map::anonymous(log).expect("enough memory"));
    let step = alignment.bytes() as usize;
    let ends: Vec<u64> = (0..=log.len()).step_by(step).map(|end| end as u64).collect();
    for end in ends.iter().rev().take(256).copied().chain([u64::MAX, u64::MAX - 63, 31]) {
        let mut cursor = LogCursor::new(log, layout, end, None);
        let mut position = end;
        while let Ok(Some(slot)) = cursor.previous() {
            assert!(slot.start < position && slot.end == position);
            assert!(slot.start >= layout.header_len() && alignment.is_aligned(slot.start));
            assert_eq!(slot.key.len(), usize::from(slot.trailer.key_len));
            position = slot.start;
        }
        assert_eq!(cursor.position(), position);

        map.prefetch_trailer(end);
        let Ok(slot) = map.slot(end) else { continue };
        assert_eq!(slot.key().len(), usize::from(slot.fields().key_len));
        if slot.fields().kind == Kind::Index {
            // The payload may change, so no slice of it may exist.
            assert!(slot.payload().is_empty() && slot.padding().is_empty());
        } else {
            assert_eq!(slot.payload().len() as u64, slot.fields().payload_len);
            let len = slot.payload().len() + slot.padding().len() + slot.key_and_trailer().len();
            assert_eq!(len as u64, slot.end - slot.start);
        }
        let handle = EntryHandle::from_map(&map, end, 0).expect("the slot is there");
        assert_eq!(&*handle, slot.payload());
        assert_eq!(handle.verify(&layout).is_ok(), verify_slot(&slot, &layout).is_ok());
        let _ = (handle.key(), handle.written_at(), handle.previous_version_end());
    }
}

fn sizes(alignment: u64, offset: u64, payload_len: u64, key_len: u16) {
    let Ok(alignment) = Alignment::new(alignment) else { return };
    assert!(alignment.round_down(offset) <= offset);
    assert!(alignment.round_up(offset).is_none_or(|up| up >= offset));
    if let Some(len) = alignment.slot_len(payload_len, key_len) {
        assert!(alignment.is_aligned(len) && len > payload_len + u64::from(key_len));
    }
}
