//! Parsing ends with an answer or an error, whatever is in the file.

use proptest::collection::vec;
use proptest::prelude::*;
use simd_r_drive_entry_handle::{
    Alignment, Barrier, Checkpoint, Flags, Foreign, FormatError, Identity, IdentitySeeds, Kind,
    Layout, LogCursor, Map, PublishedTail, Trailer, is_older_format, read_slot,
};

fn identity(alignment: Alignment) -> Identity {
    let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
    Identity::new(seeds, alignment, 0, 0)
}

/// Bytes that sometimes look like slots: blocks whose last 32 bytes have the form of a trailer.
fn blocks() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![
        Just([0; 64]),
        any::<[u8; 64]>(),
        (any::<[u8; 32]>(), 0..600_u64, 0..100_u16, any::<u32>(), 1..=4_u8, 0..16_u8).prop_map(
            |(head, payload_len, key_len, link, kind, flags)| {
                let mut block = [0; 64];
                block[..32].copy_from_slice(&head);
                block[32..40]
                    .copy_from_slice(&(payload_len | u64::from(key_len) << 48).to_le_bytes());
                (block[45], block[46]) = (kind, flags);
                block[60..].copy_from_slice(&link.to_le_bytes());
                block
            }
        ),
    ];
    vec(block, 0..40).prop_map(|blocks| blocks.concat())
}

/// A log of a few genuine slots, and their ends.
fn genuine_log(layout: &Layout, payload_lens: &[usize]) -> (Vec<u8>, Vec<u64>) {
    let mut bytes = vec![0; layout.header_len() as usize];
    let mut ends = Vec::new();
    let mut predecessor = layout.root();
    for (number, payload_len) in payload_lens.iter().enumerate() {
        let key = vec![b'k'; number * 7 % 50];
        let payload = vec![number as u8; *payload_len];
        let end = bytes.len() as u64 + layout.slot_len(payload.len(), key.len()).unwrap();
        let fields = Trailer {
            payload_len: payload.len() as u64,
            key_len: key.len() as u16,
            previous_end: 0,
            kind: Kind::Value,
            flags: Flags::COMMIT,
            written_at: 9,
            payload_crc: crc32fast::hash(&payload),
        };
        bytes.extend(payload);
        bytes.resize(end as usize, 0);
        let at = end as usize - key.len() - 32;
        let seal = layout.seal_into(&mut bytes[at..], &key, fields, end, predecessor).unwrap();
        predecessor = seal.self_half();
        ends.push(end);
    }
    (bytes, ends)
}

