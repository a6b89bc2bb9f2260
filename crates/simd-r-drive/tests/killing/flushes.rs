//! Flushes at every level of durability, the barriers that follow them, and closing.

use std::path::Path;
use std::time::Duration;

use simd_r_drive::{DataStore, Durability, OpenOptions};

use crate::ledger::{first_steps, told, work, work_step};
use crate::scene::{Scene, open_in_child, rounds};
use crate::steps::{Script, Step};
use crate::support::hooks::{Call, Hooked};
use crate::support::{Random, child};
use crate::victim::say;

const THREADS: usize = 2;

/// Writes and, if `syncs`, flushes that are asked for.
fn steps(thread: u64, number: u64, syncs: bool) -> Step {
    let mut random = Random(number << 8 | thread);
    let key = |number: u64| format!("{thread} {number}").into_bytes();
    match random.below(8) {
        0..=2 if syncs => Step::Sync,
        0..=4 => Step::Write(vec![(key(random.below(60)), random.below(5000) as usize)]),
        5 | 6 => Step::Write((0..8).map(|n| (key(7 * n), random.below(500) as usize)).collect()),
        _ => Step::Delete(vec![key(random.below(60)), key(random.below(60))]),
    }
}

fn writing(thread: u64, number: u64) -> Step {
    steps(thread, number, false)
}

fn writing_and_flushing(thread: u64, number: u64) -> Step {
    steps(thread, number, true)
}

/// So much that the store flushes and adds barriers without being asked: every 32 MiB.
fn flooding(thread: u64, number: u64) -> Step {
    Step::Write(vec![(format!("{thread} {}", number % 2).into_bytes(), 3 << 20)])
}

/// What the store is told, and what its threads do.
struct Mode {
    name: &'static str,
    durability: Durability,
    script: Script,
    /// After how many steps, at least, and how much later at most the kill comes.
    least_steps: u64,
    delay_us: u64,
}

const MODES: [Mode; 4] = [
    Mode {
        name: "every write",
        durability: Durability::Sync,
        script: writing,
        least_steps: 1,
        delay_us: 15_000,
    },
    Mode {
        name: "interval",
        durability: Durability::Interval(Duration::from_millis(1)),
        script: writing,
        least_steps: 5,
        delay_us: 15_000,
    },
    Mode {
        name: "on demand",
        durability: Durability::Process,
        script: writing_and_flushing,
        least_steps: 1,
        delay_us: 15_000,
    },
    Mode {
        name: "flood",
        durability: Durability::Process,
        script: flooding,
        least_steps: 11,
        delay_us: 60_000,
    },
];

fn mode(orders: &str) -> (&'static Mode, Vec<(u64, u64)>) {
    let (first, name) = orders.split_once(';').unwrap();
    (MODES.iter().find(|mode| mode.name == name).unwrap(), first_steps(first))
}

/// Opens a store that says when it begins and ends a flush.
fn open_telling(path: &Path, mode: &Mode) -> DataStore {
    let telling = Hooked::new(|call| {
        match call {
            Call::Sync => say("+flush"),
            Call::Synced => say("-flush"),
            _ => {}
        }
        Ok(true)
    });
    let options = OpenOptions::new().create(true).durability(mode.durability);
    open_in_child(path, &options.file_system(telling))
}

#[test]
#[ignore = "a process that another test starts"]
fn flushing_process() {
    let Some((path, orders)) = child::orders() else { return };
    let (mode, first_steps) = mode(&orders);
    let store = open_telling(&path, mode);
    std::thread::scope(|scope| {
        for (thread, first) in first_steps {
            let store = &store;
            scope.spawn(move || work(store, mode.script, thread, first));
        }
    });
}

#[test]
fn kills_of_flushes_lose_nothing_at_any_durability() {
    let mut random = Random(std::process::id().into());
    for mode in &MODES {
        let kills = if mode.name == "flood" { rounds() / 10 } else { rounds() * 3 / 10 };
        let (mut in_flushes, mut behind_barriers) = (0, 0);
        let mut scene = Scene::new(mode.script, THREADS);
        for round in 0..kills {
            if round % 5 == 0 {
                scene.renew();
            }
            let mut victim = scene.start(flushing_process, mode.name);
            for _ in 0..mode.least_steps {
                victim.wait_for("a");
            }
            let delay = Duration::from_micros(random.below(mode.delay_us));
            let before = scene.durable_tail;
            let ledger = scene.kill(victim, delay, round % 2 == 0);
            in_flushes += u64::from(ledger.died_in("flush"));
            let report = scene.report.as_ref().unwrap();
            behind_barriers += u64::from(before > 0 && report.durable_tail > before);
            scene.sweep(0, 0, |_| false);
        }
        scene.renew();
        println!(
            "{}: {kills} kills: {in_flushes} inside a flush, {behind_barriers} behind a new barrier, {} steps, \
             {} of which took effect unacknowledged",
            mode.name, scene.steps, scene.effective,
        );
        assert!(in_flushes > kills / 10, "{in_flushes} kills landed inside a flush");
        assert!(mode.name != "flood" || behind_barriers > 0, "no barrier was written");
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn closing_process() {
    let Some((path, orders)) = child::orders() else { return };
    let (mode, mut steps) = mode(&orders);
    loop {
        let store = open_telling(&path, mode);
        std::thread::scope(|scope| {
            for (thread, next) in &mut steps {
                let store = &store;
                scope.spawn(move || {
                    for _ in 0..3 {
                        work_step(store, mode.script, *thread, *next);
                        *next += 1;
                    }
                });
            }
        });
        told("close", || store.close().unwrap());
    }
}

#[test]
fn kills_of_closing_leave_all_and_what_can_be_opened() {
    let mut random = Random(std::process::id().into());
    let (mut in_closes, mut in_flushes) = (0, 0);
    let mode = &MODES[2];
    let mut scene = Scene::new(mode.script, THREADS);
    for round in 0..rounds() {
        if round % 20 == 0 {
            scene.renew();
        }
        let mut victim = scene.start(closing_process, mode.name);
        for _ in 0..=random.below(2) {
            victim.wait_for("+close");
        }
        let delay = Duration::from_micros(random.below(6000));
        let ledger = scene.kill(victim, delay, round % 2 == 0);
        let died_closing = ledger.died_in("close");
        in_closes += u64::from(died_closing);
        in_flushes += u64::from(died_closing && ledger.died_in("flush"));
        scene.sweep(0, 0, |_| false);
    }
    scene.renew();
    println!(
        "{} kills: {in_closes} inside a close ({in_flushes} inside one of its flushes), {} steps",
        rounds(),
        scene.steps,
    );
    assert!(in_closes > rounds() / 5, "{in_closes} kills landed inside a close");
}
