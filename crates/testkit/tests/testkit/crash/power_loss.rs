//! Power is lost at any moment. What is left is a prefix of whole commits, with everything that was
//! flushed.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use simd_r_drive_testkit::{
    CallKind, Disk, Errno, Fault, Model, Operation, Recorded, Rng, Rule, cases, check_image,
    crash_operation, histories, with_kills,
};

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_loss_of_power_leaves_a_prefix_with_all_flushed(
        operations in histories(with_kills(crash_operation()), 12),
        log2 in prop_oneof![4 => Just(6_u32), 1 => 7_u32..=12],
        seed in any::<u64>(),
    ) {
        lose_power(&operations, 1 << log2, seed, None);
    }

    #[test]
    fn a_loss_of_power_after_a_failure_brings_nothing_back(
        operations in histories(with_kills(crash_operation()), 12),
        seed in any::<u64>(),
        kind in prop_oneof![
            3 => Just(Some(CallKind::Write)),
            3 => Just(Some(CallKind::Sync)),
            1 => Just(Some(CallKind::SetLen)),
            1 => Just(None),
        ],
        after in 0_u64..20,
        part in 0_usize..2000,
    ) {
        let fault = Fault::ShortThenError(part, Errno::Enospc);
        let rule = Rule { kind, after, is_lasting: false, fault };
        lose_power(&operations, 64, seed, Some(rule));
    }
}

/// Records a history of a store in an empty file, and loses power after each of its calls, and
/// again during the recovery from that.
fn lose_power(operations: &[Operation], alignment: u64, seed: u64, fault: Option<Rule>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.srd");
    fs::write(&path, b"").unwrap();
    let recorded = Recorded::run(&path, alignment, Model::default(), operations, fault).unwrap();
    let mut rng = Rng::new(seed);
    let mut cuts = 0;
    recorded.each_moment(&Model::default(), Disk::default(), |moment| {
        if !moment.is_done || !moment.shows {
            return;
        }
        for _ in 0..2 {
            let image = moment.lose_power(&mut rng);
            let allowed = moment.after_loss;
            let checked = check_image(directory.path(), &image, alignment, allowed).unwrap();
            if checked.report.uncommitted_bytes > 0 && cuts < 3 {
                cuts += 1;
                let model = allowed[checked.state];
                lose_power_again(directory.path(), &image, alignment, model, &mut rng);
            }
        }
    });
}

/// Recovers an image, writes to it, and loses power meanwhile.
fn lose_power_again(directory: &Path, image: &[u8], alignment: u64, model: &Model, rng: &mut Rng) {
    let path = directory.join("second.srd");
    fs::write(&path, image).unwrap();
    let value = simd_r_drive_testkit::Value { len: 700, seed: 3 };
    let operations = [
        Operation::Write(1, value),
        Operation::BatchWrite(vec![(2, value), (3, value), (4, value)]),
        Operation::Sync,
        Operation::KillAndReopen,
        Operation::Delete(2),
        Operation::CloseAndReopen,
    ];
    let recorded = Recorded::run(&path, alignment, model.clone(), &operations, None).unwrap();
    let disk = Disk::new(image.to_vec());
    recorded.each_moment(model, disk, |moment| {
        if moment.is_done && moment.shows {
            let image = moment.lose_power(rng);
            check_image(directory, &image, alignment, moment.after_loss).unwrap();
        }
    });
}