/// Walks until the end or the first error; returns the ends visited.
fn walk(bytes: &[u8], layout: Layout, end: u64) -> (Vec<u64>, Option<std::io::Error>) {
    let mut cursor = LogCursor::new(bytes, layout, end, None);
    let mut ends = Vec::new();
    loop {
        let before = cursor.position();
        match cursor.previous() {
            Ok(Some(slot)) => {
                assert!(slot.start < slot.end && slot.end == before);
                ends.push(slot.end);
                let start = slot.start;
                assert_eq!(cursor.position(), start);
            }
            Ok(None) => return (ends, None),
            Err(error) => {
                assert_eq!(cursor.position(), before, "the cursor moved past an error");
                assert!(cursor.previous().is_err());
                return (ends, Some(error));
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_log(bytes in blocks(), log2 in 6..=16_u8, end: u64) {
        let layout = identity(Alignment::from_log2(log2).unwrap()).layout();
        let mut file = vec![0; layout.header_len() as usize];
        file.extend(bytes);
        let len = file.len() as u64;
        for end in [end, len, len & !63, len.saturating_sub(32), layout.header_len(), 0] {
            let (ends, error) = walk(&file, layout, end);
            prop_assert!(ends.is_empty());
            prop_assert_eq!(error.is_none(), end == layout.header_len());
            prop_assert!(read_slot(&mut &file[..], &layout, end).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_have_no_slot_beyond_them_in_a_map(bytes in blocks(), end: u64) {
        let mut file = vec![0; 16 << 10];
        file.extend(bytes);
        let map = Map::anonymous(&file).unwrap();
        let len = file.len() as u64;
        prop_assert!(map.slot(end | 1).is_err(), "not a boundary");
        for end in (0..=len + 64).step_by(32).chain([end, u64::MAX]) {
            if let Ok(slot) = map.slot(end) {
                prop_assert!(slot.start >= 16 << 10 && slot.end <= len);
                prop_assert_eq!(slot.key().len(), usize::from(slot.fields().key_len));
                if slot.fields().kind == Kind::Index {
                    // Its payload may change, so no slice of it may exist.
                    prop_assert!(slot.payload().is_empty() && slot.padding().is_empty());
                    continue;
                }
                prop_assert_eq!(slot.payload().len() as u64, slot.fields().payload_len);
                let parts = slot.payload().len() + slot.padding().len() + slot.key().len() + 32;
                prop_assert_eq!(parts as u64, slot.end - slot.start);
                prop_assert_eq!(slot.key_and_trailer().len(), slot.key().len() + 32);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_header(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Identity::decode(&bytes), Ok(None));
        prop_assert_eq!(Checkpoint::decode(&bytes, &identity(Alignment::DEFAULT)), None);
        let _ = PublishedTail::decode(&bytes);
        let _ = Barrier::decode(&bytes);
        let _ = Foreign::guess(&bytes);
        let _ = Identity::claimed_version(&bytes);
    }

    #[test]
    fn arbitrary_bytes_are_no_older_store(bytes in blocks(), len: u64) {
        let read = |at: u64, len: usize| {
            let start = usize::try_from(at).ok()?;
            bytes.get(start..start.checked_add(len)?).map(<[u8]>::to_vec)
        };
        let _ = is_older_format(len, read);
        let _ = is_older_format(bytes.len() as u64, read);
    }

    /// The cursor finds a changed byte in a key or a trailer, at its slot. It does not read other
    /// bytes.
    #[test]
    fn a_changed_byte_ends_the_walk_at_its_slot(
        payload_lens in vec(0..200_usize, 1..8),
        at: prop::sample::Index,
        change in 1..=255_u8,
        log2 in 6..=12_u8,
    ) {
        let layout = identity(Alignment::from_log2(log2).unwrap()).layout();
        let (mut bytes, ends) = genuine_log(&layout, &payload_lens);
        let tail = *ends.last().unwrap();
        let newest_first: Vec<_> = ends.iter().rev().copied().collect();
        let (visited, error) = walk(&bytes, layout, tail);
        prop_assert!(error.is_none());
        prop_assert_eq!(&visited, &newest_first);

        let header_len = layout.header_len() as usize;
        let at = header_len + at.index(bytes.len() - header_len);
        bytes[at] ^= change;
        let owner = *ends.iter().find(|end| **end > at as u64).unwrap();
        let number = ends.iter().position(|end| *end == owner).unwrap();
        let key_len = number * 7 % 50;
        let is_sealed = at >= owner as usize - 32 - key_len;
        let (visited, error) = walk(&bytes, layout, tail);
        if !is_sealed {
            prop_assert!(error.is_none());
            prop_assert_eq!(visited, newest_first);
            return Ok(());
        }
        // If only the link of a slot has changed, that slot is accepted and the one before it is
        // refused.
        let error = error.unwrap();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<FormatError>());
        prop_assert!(matches!(inner, Some(FormatError::Damaged { .. })), "{}", error);
        let newer = newest_first.iter().take_while(|end| **end > owner).count();
        let is_in_link = at >= owner as usize - 4;
        prop_assert_eq!(visited.len(), newer + usize::from(is_in_link));
        prop_assert!(newest_first.starts_with(&visited));
    }
}
