//! The index in the file: how long opening takes, what it costs to write it, and how it affects
//! reads. The figures that matter are ratios of two measurements of the same run. Each open is
//! measured in a process of its own.
//!
//! `cargo bench --bench index -- [MILLIONS] [DIRECTORY]` runs all parts, by default with 10 million
//! keys of 20 bytes and values of 8 bytes. `reads`, `kills`, `loads MILLIONS` or `puts MILLIONS`
//! runs only that part.

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};
use simd_r_drive_benches::{key, random_below, value};

const BATCH: u64 = 1024;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["open", path, entries] => open_child(Path::new(path), number(entries)),
        ["load", path, entries] => load_child(Path::new(path), number(entries)),
        ["loads", millions] => {
            loads(temporary(&env::temp_dir())?.path(), number(millions) * 1_000_000)
        }
        ["puts", millions] => {
            let (directory, entries) = (temporary(&env::temp_dir())?, number(millions) * 1_000_000);
            let path = directory.path().join("without.srd");
            let options = OpenOptions::new().create(true).automatic_checkpoints(false);
            load(&options.open(&path)?, 0, entries)?;
            longest_put(directory.path(), entries)
        }
        ["reads"] => reads(temporary(&env::temp_dir())?.path()),
        ["kills"] => kills(temporary(&env::temp_dir())?.path(), 10_000_000),
        [] => run(10_000_000, &env::temp_dir()),
        [millions] => run(number(millions) * 1_000_000, &env::temp_dir()),
        [millions, directory] => run(number(millions) * 1_000_000, Path::new(directory)),
        _ => Err(io::Error::other(
            "expected: [MILLIONS] [DIRECTORY], reads, kills, loads MILLIONS, or puts MILLIONS",
        )),
    }
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or(10)
}

fn run(entries: u64, parent: &Path) -> io::Result<()> {
    let directory = temporary(parent)?;
    println!("{entries} entries, keys of 20 B, values of 8 B");
    loads(directory.path(), entries)?;
    let path = directory.path().join("with.srd");
    opens(&path, entries)?;
    kills(directory.path(), entries)?;
    reads(directory.path())?;
    longest_put(directory.path(), entries)
}

fn temporary(parent: &Path) -> io::Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("index-bench-").tempdir_in(parent)
}

fn load(store: &DataStore, from: u64, to: u64) -> io::Result<()> {
    let mut first = from;
    while first < to {
        let numbers = first..to.min(first + BATCH);
        first = numbers.end;
        let entries: Vec<_> = numbers.map(|number| (key(number), value(number))).collect();
        let entries: Vec<_> = entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        store.batch_write(&entries)?;
    }
    Ok(())
}

fn loads(directory: &Path, entries: u64) -> io::Result<()> {
    let mut seconds = [Vec::new(), Vec::new()];
    for round in 0..3 {
        for (at, name) in [(0, "without.srd"), (1, "with.srd")] {
            let path = directory.join(name);
            if round > 0 {
                std::fs::remove_file(&path)?;
            }
            let store = OpenOptions::new()
                .create(true)
                .automatic_checkpoints(name == "with.srd")
                .open(&path)?;
            let started = Instant::now();
            load(&store, 0, entries)?;
            seconds[at].push(started.elapsed());
            let stats = store.stats();
            let closing = Instant::now();
            store.close()?;
            if round == 2 {
                let blocks = std::os::unix::fs::MetadataExt::blocks(&path.metadata()?) * 512;
                println!(
                    "{name}: {} checkpoints, {:.1} B a key in memory, closed in {:?}, {:.2} B a key on disk of {:.2} B",
                    stats.checkpoints,
                    stats.index_heap_bytes as f64 / entries as f64,
                    closing.elapsed(),
                    blocks as f64 / entries as f64,
                    path.metadata()?.len() as f64 / entries as f64,
                );
            }
        }
    }
    let [without, with] = seconds.map(median);
    println!(
        "load: {:.2} M/s without automatic checkpoints, {:.2} M/s with: ratio {:.2}",
        entries as f64 / without.as_secs_f64() / 1e6,
        entries as f64 / with.as_secs_f64() / 1e6,
        without.as_secs_f64() / with.as_secs_f64()
    );
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn open_child(path: &Path, entries: u64) -> io::Result<()> {
    let before = anonymous_bytes();
    let started = Instant::now();
    let store = OpenOptions::new().verify_reads(true).open(path)?;
    let number = entries / 3;
    let entry = store.read(&key(number))?;
    let elapsed = started.elapsed();
    assert!(entry.is_some_and(|entry| entry == value(number).as_slice()), "key {number}");
    let after = anonymous_bytes();
    println!("{} {}", elapsed.as_nanos(), after.saturating_sub(before));
    let report = store.recovery_report();
    println!(
        "replayed {} slots, index used: {}, searched and verified {} B; len {}",
        report.slots_replayed,
        report.is_index_used,
        report.tail - report.durable_tail,
        store.len()?
    );
    // Without closing the store, which would write an index of what was replayed.
    std::process::exit(0)
}

fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

fn child(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap_or_default());
    command.args(arguments);
    command
}

