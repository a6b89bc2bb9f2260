//! Streams of two threads at a time: short ones, and ones that do not fit into memory buffers.

use std::time::Duration;

use simd_r_drive::OpenOptions;

use crate::ledger::{first_steps, work};
use crate::scene::{Scene, open_in_child, rounds};
use crate::steps::Step;
use crate::support::{Random, child};

const THREADS: usize = 2;

fn script(thread: u64, number: u64) -> Step {
    let mut random = Random(number << 8 | thread);
    let key = |number: u64| format!("{thread} {number}").into_bytes();
    let len = match random.below(8) {
        0 | 1 => random.below(2000),
        2 | 3 => random.below(1 << 20),
        // From about here on the stream takes the way through a temporary file.
        4..=6 => (1 << 20) - 100 + random.below(1 << 21),
        // Between two streams something short, so that not every commit is one.
        _ => return Step::Write((0..5).map(|n| (key(n), 100 * n as usize)).collect()),
    };
    Step::Stream(key(random.below(4)), len as usize)
}

#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Some((path, orders)) = child::orders() else { return };
    let store = open_in_child(&path, &OpenOptions::new().create(true));
    let (first, _) = orders.split_once(';').unwrap();
    std::thread::scope(|scope| {
        for (thread, first) in first_steps(first) {
            let store = &store;
            scope.spawn(move || work(store, script, thread, first));
        }
    });
}

#[test]
fn kills_of_streams_leave_all_of_a_stream_or_nothing() {
    let mut random = Random(std::process::id().into());
    let (mut in_steps, mut in_commits) = (0, 0);
    let mut scene = Scene::new(script, THREADS);
    for round in 0..rounds() {
        if round % 5 == 0 {
            scene.renew();
        }
        let mut victim = scene.start(process, "");
        victim.wait_for("s");
        let delay = Duration::from_micros(random.below(20_000));
        let ledger = scene.kill(victim, delay, round % 2 == 0);
        in_steps += u64::from(ledger.died_in_a_step());
        in_commits += u64::from(ledger.died_in_a_commit_of_a_stream());
        // The temporary files of streams have no names, so that none can stay behind.
        scene.sweep(0, 0, |_| false);
    }
    scene.renew();
    println!(
        "{} kills: {in_steps} inside a step, {in_commits} inside the commit of a stream that had been read \
         ({} took effect), {} steps",
        rounds(),
        scene.effective,
        scene.steps,
    );
    assert!(in_steps > rounds() / 2, "{in_steps} kills landed inside a step");
    assert!(in_commits > rounds() / 10, "{in_commits} kills landed inside a stream's commit");
}
