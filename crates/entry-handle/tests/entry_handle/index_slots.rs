//! The payload of an index slot is filled, and later replaced by zeros, while the slot can be read.

use std::sync::Arc;

use simd_r_drive_entry_handle::constants::METADATA_SIZE;
use simd_r_drive_entry_handle::{
    Alignment, EntryHandle, Flags, Identity, IdentitySeeds, Kind, Map, Trailer, verify_slot,
};

/// A mapped index slot had no payload, but a handle to it once did: a slice of bytes that may
/// change.
#[test]
fn a_handle_to_an_index_slot_is_empty() {
    let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
    let layout = Identity::new(seeds, Alignment::DEFAULT, 0, 0).layout();
    let start = layout.header_len();
    for (kind, lent) in [(Kind::Index, 0), (Kind::Value, 100)] {
        let end = start + layout.slot_len(100, 0).unwrap();
        let mut bytes = vec![7; end as usize];
        let fields = Trailer {
            payload_len: 100,
            key_len: 0,
            previous_end: 0,
            kind,
            flags: Flags::COMMIT.with_if(Flags::OPAQUE, true),
            written_at: 0,
            payload_crc: 0,
        };
        let at = end as usize - METADATA_SIZE;
        layout.seal_into(&mut bytes[at..], b"", fields, end, layout.root()).unwrap();
        let map = Arc::new(Map::anonymous(&bytes).unwrap());
        let handle = EntryHandle::from_map(&map, end, 0).unwrap();
        assert_eq!((handle.len(), handle.slot_end()), (lent, end), "{kind:?}");
        verify_slot(&map.slot(end).unwrap(), &layout).unwrap();
    }
}