fn measure_open(path: &Path, entries: u64) -> io::Result<(Duration, u64, String)> {
    let output = child(&["open", &path.to_string_lossy(), &entries.to_string()]).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = text.lines();
    let figures: Vec<u64> = lines
        .next()
        .unwrap_or_default()
        .split(' ')
        .filter_map(|figure| figure.parse().ok())
        .collect();
    let [nanos, bytes] = figures[..] else {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    };
    Ok((Duration::from_nanos(nanos), bytes, lines.next().unwrap_or_default().to_owned()))
}

fn opens(path: &Path, entries: u64) -> io::Result<()> {
    let without = path.with_file_name("without.srd");
    for (name, path) in [("without an index in the file", &without), ("with one", &path.to_owned())]
    {
        let mut times = Vec::new();
        let mut last = (Duration::ZERO, 0, String::new());
        for _ in 0..5 {
            last = measure_open(path, entries)?;
            times.push(last.0);
        }
        println!(
            "open after clean close to first verified get, {name}: {:?}, {} KiB of anonymous memory ({})",
            median(times),
            last.1 >> 10,
            last.2
        );
    }
    Ok(())
}

fn load_child(path: &Path, entries: u64) -> io::Result<()> {
    let store = DataStore::open(path)?;
    for step in 0..20 {
        load(&store, entries * step / 20, entries * (step + 1) / 20)?;
        println!("{}", entries * (step + 1) / 20);
    }
    Ok(())
}

/// Kills a load somewhere in the middle and opens what it leaves.
fn kills(directory: &Path, entries: u64) -> io::Result<()> {
    let mut times = Vec::new();
    for step in 7..14 {
        let path = directory.join(format!("killed-{step}.srd"));
        let mut loader = child(&["load", &path.to_string_lossy(), &entries.to_string()])
            .stdout(Stdio::piped())
            .spawn()?;
        let output = loader.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
        let mut acknowledged = 0;
        for line in BufReader::new(output).lines().take(step) {
            acknowledged = line?.parse().unwrap_or(0);
        }
        thread::sleep(Duration::from_millis(7 * step as u64));
        loader.kill()?;
        loader.wait()?;
        let (time, bytes, report) = measure_open(&path, acknowledged)?;
        println!(
            "killed after {acknowledged}: open to first verified get {time:?}, {} KiB ({report})",
            bytes >> 10
        );
        times.push(time);
        std::fs::remove_file(&path)?;
    }
    println!("open after kill -9 in the middle of a load, median: {:?}", median(times));
    Ok(())
}

const READ_ENTRIES: u64 = 1_000_000;

