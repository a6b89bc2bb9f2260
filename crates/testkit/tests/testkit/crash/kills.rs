//! The process dies between any two system calls, or during one. Everything that was acknowledged
//! is there, and the operation in progress is there completely or not at all.

use std::fs;

use proptest::prelude::*;
use simd_r_drive_testkit::{
    Disk, Model, Operation, Recorded, cases, check_image, crash_operation, histories, with_kills,
};

/// Lengths of partial writes that are tried, in bytes: these, and multiples of `PART_STEP`.
const PARTS: [usize; 4] = [1, 31, 63, 500];
const PART_STEP: usize = 448;

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_kill_at_any_byte_leaves_what_was_acknowledged(
        operations in histories(with_kills(crash_operation()), 10),
        log2 in prop_oneof![4 => Just(6_u32), 1 => 7_u32..=12],
        in_place in any::<bool>(),
    ) {
        try_every_kill(&operations, 1 << log2, in_place);
    }
}

fn try_every_kill(operations: &[Operation], alignment: u64, in_place: bool) {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("store.srd");
    if in_place {
        fs::write(&path, b"").unwrap();
    }
    let recorded = Recorded::run(&path, alignment, Model::default(), operations, None).unwrap();
    let check = |image: &[u8], allowed: &[&Model]| {
        check_image(scratch.path(), image, alignment, allowed).unwrap();
    };
    recorded.each_moment(&Model::default(), Disk::default(), |moment| {
        let store = moment.directory.store();
        if moment.is_done {
            if moment.shows {
                check(store.seen(), &moment.states);
            }
            return;
        }
        if moment.is_first {
            check(store.seen(), &moment.states[..1]);
        }
        let parts = PARTS.into_iter().chain((PART_STEP..).step_by(PART_STEP));
        for len in parts.take_while(|len| *len < moment.written_len()) {
            if let Some((image, allowed)) = moment.within(len) {
                check(&image, allowed);
            }
        }
    });
}
