//! Latencies: how long a put takes while the store is compacted, and how long it takes until a
//! reader of the file sees a commit. This is a plain program, since the rare long waits matter.
//!
//! Each figure is the median over `REPEATS` runs of what the column says for one run.

use std::ops::ControlFlow;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};
use simd_r_drive_benches::key;

/// Sizes of the live values of the stores that are compacted, in MiB.
const STORES_MIB: [u64; 2] = [256, 1024];

/// Runs of each measurement.
const REPEATS: usize = 3;

/// Length of the values that a store is filled with, in bytes.
const VALUE_LEN: usize = 4096;

/// Length of the values that are put while it is compacted, in bytes.
const PUT_LEN: usize = 256;

/// Pause after each put, unless puts are to be a flood.
const PUT_PAUSE: Duration = Duration::from_micros(200);

/// For how long puts are measured where there is no compaction to wait for.
const IDLE_TIME: Duration = Duration::from_secs(3);

/// Commits that a reader waits for, in one run.
const COMMITS: u64 = 1500;

fn main() {
    println!("put of {PUT_LEN} B                   median      p99.9    longest    count");
    for mib in STORES_MIB {
        puts_beside_compaction(mib);
    }
    println!();
    println!("from the call of write to a look that finds it    median        p99    longest");
    visibility("refresh without a pause", |reader| {
        while !reader.refresh().unwrap() {
            std::hint::spin_loop();
        }
    });
    visibility("watch", |reader| while !reader.watch(Duration::from_secs(1)).unwrap() {});
}

/// Durations of one run, sorted.
struct Waits(Vec<Duration>);

impl Waits {
    fn new(mut waits: Vec<Duration>) -> Self {
        waits.sort_unstable();
        Self(waits)
    }

    /// The wait that `share` of a thousand do not exceed.
    fn per_mille(&self, share: usize) -> Duration {
        self.0[(self.0.len() - 1) * share / 1000]
    }
}

/// The median over runs of what `figure` says of each.
fn median(runs: &[Waits], figure: impl Fn(&Waits) -> Duration) -> Duration {
    let mut figures: Vec<_> = runs.iter().map(figure).collect();
    figures.sort_unstable();
    figures[figures.len() / 2]
}

fn shown(duration: Duration) -> String {
    format!("{:.1} us", duration.as_nanos() as f64 / 1e3)
}

fn puts_beside_compaction(mib: u64) {
    let directory = tempfile::tempdir().unwrap();
    let store = DataStore::open(directory.path().join("bench.srd")).unwrap();
    fill(&store, mib);
    let kinds = ["alone", "beside compaction", "flood alone", "flood beside it"];
    let mut runs = [const { Vec::new() }; 4];
    let mut compactions = [Vec::new(), Vec::new()];
    let mut locked_bytes = 0;
    for _ in 0..REPEATS {
        for (kind, pause) in [Some(PUT_PAUSE), None].into_iter().enumerate() {
            runs[2 * kind].push(puts_while(&store, pause, || thread::sleep(IDLE_TIME)));
            // The puts of the run before are what it drops.
            runs[2 * kind + 1].push(puts_while(&store, pause, || {
                let started = Instant::now();
                let report = store.compact_with(|_| ControlFlow::Continue(())).unwrap();
                compactions[kind].push(started.elapsed());
                locked_bytes = report.locked_bytes.max(locked_bytes);
            }));
        }
    }
    for (name, runs) in kinds.iter().zip(&runs) {
        println!(
            "{mib:>5} MiB, {name:<18} {:>10} {:>10} {:>10} {:>8}",
            shown(median(runs, |waits| waits.per_mille(500))),
            shown(median(runs, |waits| waits.per_mille(999))),
            shown(median(runs, |waits| waits.per_mille(1000))),
            runs.iter().map(|waits| waits.0.len()).sum::<usize>() / runs.len(),
        );
    }
    for compactions in &mut compactions {
        compactions.sort_unstable();
    }
    let [paced, flooded] = compactions.map(|durations| durations[durations.len() / 2]);
    println!("            compaction beside paced puts {paced:.1?}, beside a flood {flooded:.1?}");
    println!("            at most {locked_bytes} bytes gone through while writers waited");
}

fn fill(store: &DataStore, mib: u64) {
    let payload = vec![0x5a; VALUE_LEN];
    let count = (mib << 20) / VALUE_LEN as u64;
    for first in (0..count).step_by(256) {
        let keys: Vec<_> = (first..count.min(first + 256)).map(key).collect();
        let batch: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (&key[..], &payload[..])).collect();
        store.batch_write(&batch).unwrap();
    }
    store.sync().unwrap();
}

/// Puts as long as `meanwhile` takes on another thread.
fn puts_while(
    store: &DataStore,
    pause: Option<Duration>,
    meanwhile: impl FnOnce() + Send,
) -> Waits {
    let payload = vec![0xa5; PUT_LEN];
    let is_over = AtomicBool::new(false);
    let mut waits = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            meanwhile();
            is_over.store(true, Ordering::Relaxed);
        });
        let mut number = 0;
        while !is_over.load(Ordering::Relaxed) {
            // A bounded set of keys beside those that the store is filled with.
            number = (number + 1) % 10_000;
            let key = key(u64::MAX - number);
            let started = Instant::now();
            store.write(&key, &payload).unwrap();
            waits.push(started.elapsed());
            pause.into_iter().for_each(thread::sleep);
        }
    });
    Waits::new(waits)
}

/// Measures the time from the call of `write` until a reader finds the value. The reader is a
/// read-only store that shares nothing with the writer but the file, as if it were in another
/// process. It reads again after each return of `wait`.
fn visibility(name: &str, wait: impl Fn(&DataStore) + Sync) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bench.srd");
    let store = DataStore::open(&path).unwrap();
    store.write(b"number", &u64::MAX.to_le_bytes()).unwrap();
    let reader = OpenOptions::new().read_only(true).open(&path).unwrap();
    let mut seen = Vec::new();
    let mut writes = Vec::new();
    for _ in 0..REPEATS {
        let turn = Barrier::new(2);
        let (mut started, mut found) = (Vec::new(), Vec::new());
        let mut puts = Vec::new();
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut found = Vec::new();
                for number in 0..COMMITS {
                    turn.wait();
                    // A barrier is news, too.
                    while *reader.read(b"number").unwrap().unwrap() != number.to_le_bytes() {
                        wait(&reader);
                    }
                    found.push(Instant::now());
                }
                found
            });
            for number in 0..COMMITS {
                turn.wait();
                // Not in step with the other thread.
                thread::sleep(Duration::from_micros(100 + number * 37 % 1900));
                let start = Instant::now();
                store.write(b"number", &number.to_le_bytes()).unwrap();
                puts.push(start.elapsed());
                started.push(start);
            }
            found = watcher.join().unwrap();
        });
        seen.push(Waits::new(
            found.iter().zip(&started).map(|(end, start)| *end - *start).collect(),
        ));
        writes.push(Waits::new(puts));
    }
    for (name, runs) in [(name, &seen), ("  the write alone", &writes)] {
        println!(
            "{name:<45} {:>10} {:>10} {:>10}",
            shown(median(runs, |waits| waits.per_mille(500))),
            shown(median(runs, |waits| waits.per_mille(990))),
            shown(median(runs, |waits| waits.per_mille(1000))),
        );
    }
}
