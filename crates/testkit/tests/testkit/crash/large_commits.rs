//! Some commits are written in several calls, without a buffer. Some are longer than the distance
//! after which a writer flushes and appends a barrier. A crash at any moment leaves each of them
//! completely or not at all.

use std::fs;
use std::path::Path;

use simd_r_drive_testkit::{
    Change, Disk, Loss, Model, Operation, Recorded, Rng, Value, check_image,
};

/// Values of at least this length are written to the file without a buffer.
const DIRECT_LEN: usize = 128 << 10;

/// A writer flushes and appends a barrier when there are this many bytes after the last one.
const BARRIER_DISTANCE: usize = 64 << 20;

fn value(len: usize) -> Value {
    Value { len, seed: 4 }
}

fn record(directory: &Path, operations: &[Operation]) -> Recorded {
    let path = directory.join("store.srd");
    fs::write(&path, b"").unwrap();
    Recorded::run(&path, 64, Model::default(), operations, None).unwrap()
}

#[test]
fn an_unbuffered_value_is_there_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let operations = [
        Operation::Write(1, value(DIRECT_LEN)),
        Operation::BatchWrite(vec![
            (2, value(100)),
            (3, value(2 * DIRECT_LEN + 1)),
            (1, value(DIRECT_LEN - 1)),
            (4, value(5 * DIRECT_LEN)),
        ]),
        Operation::Sync,
        Operation::Stream(2, value(10 * DIRECT_LEN)),
        Operation::KillAndReopen,
        Operation::Write(3, value(3 * DIRECT_LEN)),
    ];
    let recorded = record(directory.path(), &operations);
    let writes = recorded.changes.iter().filter(|(_, change)| match change {
        Change::Write { bytes, .. } => bytes.len() >= DIRECT_LEN,
        _ => false,
    });
    assert!(writes.count() >= 6, "written in pieces");
    let mut rng = Rng::new(5);
    recorded.each_moment(&Model::default(), Disk::default(), |moment| {
        let check = |image: &[u8], allowed: &[&Model]| {
            check_image(directory.path(), image, 64, allowed).unwrap();
        };
        for part in [1, 4096, DIRECT_LEN + 77, moment.written_len().saturating_sub(1)] {
            if let Some((image, allowed)) = moment.within(part) {
                check(&image, allowed);
            }
        }
        if moment.is_done && moment.shows {
            check(moment.directory.store().seen(), &moment.states);
            for _ in 0..3 {
                check(&moment.lose_power(&mut rng), moment.after_loss);
            }
        }
    });
}

#[test]
fn a_commit_beyond_the_barrier_distance_gets_a_barrier() {
    let directory = tempfile::tempdir().unwrap();
    let operations = [
        Operation::Write(1, value(1000)),
        Operation::Write(2, value(BARRIER_DISTANCE + 12_345)),
        Operation::Write(3, value(2000)),
    ];
    let recorded = record(directory.path(), &operations);
    // The flush that the long commit causes.
    let is_flush = |(_, change): &(usize, Change)| *change == Change::Flush;
    let long = &recorded.steps[2];
    let flush = recorded.changes.iter().skip(long.start).position(is_flush).unwrap() + long.start;
    let mut rng = Rng::new(6);
    let mut losses = Loss::ALL.iter().cycle();
    let (mut images, mut durable_tail) = (0, 0);
    recorded.each_moment(&Model::default(), Disk::default(), |moment| {
        // Each image takes a while to check, so only those from the flush on are checked.
        if !moment.is_done || !moment.shows || moment.position + 1 < flush {
            return;
        }
        let loss = *losses.next().unwrap();
        let image = moment.directory.after_power_loss(loss, &mut rng);
        let checked = check_image(directory.path(), &image, 64, moment.after_loss).unwrap();
        durable_tail = durable_tail.max(checked.report.durable_tail);
        images += 1;
    });
    assert!(images >= 5, "{images} images");
    assert!(durable_tail > BARRIER_DISTANCE as u64, "recovery starts behind the long commit");
}
