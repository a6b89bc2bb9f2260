//! Full and incremental backups, while two threads go on writing.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simd_r_drive::{DataStore, OpenOptions};

use crate::ledger::{Copied, told, work_beside};
use crate::scene::{Scene, open_in_child, read, rounds};
use crate::steps::Step;
use crate::support::{Random, child};

const THREADS: usize = 2;

fn script(thread: u64, number: u64) -> Step {
    let mut random = Random(number << 8 | thread);
    let key = |number: u64| format!("{thread} {number}").into_bytes();
    // The first step writes what makes a whole backup take its time.
    if number == 1 {
        return Step::Write((0..100).map(|n| (key(n), 10_000)).collect());
    }
    match random.below(8) {
        0..=3 => Step::Write(vec![(key(random.below(120)), random.below(2000) as usize)]),
        4 => Step::Write((0..10).map(|n| (key(9 * n), random.below(2000) as usize)).collect()),
        5 => Step::Stream(key(random.below(100)), random.below(200_000) as usize),
        6 => Step::Delete((0..1 + random.below(5)).map(|_| key(random.below(120))).collect()),
        _ => Step::Sync,
    }
}

fn backup_of(store: &Path) -> PathBuf {
    store.with_file_name("backup.srd")
}

#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Some((path, orders)) = child::orders() else { return };
    let store = open_in_child(&path, &OpenOptions::new().create(true));
    let (first, kind) = orders.split_once(';').unwrap();
    work_beside(&store, script, first, Duration::from_micros(200), || {
        let report = told("backup", || store.backup(&backup_of(&path)).unwrap());
        assert_eq!(report.saved_to, None, "the store has all that was cut off");
        if kind == "whole" {
            fs::remove_file(backup_of(&path)).unwrap();
        }
    });
}

/// 100 kills of one kind of backup.
fn series(kind: &str) {
    let mut random = Random(std::process::id().into());
    let kills = rounds() / 2;
    let (mut inside, mut shown) = (0, 0);
    let mut scene = Scene::new(script, THREADS);
    let mut copied = Copied::new(THREADS);
    for round in 0..kills {
        if round % 10 == 0 {
            scene.renew();
            copied = Copied::new(THREADS);
        }
        let backup = backup_of(&scene.path);
        let before = scene.expected.effects();
        let mut victim = scene.start(process, kind);
        for _ in 0..=random.below(3) {
            victim.wait_for("+backup");
        }
        let delay = Duration::from_micros(random.below(10_000));
        let is_recovered_here = round % 2 == 0;
        let ledger = scene.kill(victim, delay, is_recovered_here);
        inside += u64::from(ledger.died_in("backup"));
        if backup.exists() {
            shown += 1;
            // A backup that was completed shows at least what was there when its process started.
            let is_complete = ledger.completed("backup") > 0 || kind == "whole";
            let least = if is_complete { before } else { vec![0; THREADS] };
            copied.advance(&scene.expected, &least, &read(&backup).0);
        }
        if is_recovered_here {
            // Whatever was left, the next backup works.
            let store = DataStore::open_existing(&scene.path).unwrap();
            let report = store.backup(&backup).unwrap();
            assert_eq!(report.saved_to, None, "the store has all that was cut off");
            copied.advance(&scene.expected, &scene.expected.effects(), &read(&backup).0);
        }
        if kind == "whole" && backup.exists() {
            fs::remove_file(&backup).unwrap();
            copied = Copied::new(THREADS);
        }
        let in_the_making = usize::from(ledger.died_in("backup"));
        scene.sweep(in_the_making, 0, |name| name == "backup.srd");
    }
    scene.renew();
    println!(
        "{kills} kills: {inside} inside a backup, {kind} ({shown} left a backup), {} steps, {} of which took \
         effect unacknowledged",
        scene.steps, scene.effective,
    );
    assert!(inside > kills / 4, "{inside} kills landed inside a backup");
}

#[test]
fn kills_of_new_backups_leave_nothing_or_all() {
    series("whole");
}

#[test]
fn kills_of_extended_backups_leave_a_commit() {
    series("extended");
}
