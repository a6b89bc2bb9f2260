//! A crash at any moment of a compaction leaves the old file or the new one under the store's name,
//! whole. It holds everything that was acknowledged before, during and after the compaction.

use std::fs;
use std::path::Path;

use simd_r_drive_testkit::{
    CallKind, Change, Disk, Errno, Fault, Loss, Model, Operation, Recorded, Rng, Rule, Value,
    check_image, effort,
};

const SMALL: Value = Value { len: 300, seed: 1 };
const PAGES: Value = Value { len: 9000, seed: 2 };
/// Long enough to be written to the file without a buffer.
const DIRECT: Value = Value { len: 300_000, seed: 3 };

fn history(value: Value) -> Vec<Operation> {
    use Operation::{BatchWrite, Compact, Delete, KillAndReopen, Sync, Write, WriteHash};
    vec![
        Write(1, value),
        BatchWrite(vec![(2, SMALL), (3, value), (4, SMALL)]),
        Sync,
        WriteHash(6, SMALL),
        Write(1, SMALL),
        Delete(2),
        Compact(vec![(2, value), (1, PAGES), (4, SMALL)]),
        Write(3, PAGES),
        Delete(4),
        Compact(vec![]),
        KillAndReopen,
        Write(0, SMALL),
        Compact(vec![(0, value)]),
        Write(5, SMALL),
    ]
}

/// Records a history of a store in an empty file.
fn record(directory: &Path, operations: &[Operation], fault: Option<Rule>) -> Recorded {
    let path = directory.join("store.srd");
    fs::write(&path, b"").unwrap();
    Recorded::run(&path, 64, Model::default(), operations, fault).unwrap()
}

fn replacements(recorded: &Recorded) -> usize {
    recorded.changes.iter().filter(|(_, change)| matches!(change, Change::Replaced(_))).count()
}

#[test]
fn a_kill_leaves_what_was_acknowledged() {
    for value in [SMALL, DIRECT] {
        let directory = tempfile::tempdir().unwrap();
        let recorded = record(directory.path(), &history(value), None);
        assert_eq!(replacements(&recorded), 3);
        recorded.each_moment(&Model::default(), Disk::default(), |moment| {
            let store = moment.directory.store();
            let check = |image: &[u8], allowed: &[&Model]| {
                check_image(directory.path(), image, 64, allowed).unwrap();
            };
            if moment.is_done && moment.shows {
                check(store.seen(), &moment.states);
            }
            for part in [1, 31, 150_000, moment.written_len().saturating_sub(1)] {
                if let Some((image, allowed)) = moment.within(part) {
                    check(&image, allowed);
                }
            }
        });
    }
}

/// Checks what every kind of loss of power may leave after each change that shows.
fn lose_power_everywhere(directory: &Path, recorded: &Recorded, seed: u64) {
    let mut rng = Rng::new(seed);
    recorded.each_moment(&Model::default(), Disk::default(), |moment| {
        if !moment.is_done || !moment.shows {
            return;
        }
        for loss in Loss::ALL {
            let image = moment.directory.after_power_loss(loss, &mut rng);
            check_image(directory, &image, 64, moment.after_loss).unwrap();
        }
    });
}

#[test]
fn a_loss_of_power_leaves_a_prefix_or_all_if_compacted() {
    for seed in 0..u64::from(effort()) {
        let directory = tempfile::tempdir().unwrap();
        let recorded = record(directory.path(), &history(SMALL), None);
        lose_power_everywhere(directory.path(), &recorded, seed);
    }
    let directory = tempfile::tempdir().unwrap();
    let recorded = record(directory.path(), &history(DIRECT)[..9], None);
    lose_power_everywhere(directory.path(), &recorded, 1);
}

/// The new file has taken the name, but the directory could not be flushed, so a loss of power may
/// bring the old file back. The next open must flush the directory before it promises anything
/// more.
#[test]
fn the_next_open_flushes_a_name_that_was_not_flushed() {
    let value = PAGES;
    let operations = [
        Operation::Write(1, value),
        Operation::Write(2, value),
        Operation::Delete(1),
        Operation::Compact(vec![(3, value)]),
        Operation::Write(4, value),
        Operation::Sync,
        Operation::Write(5, SMALL),
    ];
    let mut is_struck = false;
    for after in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let fault = Fault::Error(Errno::Eio);
        let kind = Some(CallKind::SyncDirectory);
        let rule = Rule { kind, after, is_lasting: false, fault };
        let recorded = record(directory.path(), &operations, Some(rule));
        let position = |wanted: fn(&Change) -> bool| {
            recorded.changes.iter().position(|(file, change)| *file != 0 && wanted(change))
        };
        let replaced = position(|change| matches!(change, Change::Replaced(_))).unwrap();
        let flushed = position(|change| matches!(change, Change::NameFlushed));
        is_struck |= flushed != Some(replaced + 1);
        lose_power_everywhere(directory.path(), &recorded, after);
    }
    assert!(is_struck, "the directory's flush has failed after a rename");
}
