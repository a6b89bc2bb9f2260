//! Batch, single and large writes, and opening.

use std::time::Duration;

use simd_r_drive::OpenOptions;

use crate::ledger::{first_steps, told, work};
use crate::scene::{Scene, open_in_child, rounds};
use crate::steps::Step;
use crate::support::{Random, child};

fn script(_: u64, number: u64) -> Step {
    let mut random = Random(number);
    let key = |kind: &str, number: u64| format!("{kind} {number}").into_bytes();
    match random.below(8) {
        0..=2 => Step::Write(vec![(key("small", random.below(50)), random.below(300) as usize)]),
        3 | 4 => {
            let len = 2 + random.below(40);
            // Among others, two keys that every batch writes.
            let batch = (0..len).map(|n| (key("batch", n), random.below(5000) as usize)).collect();
            Step::Write(batch)
        }
        5 => Step::Write(vec![(
            key("large", random.below(3)),
            200_000 + random.below(500_000) as usize,
        )]),
        6 => Step::Stream(key("stream", random.below(3)), random.below(1_200_000) as usize),
        _ => {
            Step::Delete((0..1 + random.below(5)).map(|_| key("small", random.below(50))).collect())
        }
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Some((path, orders)) = child::orders() else { return };
    let store = told("open", || open_in_child(&path, &OpenOptions::new().create(true)));
    let (first, _) = orders.split_once(';').unwrap();
    work(&store, script, 0, first_steps(first)[0].1);
}

#[test]
fn kills_of_writes_and_opens_lose_and_invent_nothing() {
    let mut random = Random(std::process::id().into());
    let (mut in_writes, mut in_opens) = (0, 0);
    let mut scene = Scene::new(script, 1);
    for round in 0..rounds() {
        if round % 10 == 0 {
            scene.renew();
        }
        let mut victim = scene.start(process, "");
        // A third of the kills aim at opening, the others at writing.
        let delay_us = if random.below(3) == 0 {
            victim.wait_for("+open");
            random.below(1500)
        } else {
            victim.wait_for("s");
            random.below(12_000)
        };
        let ledger = scene.kill(victim, Duration::from_micros(delay_us), round % 5 == 4);
        let died_opening = ledger.died_in("open");
        in_opens += u64::from(died_opening);
        in_writes += u64::from(ledger.died_in_a_step());
        if !scene.path.exists() {
            assert!(died_opening && scene.expected.steps() == 0, "the store is gone");
        }
        let in_the_making = usize::from(died_opening);
        scene.sweep(in_the_making, in_the_making, |_| false);
    }
    scene.renew();
    println!(
        "{} kills: {in_writes} inside a write ({} of which took effect), {in_opens} inside an open, {} steps",
        rounds(),
        scene.effective,
        scene.steps,
    );
    assert!(in_writes > rounds() / 4, "{in_writes} kills landed inside a write");
    assert!(in_opens > rounds() / 40, "{in_opens} kills landed inside an open");
}
