//! Checkpoints, which write the index to the file, while two threads go on writing.

use std::time::Duration;

use simd_r_drive::OpenOptions;

use crate::ledger::{told, work_beside};
use crate::scene::{Scene, open_in_child, rounds};
use crate::steps::Step;
use crate::support::{Random, child};

const THREADS: usize = 2;

fn script(thread: u64, number: u64) -> Step {
    let mut random = Random(number << 8 | thread);
    let key = |number: u64| format!("{thread} {number}").into_bytes();
    // The first step writes what makes an index worth its name.
    if number == 1 {
        return Step::Write((0..3000).map(|n| (key(n), 20)).collect());
    }
    match random.below(8) {
        0..=3 => Step::Write(vec![(key(random.below(4000)), random.below(500) as usize)]),
        4 | 5 => Step::Write((0..20).map(|n| (key(190 * n), random.below(90) as usize)).collect()),
        6 => Step::Sync,
        _ => Step::Delete((0..1 + random.below(9)).map(|_| key(random.below(4000))).collect()),
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Some((path, orders)) = child::orders() else { return };
    let store = open_in_child(&path, &OpenOptions::new().create(true));
    let (first, _) = orders.split_once(';').unwrap();
    work_beside(&store, script, first, Duration::from_micros(100), || {
        told("checkpoint", || store.checkpoint().unwrap());
    });
}

#[test]
fn kills_of_checkpoints_beside_writers_lose_nothing() {
    let mut random = Random(std::process::id().into());
    let (mut inside, mut through_index) = (0, 0);
    let mut scene = Scene::new(script, THREADS);
    for round in 0..rounds() {
        if round % 10 == 0 {
            scene.renew();
        }
        let mut victim = scene.start(process, "");
        for _ in 0..=random.below(3) {
            victim.wait_for("+checkpoint");
        }
        let delay = Duration::from_micros(random.below(10_000));
        let ledger = scene.kill(victim, delay, round % 2 == 0);
        inside += u64::from(ledger.died_in("checkpoint"));
        let report = scene.report.as_ref().unwrap();
        through_index += u64::from(report.is_index_used);
        scene.sweep(0, 0, |_| false);
    }
    scene.renew();
    println!(
        "{} kills: {inside} inside a checkpoint, {through_index} stores opened through an index, {} steps, {} of \
         which took effect unacknowledged",
        rounds(),
        scene.steps,
        scene.effective,
    );
    assert!(inside > rounds() / 2, "{inside} kills landed inside a checkpoint");
    assert!(through_index > rounds() / 4, "{through_index} stores were opened through an index");
}
