//! Checkpoints write the index to the file and start to use it, and the space of old indexes is
//! freed. A crash at any moment of that, or during any of its writes, leaves a store that gives the
//! right answers, whichever index it opens with.

use std::fs;

use simd_r_drive_testkit::{
    Change, Disk, Loss, Model, Operation, Recorded, Rng, Value, check_image, hash_count,
};

/// With this alignment, a table of few keys occupies at most five pages, of which one belongs to it
/// alone and can be freed.
const ALIGNMENT: u64 = 4096;

/// Lengths of partial writes that are tried, in bytes.
const PARTS: [usize; 6] = [1, 64, 100, 128, 4096, 4200];

/// Entries of all kinds come and go. There is a checkpoint after most steps, and several processes
/// write one after the other.
fn history() -> Vec<Operation> {
    use Operation::{
        BatchDelete, BatchWrite, Checkpoint, CloseAndReopen, Delete, KillAndReopen, Rename, Write,
        WriteHash,
    };
    let value = |seed| Value { len: 40, seed };
    let number = hash_count() - 2;
    vec![
        BatchWrite(vec![(1, value(1)), (2, value(1)), (3, value(1)), (4, value(1))]),
        WriteHash(number, value(2)),
        Checkpoint,
        Write(1, value(3)),
        Delete(3),
        Checkpoint,
        Rename(1, 3),
        Checkpoint,
        Write(5, value(4)),
        KillAndReopen,
        Delete(2),
        Checkpoint,
        BatchDelete(vec![3, 4]),
        KillAndReopen,
        Checkpoint,
        WriteHash(number, value(5)),
        CloseAndReopen,
        Write(2, value(5)),
        Checkpoint,
        Delete(5),
    ]
}

#[test]
fn a_crash_in_a_checkpoint_changes_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.srd");
    fs::write(&path, b"").unwrap();
    let recorded = Recorded::run(&path, ALIGNMENT, Model::default(), &history(), None).unwrap();
    let is_hole = |change: &Change| match change {
        Change::Write { bytes, .. } => bytes.len() >= 4096 && bytes.iter().all(|byte| *byte == 0),
        _ => false,
    };
    let holes = recorded.changes.iter().filter(|(_, change)| is_hole(change)).count();
    assert!(holes >= 3, "{holes} indexes were given back");

    let mut rng = Rng::new(7);
    let mut losses = Loss::ALL.iter().cycle();
    let (mut images, mut through_index) = (0, 0);
    let mut check = |image: &[u8], allowed: &[&Model]| {
        let checked = check_image(directory.path(), image, ALIGNMENT, allowed).unwrap();
        images += 1;
        through_index += u32::from(checked.report.is_index_used);
    };
    recorded.each_moment(&Model::default(), Disk::default(), |moment| {
        for part in PARTS {
            if let Some((image, allowed)) = moment.within(part) {
                check(&image, allowed);
            }
        }
        if moment.is_done && moment.shows {
            check(moment.directory.store().seen(), &moment.states);
            for _ in 0..4 {
                let image = moment.directory.after_power_loss(*losses.next().unwrap(), &mut rng);
                check(&image, moment.after_loss);
            }
        }
    });
    println!("{images} images, {through_index} opened through an index");
    assert!(through_index > images / 2, "{through_index} of {images} opened through an index");
}

/// The header of an index is tried at every place in a sector, also where the data after it is in
/// another sector, which may be lost by itself.
#[test]
fn an_index_that_power_took_in_part_changes_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(8);
    let mut through_index = 0;
    for shift in 0..8 {
        let path = directory.path().join(format!("store {shift}.srd"));
        fs::write(&path, b"").unwrap();
        let value = |len| Value { len, seed: 6 };
        let history = [
            Operation::BatchWrite(vec![(1, value(shift * 64)), (2, value(9)), (3, value(9))]),
            Operation::Checkpoint,
            Operation::Delete(2),
            Operation::Write(1, value(10)),
            Operation::Checkpoint,
            Operation::KillAndReopen,
            Operation::Delete(3),
            Operation::Checkpoint,
        ];
        let recorded = Recorded::run(&path, 64, Model::default(), &history, None).unwrap();
        recorded.each_moment(&Model::default(), Disk::default(), |moment| {
            if !moment.is_done || !moment.shows {
                return;
            }
            for _ in 0..3 {
                let image = moment.lose_power(&mut rng);
                let allowed = moment.after_loss;
                let checked = check_image(directory.path(), &image, 64, allowed).unwrap();
                through_index += u32::from(checked.report.is_index_used);
            }
        });
    }
    assert!(through_index > 100, "{through_index} opened through an index");
}
