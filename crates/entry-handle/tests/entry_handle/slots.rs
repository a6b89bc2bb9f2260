//! Slot arithmetic, compared with the same arithmetic in integers that cannot overflow.

use proptest::prelude::*;
use simd_r_drive_entry_handle::constants::{MAX_FILE_LEN, METADATA_SIZE};
use simd_r_drive_entry_handle::{
    Alignment, Flags, Identity, IdentitySeeds, Kind, SealedTrailer, Trailer,
};

fn alignment() -> impl Strategy<Value = Alignment> {
    (6..=16_u8).prop_map(|log2| Alignment::from_log2(log2).unwrap())
}

/// Lengths: small ones, huge ones, and some near powers of two.
fn len() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..100_000_u64,
        any::<u64>(),
        (0..64_u32, -70_000..70_000_i64)
            .prop_map(|(log2, near)| (1_u64 << log2).wrapping_add_signed(near)),
    ]
}

fn model_slot_len(alignment: Alignment, payload_len: u64, key_len: u16) -> Option<u64> {
    let unit = u128::from(alignment.bytes());
    let len = u128::from(payload_len) + u128::from(key_len) + METADATA_SIZE as u128;
    let len = len.div_ceil(unit) * unit;
    u64::try_from(len).ok().filter(|len| *len <= MAX_FILE_LEN)
}

proptest! {
    #[test]
    fn slot_lengths(alignment in alignment(), payload_len in len(), key_len: u16) {
        let expected = model_slot_len(alignment, payload_len, key_len);
        prop_assert_eq!(alignment.slot_len(payload_len, key_len), expected);
    }

    #[test]
    fn rounding(alignment in alignment(), offset in len()) {
        let unit = u128::from(alignment.bytes());
        let up = (u128::from(offset)).div_ceil(unit) * unit;
        prop_assert_eq!(alignment.round_up(offset), u64::try_from(up).ok());
        let down = u128::from(offset) / unit * unit;
        prop_assert_eq!(u128::from(alignment.round_down(offset)), down);
        prop_assert_eq!(alignment.is_aligned(offset), up == down);
        prop_assert!(alignment.is_aligned(alignment.header_len()));
        prop_assert!(alignment.header_len() >= 16 << 10);
    }

    /// The start of a slot follows from its end, its trailer and the alignment alone.
    #[test]
    fn starts_follow_from_ends(
        alignment in alignment(),
        payload_len in 0..1_u64 << 47,
        key_len: u16,
        end in len(),
    ) {
        let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: [3; 16] };
        let layout = Identity::new(seeds, alignment, 0, 0).layout();
        let fields = Trailer {
            payload_len,
            key_len,
            previous_end: 0,
            kind: Kind::Value,
            flags: Flags::NONE,
            written_at: 0,
            payload_crc: 0,
        };
        for end in [end, end & !(alignment.bytes() - 1)] {
            let expected = model_slot_len(alignment, payload_len, key_len)
                .and_then(|len| end.checked_sub(len))
                .filter(|start| *start >= alignment.header_len())
                .filter(|start| start % alignment.bytes() == 0);
            prop_assert_eq!(layout.slot_start(end, &fields), expected);
        }
    }

    /// A sealed slot is genuine at its place, nowhere else, and in no other file.
    #[test]
    fn a_seal_is_good_for_one_place_of_one_file(
        alignment in alignment(),
        key in prop::collection::vec(any::<u8>(), 0..300),
        payload_len in 0..1_u64 << 40,
        end in 1..1_u64 << 40,
        other_end in 1..1_u64 << 40,
        secret: [u8; 16],
        predecessor: u32,
        flip: prop::sample::Index,
    ) {
        let layout_with = |seal_key| {
            let seeds = IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key };
            Identity::new(seeds, alignment, 0, 0).layout()
        };
        let layout = layout_with(secret);
        let fields = Trailer {
            payload_len,
            key_len: key.len() as u16,
            previous_end: 64 * (payload_len & 0xff_ffff),
            kind: Kind::Value,
            flags: Flags::COMMIT,
            written_at: end & 0xff_ffff_ffff,
            payload_crc: 77,
        };
        let end = end * 64;
        let mut out = vec![0; key.len() + METADATA_SIZE];
        let seal = layout.seal_into(&mut out, &key, fields, end, predecessor).unwrap();
        prop_assert!(out.starts_with(&key));
        let trailer = SealedTrailer::decode(out.last_chunk().unwrap()).unwrap();
        prop_assert_eq!(trailer.fields, fields);
        prop_assert!(out.ends_with(&trailer.encode()));
        prop_assert_eq!(layout.check_seal(&out, &trailer, end), Ok(seal));
        prop_assert_eq!(seal.predecessor(trailer.link), predecessor);

        // The comparison is of 32 bits, so one case in four billion fails by chance.
        let other_end = other_end * 64;
        let is_genuine = layout.check_seal(&out, &trailer, other_end).is_ok();
        prop_assert_eq!(is_genuine, other_end == end);
        let mut other_secret = secret;
        other_secret[flip.index(16)] ^= 0x10;
        prop_assert!(layout_with(other_secret).check_seal(&out, &trailer, end).is_err());
        // A slot's seal does not cover the slot's own link.
        let at = flip.index(out.len() - 4);
        out[at] ^= 0x10;
        if let Some(trailer) = SealedTrailer::decode(out.last_chunk().unwrap()) {
            prop_assert!(layout.check_seal(&out, &trailer, end).is_err());
        }
    }
}
