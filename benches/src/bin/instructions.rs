//! Counts the instructions of the hot paths under valgrind, which counts the same whatever else the
//! machine does.
//!
//! `instructions` prints a table of instructions per operation. `instructions --check` also
//! compares it with `benches/instructions.txt` and fails if a path has grown by more than
//! [`TOLERANCE`]. `instructions --accept` writes that file anew.
//!
//! Each path runs twice under valgrind, in a process of its own, with different numbers of
//! operations. The difference is that of the operations alone. To profile a path, do the same by
//! hand: `instructions fill STORE`, then `instructions run PATH STORE OPERATIONS`.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};
use simd_r_drive_benches::{filled_store_at, key, random_below, value};
use tempfile::TempDir;

/// Growth of a path that is an error, in percent. Hash secrets differ from store to store, and with
/// them the lengths of probes.
const TOLERANCE: u64 = 3;

/// Entries of the store that is read.
const ENTRIES: u64 = 50_000;

/// Keys that the single reads use.
const HOT_KEYS: usize = 1000;

/// Keys of a batch.
const BATCH: usize = 1024;

const MAX_WRITES: u64 = 131_072;

type Key = [u8; 20];
type Value = [u8; 8];

/// A path, the operations of its two runs, and what one run does.
struct HotPath {
    name: &'static str,
    operations: [usize; 2],
    run: fn(&Path, usize) -> io::Result<()>,
}

const PATHS: [HotPath; 10] = [
    HotPath { name: "read", operations: [10_000, 60_000], run: read },
    HotPath { name: "view().get", operations: [10_000, 60_000], run: view_get },
    HotPath { name: "read, in memory", operations: [10_000, 60_000], run: read_in_memory },
    HotPath { name: "exists, absent", operations: [10_000, 60_000], run: absent },
    HotPath { name: "batch_read", operations: [10_240, 61_440], run: batch_read },
    HotPath { name: "view().get_many", operations: [10_240, 61_440], run: get_many },
    HotPath { name: "iter_entries", operations: [1, 3], run: scan },
    HotPath { name: "view().entries", operations: [1, 3], run: lend_all },
    HotPath { name: "batch_write", operations: [65_536, 131_072], run: batch_write },
    HotPath { name: "write", operations: [5_000, 25_000], run: write },
];

/// How many entries one operation of `name` handles.
fn entries_of(name: &str) -> u64 {
    if matches!(name, "iter_entries" | "view().entries") { ENTRIES } else { 1 }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        ["fill", store] => fill(Path::new(store)),
        ["run", name, store, operations] => run_one(name, store, operations),
        [] => table().map(|table| print!("{}", text(&table))),
        ["--accept"] => table().and_then(|table| fs::write(baseline(), text(&table))),
        ["--check"] => check(),
        _ => Err(io::Error::other("usage: instructions [--check | --accept]")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Instructions per operation, by path.
type Table = Vec<(&'static str, u64)>;

fn table() -> io::Result<Table> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    fill(&path)?;
    let mut table = Table::new();
    for HotPath { name, operations: [few, many], .. } in PATHS {
        let additional = counted(name, &path, many)?.saturating_sub(counted(name, &path, few)?);
        table.push((name, additional / ((many - few) as u64 * entries_of(name))));
    }
    Ok(table)
}

fn text(table: &Table) -> String {
    table.iter().fold(String::new(), |mut text, (name, count)| {
        let _ = writeln!(text, "{count:6}  {name}");
        text
    })
}

fn baseline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.txt")
}

fn check() -> io::Result<()> {
    let baseline = fs::read_to_string(baseline())?;
    let mut grown = Vec::new();
    for (name, count) in table()? {
        let before = baseline.lines().find_map(|line| {
            let (before, other) = line.trim_start().split_once("  ")?;
            if other == name { before.parse::<u64>().ok() } else { None }
        });
        let Some(before) = before else {
            return Err(io::Error::other(format!("no baseline for `{name}`: run with --accept")));
        };
        println!("{count:6}  {name} (baseline: {before})");
        if count * 100 > before * (100 + TOLERANCE) {
            grown.push(name);
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    let grown = grown.join(", ");
    Err(io::Error::other(format!("more instructions than the baseline allows: {grown}")))
}

/// The instructions of a process that performs `operations` operations of a path.
fn counted(name: &str, store: &Path, operations: usize) -> io::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args(["run", name])
        .arg(store)
        .arg(operations.to_string())
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot run valgrind: {error}")))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let count = report.lines().find_map(|line| {
        let (_, count) = line.split_once("I   refs:").or_else(|| line.split_once("I refs:"))?;
        count.trim().replace(',', "").parse().ok()
    });
    match count {
        Some(count) if output.status.success() => Ok(count),
        _ => Err(io::Error::other(format!("valgrind failed for `{name}`:\n{report}"))),
    }
}