fn reads(directory: &Path) -> io::Result<()> {
    let path = directory.join("reads.srd");
    let store = OpenOptions::new().create(true).verify_reads(true).open(&path)?;
    load(&store, 0, READ_ENTRIES)?;
    store.close()?;
    drop(store);
    let store = OpenOptions::new().verify_reads(true).open(&path)?;
    let plain = OpenOptions::new().read_only(true).open(&path)?;
    assert_eq!(store.stats().frozen_hashes, READ_ENTRIES);
    let map: RwLock<HashMap<Vec<u8>, Vec<u8>>> = RwLock::new(
        (0..READ_ENTRIES).map(|number| (key(number).to_vec(), value(number).to_vec())).collect(),
    );
    let bare_path = directory.join("bare.srd");
    let bare = OpenOptions::new().create(true).verify_reads(true).open(&bare_path)?;
    for first in (0..READ_ENTRIES).step_by(BATCH as usize) {
        let values: Vec<_> = (first..READ_ENTRIES.min(first + BATCH)).map(value).collect();
        let entries = (first..).zip(&values).map(|(hash, value)| (hash, &value[..])).collect();
        bare.batch_write_with_key_hashes(entries, false)?;
    }
    bare.checkpoint()?;
    let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut row = |name, per_second| match rows.iter_mut().find(|(other, _)| *other == name) {
        Some((_, figures)) => figures.push(per_second),
        None => rows.push((name, vec![per_second])),
    };
    for _ in 0..5 {
        let mut numbers = random_below(READ_ENTRIES);
        row(
            "HashMap behind RwLock",
            rate(|| {
                let number = numbers.next().unwrap_or_default();
                let map = map.read().unwrap();
                assert_eq!(map[&key(number)[..]], value(number));
            }),
        );
        for (name, store) in [("read, verified", &store), ("read", &plain)] {
            row(
                name,
                rate(|| {
                    let number = numbers.next().unwrap_or_default();
                    assert_eq!(
                        store.read(&key(number)).unwrap().unwrap(),
                        value(number).as_slice()
                    );
                }),
            );
        }
        for (name, store) in [("view().get, verified", &store), ("view().get", &plain)] {
            let view = store.view();
            row(
                name,
                rate(|| {
                    let number = numbers.next().unwrap_or_default();
                    assert_eq!(view.get(&key(number)).unwrap().unwrap(), value(number).as_slice());
                }),
            );
        }
        for (name, store) in
            [("batch_read of 1,024, verified", &store), ("batch_read of 1,024", &plain)]
        {
            row(
                name,
                BATCH as f64
                    * rate_of(64, || {
                        let wanted: Vec<_> = numbers.by_ref().take(BATCH as usize).collect();
                        let keys: Vec<_> = wanted.iter().map(|number| key(*number)).collect();
                        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
                        for (number, entry) in wanted.iter().zip(store.batch_read(&keys).unwrap()) {
                            assert_eq!(entry.unwrap(), value(*number).as_slice());
                        }
                    }),
            );
        }
        let view = bare.view();
        row(
            "get by hash 1, 2, 3, ..., verified",
            rate(|| {
                let number = numbers.next().unwrap_or_default();
                assert_eq!(
                    view.get_with_key_hash(number).unwrap().unwrap(),
                    value(number).as_slice()
                );
            }),
        );
        let view = store.view();
        row(
            "get by hash of a key, verified",
            rate(|| {
                let number = numbers.next().unwrap_or_default();
                let hash = simd_r_drive::compute_hash(&key(number));
                assert_eq!(
                    view.get_with_key_hash(hash).unwrap().unwrap(),
                    value(number).as_slice()
                );
            }),
        );
        let mut hot = random_below(1000);
        let plain_view = plain.view();
        row(
            "view().get, 1,000 hot keys",
            rate(|| {
                let number = hot.next().unwrap_or_default();
                assert_eq!(
                    plain_view.get(&key(number)).unwrap().unwrap(),
                    value(number).as_slice()
                );
            }),
        );
        row(
            "HashMap, 1,000 hot keys",
            rate(|| {
                let number = hot.next().unwrap_or_default();
                let map = map.read().unwrap();
                assert_eq!(map[&key(number)[..]], value(number));
            }),
        );
        row(
            "exists, absent",
            rate(|| {
                let number = READ_ENTRIES + numbers.next().unwrap_or_default();
                assert!(!plain.exists(&key(number)).unwrap());
            }),
        );
        row(
            "HashMap, absent",
            rate(|| {
                let number = READ_ENTRIES + numbers.next().unwrap_or_default();
                assert!(!map.read().unwrap().contains_key(&key(number)[..]));
            }),
        );
        let started = Instant::now();
        assert_eq!(
            plain.iter_entries().map(|entry| entry.len() as u64).sum::<u64>(),
            8 * READ_ENTRIES
        );
        row("iter_entries", READ_ENTRIES as f64 / started.elapsed().as_secs_f64());
    }
    let floor = median_of(&rows[0].1);
    for (name, figures) in &rows {
        let rate = median_of(figures);
        println!("{name}: {:.2} M/s, {:.2} x the map", rate / 1e6, rate / floor);
    }
    Ok(())
}

fn median_of(figures: &[f64]) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn rate(work: impl FnMut()) -> f64 {
    rate_of(300_000, work)
}

fn rate_of(times: u64, mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..times {
        work();
    }
    times as f64 / started.elapsed().as_secs_f64()
}

/// The longest wait of a put while the index of a large store is written.
fn longest_put(directory: &Path, entries: u64) -> io::Result<()> {
    let path = directory.join("without.srd");
    let store = OpenOptions::new().automatic_checkpoints(false).open(&path)?;
    let puts = |until: &dyn Fn() -> bool| {
        let mut waits = Vec::new();
        let mut number = entries;
        while !until() {
            let started = Instant::now();
            store.write(&key(number), &value(number)).unwrap();
            waits.push(started.elapsed());
            number += 1;
        }
        waits.sort_unstable();
        waits
    };
    let started = Instant::now();
    let quiet = puts(&|| started.elapsed() > Duration::from_secs(2));
    let is_done = AtomicBool::new(false);
    let (during, took) = thread::scope(|scope| {
        let checkpoint = scope.spawn(|| {
            let started = Instant::now();
            store.checkpoint().unwrap();
            let took = started.elapsed();
            is_done.store(true, Ordering::Relaxed);
            took
        });
        let waits = puts(&|| is_done.load(Ordering::Relaxed));
        (waits, checkpoint.join().unwrap())
    });
    for (name, waits) in [("without a checkpoint", quiet), ("during one", during)] {
        let Some(longest) = waits.last() else { continue };
        println!(
            "single puts {name}: {} of them, median {:?}, 99.9 % {:?}, longest {longest:?}",
            waits.len(),
            waits[waits.len() / 2],
            waits[waits.len() * 999 / 1000]
        );
    }
    println!("checkpoint of {entries} keys beside them: {took:?}");
    Ok(())
}
