//! Compactions, one after the other, while two threads go on writing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use simd_r_drive::OpenOptions;

use crate::ledger::{told, work_beside};
use crate::scene::{Scene, open_in_child, rounds};
use crate::steps::Step;
use crate::support::{Random, child};

const THREADS: usize = 2;

fn script(thread: u64, number: u64) -> Step {
    let mut random = Random(number << 8 | thread);
    let key = |number: u64| format!("{thread} {number}").into_bytes();
    // The first step writes what makes a compaction take its time.
    if number == 1 {
        return Step::Write((0..250).map(|n| (key(n), 3000)).collect());
    }
    match random.below(8) {
        0..=3 => Step::Write(vec![(key(random.below(300)), random.below(2000) as usize)]),
        4 | 5 => {
            let count = 2 + random.below(20);
            Step::Write((0..count).map(|n| (key(14 * n), random.below(3000) as usize)).collect())
        }
        6 => Step::Stream(key(random.below(100)), random.below(300_000) as usize),
        _ => Step::Delete((0..1 + random.below(5)).map(|_| key(random.below(300))).collect()),
    }
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// Waits until a compaction has replaced the file at `path`.
fn wait_for_another_file(path: &Path) {
    let (before, until) = (inode(path), Instant::now() + Duration::from_secs(60));
    while inode(path) == before {
        assert!(Instant::now() < until, "no compaction replaces the file");
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Some((path, orders)) = child::orders() else { return };
    let store = open_in_child(&path, &OpenOptions::new().create(true));
    let (first, _) = orders.split_once(';').unwrap();
    work_beside(&store, script, first, Duration::from_micros(100), || {
        told(&format!("compaction of {}", inode(&path)), || store.compact().unwrap());
    });
}

#[test]
fn kills_of_compactions_leave_the_old_file_or_the_new() {
    let mut random = Random(std::process::id().into());
    let (mut inside, mut replaced) = (0, 0);
    let mut scene = Scene::new(script, THREADS);
    for round in 0..rounds() {
        if round % 10 == 0 {
            scene.renew();
        }
        let mut victim = scene.start(process, "");
        victim.wait_for("+compaction");
        for _ in 0..random.below(2) {
            victim.wait_for("-compaction");
        }
        // Few random kills happen after the rename, and how few depends on the machine. So some
        // wait for it.
        let delay = if round % 4 == 3 {
            wait_for_another_file(&scene.path);
            random.below(200)
        } else {
            random.below(20_000)
        };
        let delay = Duration::from_micros(delay);
        let ledger = scene.kill(victim, delay, round % 2 == 0);
        let died_inside = ledger.died_in_any("compaction");
        inside += u64::from(died_inside);
        // Whether the last compaction that began had the path by then.
        let was_old_file = ledger.died_in(&format!("compaction of {}", inode(&scene.path)));
        replaced += u64::from(died_inside && !was_old_file);
        scene.sweep(usize::from(died_inside), 0, |_| false);
    }
    scene.renew();
    println!(
        "{} kills: {inside} inside a compaction ({replaced} of which had replaced the file), {} steps, \
         {} of which took effect unacknowledged",
        rounds(),
        scene.steps,
        scene.effective,
    );
    assert!(inside > rounds() / 2, "{inside} kills landed inside a compaction");
    assert!(replaced > rounds() / 50, "{replaced} kills landed behind the renaming");
}