fn run_one(name: &str, store: &str, operations: &str) -> io::Result<()> {
    let operations = operations.parse().map_err(io::Error::other)?;
    let path = PATHS.into_iter().find(|path| path.name == name);
    let path = path.ok_or_else(|| io::Error::other(format!("no path is called `{name}`")))?;
    (path.run)(Path::new(store), operations)
}

/// A store with a single table.
fn fill(path: &Path) -> io::Result<()> {
    let store = filled_store_at(path, ENTRIES);
    store.checkpoint()?;
    store.close()
}

fn open(path: &Path) -> io::Result<DataStore> {
    OpenOptions::new().read_only(true).open(path)
}

fn new_store() -> io::Result<(TempDir, DataStore)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    // A checkpoint begins when a thread gets to run.
    let options = OpenOptions::new().create(true).automatic_checkpoints(false);
    Ok((directory, options.open(&path)?))
}

fn entry(number: u64) -> (Key, Value) {
    (key(number), value(number))
}

/// Entries of the store at random, as many as the single reads use. Made before what is counted.
fn hot_entries() -> Vec<(Key, Value)> {
    random_below(ENTRIES).take(HOT_KEYS).map(entry).collect()
}

fn read(path: &Path, operations: usize) -> io::Result<()> {
    let store = open(path)?;
    for (key, value) in hot_entries().iter().cycle().take(operations) {
        assert_eq!(store.read(key)?.as_deref(), Some(&value[..]));
    }
    Ok(())
}

fn view_get(path: &Path, operations: usize) -> io::Result<()> {
    let store = open(path)?;
    let view = store.view();
    for (key, value) in hot_entries().iter().cycle().take(operations) {
        assert_eq!(view.get(key)?, Some(&value[..]));
    }
    Ok(())
}

fn read_in_memory(_: &Path, operations: usize) -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = filled_store_at(&directory.path().join("store.srd"), HOT_KEYS as u64);
    let entries: Vec<(Key, Value)> = (0..HOT_KEYS as u64).map(entry).collect();
    for (key, value) in entries.iter().cycle().take(operations) {
        assert_eq!(store.read(key)?.as_deref(), Some(&value[..]));
    }
    Ok(())
}

fn absent(path: &Path, operations: usize) -> io::Result<()> {
    let store = open(path)?;
    let keys: Vec<Key> = (ENTRIES..).map(key).take(HOT_KEYS).collect();
    for key in keys.iter().cycle().take(operations) {
        assert!(!store.exists(key)?);
    }
    Ok(())
}

fn batch_read(path: &Path, operations: usize) -> io::Result<()> {
    let store = open(path)?;
    let entries: Vec<(Key, Value)> = random_below(ENTRIES).take(BATCH).map(entry).collect();
    let keys: Vec<&[u8]> = entries.iter().map(|(key, _)| &key[..]).collect();
    for _ in 0..operations / BATCH {
        for (found, (_, value)) in store.batch_read(&keys)?.iter().zip(&entries) {
            assert_eq!(found.as_deref(), Some(&value[..]));
        }
    }
    Ok(())
}

fn get_many(path: &Path, operations: usize) -> io::Result<()> {
    let store = open(path)?;
    let entries: Vec<(Key, Value)> = random_below(ENTRIES).take(BATCH).map(entry).collect();
    let keys: Vec<&[u8]> = entries.iter().map(|(key, _)| &key[..]).collect();
    let view = store.view();
    let mut found = Vec::new();
    for _ in 0..operations / BATCH {
        view.get_many(&keys, &mut found)?;
        for (found, (_, value)) in found.iter().zip(&entries) {
            assert_eq!(*found, Some(&value[..]));
        }
    }
    Ok(())
}

fn scan(path: &Path, operations: usize) -> io::Result<()> {
    let store = open(path)?;
    for _ in 0..operations {
        let bytes: usize = store.iter_entries().map(|entry| black_box(entry).len()).sum();
        assert_eq!(bytes as u64, 8 * ENTRIES);
    }
    Ok(())
}

fn lend_all(path: &Path, operations: usize) -> io::Result<()> {
    let store = open(path)?;
    for _ in 0..operations {
        let mut bytes = 0;
        for entry in store.view().entries() {
            bytes += black_box(entry?.payload).len() as u64;
        }
        assert_eq!(bytes, 8 * ENTRIES);
    }
    Ok(())
}

fn batch_write(_: &Path, operations: usize) -> io::Result<()> {
    let (_directory, store) = new_store()?;
    let entries: Vec<(Key, Value)> = (0..MAX_WRITES).map(entry).collect();
    let entries: Vec<(&[u8], &[u8])> =
        entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    for batch in entries[..operations].chunks(BATCH) {
        store.batch_write(batch)?;
    }
    Ok(())
}

fn write(_: &Path, operations: usize) -> io::Result<()> {
    let (_directory, store) = new_store()?;
    let keys: Vec<Key> = (0..MAX_WRITES).map(key).collect();
    for key in &keys[..operations] {
        store.write(key, &[7; 256])?;
    }
    Ok(())
}
