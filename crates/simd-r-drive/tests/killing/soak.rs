//! A soak test: four threads of one process write, delete, stream, compact and make checkpoints,
//! while four threads of another one read, refresh, wait, iterate and take snapshots. Everything
//! that a reader sees must be the state after some step of the writers' scripts. That step must not
//! be older than what was acknowledged when the reader refreshed, nor than what the reader saw
//! before, and must have begun when it looked.
//!
//! It runs for 3 seconds, or for as many as the environment variable `SIMD_R_DRIVE_SOAK_SECONDS`
//! says.

#![cfg(unix)]

use std::collections::HashMap;
use std::fs::{File, OpenOptions as FileOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::DataStoreReader;
use simd_r_drive::{DataStore, OpenOptions};

use crate::steps::{Contents, Step, Written, contents, contents_of, of_thread};
use crate::support::{Random, child, new_path};
use crate::victim::spawn;

const WRITERS: u64 = 4;
/// Keys of a writer that only ever change together.
const GROUP: u64 = 8;
/// Keys of a writer that come and go.
const SINGLES: u64 = 100;

fn single(thread: u64, number: u64) -> Vec<u8> {
    format!("{thread} single {number}").into_bytes()
}

fn member(thread: u64, number: u64) -> Vec<u8> {
    format!("{thread} member {number}").into_bytes()
}

/// Where each step goes is decided by its number, so that the readers know the model too.
fn script(thread: u64, number: u64) -> Step {
    let mut random = Random(number << 8 | thread);
    let any = |random: &mut Random| single(thread, random.below(SINGLES));
    match random.below(1000) {
        0 => Step::Stream(any(&mut random), (1 << 20) + random.below(300_000) as usize),
        1..=39 => Step::Stream(any(&mut random), random.below(3000) as usize),
        40..=44 => Step::Sync,
        45..=249 => Step::Delete((0..=random.below(4)).map(|_| any(&mut random)).collect()),
        250..=499 => Step::Write(
            (0..GROUP).map(|n| (member(thread, n), random.below(600) as usize)).collect(),
        ),
        _ => Step::Write(vec![(any(&mut random), random.below(1500) as usize)]),
    }
}

/// Numbers that both processes see, in a file. The complement of each number is next to it, so that
/// a half-written one is noticed.
struct Board(File);

impl Board {
    const IS_OVER: u64 = 2 * WRITERS;

    fn of(store: &Path) -> Self {
        let path = store.with_file_name("board");
        let mut options = FileOptions::new();
        Self(options.read(true).write(true).create(true).truncate(false).open(path).unwrap())
    }

    fn begun(thread: u64) -> u64 {
        2 * thread
    }

    fn acknowledged(thread: u64) -> u64 {
        2 * thread + 1
    }

    fn set(&self, place: u64, number: u64) {
        let bytes = [number.to_le_bytes(), (!number).to_le_bytes()].concat();
        self.0.write_all_at(&bytes, 16 * place).unwrap();
    }

    fn get(&self, place: u64) -> u64 {
        loop {
            let mut bytes = [0; 16];
            self.0.read_exact_at(&mut bytes, 16 * place).unwrap();
            let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
            if number == !u64::from_le_bytes(bytes[8..].try_into().unwrap()) {
                return number;
            }
        }
    }

    fn all(&self, place: fn(u64) -> u64) -> [u64; WRITERS as usize] {
        std::array::from_fn(|thread| self.get(place(thread as u64)))
    }

    fn is_over(&self) -> bool {
        self.get(Self::IS_OVER) == 1
    }
}

/// What one reader knows of the writers: how many steps of each it has seen, and what those leave.
struct Follower([(u64, Contents); WRITERS as usize]);

impl Follower {
    fn new() -> Self {
        Self(std::array::from_fn(|_| (0, Contents::new())))
    }

    /// Checks what was found, between what was acknowledged before and what had begun after.
    fn check(&mut self, found: &Contents, least: &[u64], board: &Board) {
        let most = board.all(Board::begun);
        for (thread, (steps, model)) in (0..).zip(&mut self.0) {
            let found = of_thread(found, thread);
            while *steps < least[thread as usize] || *model != found {
                assert!(
                    *steps < most[thread as usize],
                    "what thread {thread} never had at one time, nor before step {steps}: {found:?}"
                );
                *steps += 1;
                script(thread, *steps).apply(model, thread, *steps);
            }
        }
        let known: usize = self.0.iter().map(|(_, model)| model.len()).sum();
        assert_eq!(found.len(), known, "entries of nobody");
    }
}

/// A writer: goes through its script until the time is up. Returns what it must have left.
fn write(
    store: &DataStore,
    board: &Board,
    thread: u64,
    until: Instant,
    compactions: &AtomicU64,
) -> Contents {
    let mut model = Contents::new();
    for number in 1.. {
        board.set(Board::begun(thread), number);
        script(thread, number).perform(store, thread, number, &|| {}).unwrap();
        board.set(Board::acknowledged(thread), number);
        script(thread, number).apply(&mut model, thread, number);
        if thread == 0 && number % 100 == 0 {
            let is_compacted = store.compact_if(0.7, 4 << 20).unwrap();
            compactions.fetch_add(u64::from(is_compacted), Ordering::Relaxed);
        }
        if thread == 1 && number % 500 == 0 {
            store.checkpoint().unwrap();
        }
        if Instant::now() > until {
            break;
        }
        // Not faster than readers on few cores can follow.
        thread::sleep(Duration::from_micros(200));
    }
    model
}

/// A reader that refreshes and compares all that a snapshot and an iteration show.
fn compare_everything(store: &DataStore, board: &Board, looks: &AtomicU64) {
    let mut follower = Follower::new();
    loop {
        let is_last = board.is_over();
        let least = board.all(Board::acknowledged);
        store.refresh().unwrap();
        let snapshot = store.snapshot();
        let found = contents_of(snapshot.iter_entries());
        assert_eq!(snapshot.len().unwrap(), found.len());
        follower.check(&found, &least, board);
        for (key, written) in found.iter().step_by(17) {
            assert!(snapshot.read(key).unwrap().unwrap() == *written.value());
        }
        let found = contents_of(store.iter_entries());
        follower.check(&found, &least, board);
        looks.fetch_add(2, Ordering::Relaxed);
        if is_last {
            return;
        }
    }
}

/// A reader that waits for news and looks at keys that belong together.
fn watch_groups(store: &DataStore, board: &Board, looks: &AtomicU64) {
    let mut newest = [0; WRITERS as usize];
    while !board.is_over() {
        store.watch(Duration::from_millis(20)).unwrap();
        for thread in 0..WRITERS {
            let keys: Vec<Vec<u8>> = (0..GROUP).map(|n| member(thread, n)).collect();
            let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            let found = store.batch_read(&keys).unwrap();
            let versions: Vec<Option<u64>> = found
                .iter()
                .map(|entry| entry.as_ref().map(|entry| Written::of(entry).number))
                .collect();
            assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "{versions:?}");
            let version = versions[0].unwrap_or(0);
            let newest = &mut newest[thread as usize];
            assert!(version >= *newest, "back from {newest} to {version}");
            assert!(version <= board.get(Board::begun(thread)), "{version} has not begun");
            *newest = version;
            looks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A reader of single keys, which never go back.
fn read_keys(store: &DataStore, board: &Board, looks: &AtomicU64) {
    let mut random = Random(1);
    let mut newest: HashMap<Vec<u8>, u64> = HashMap::new();
    while !board.is_over() {
        let thread = random.below(WRITERS);
        let key = match random.below(4) {
            0 => member(thread, random.below(GROUP)),
            _ => single(thread, random.below(SINGLES)),
        };
        if random.below(8) == 0 {
            store.refresh().unwrap();
        }
        if let Some(entry) = store.read(&key).unwrap() {
            let written = Written::of(&entry);
            assert_eq!(written.thread, thread, "a value of another thread");
            let newest = newest.entry(key).or_default();
            assert!(written.number >= *newest, "back from {newest} to {}", written.number);
            assert!(written.number <= board.get(Board::begun(thread)), "{written:?} has not begun");
            *newest = written.number;
        }
        looks.fetch_add(1, Ordering::Relaxed);
    }
}

/// A reader that opens the store again and again, checks every checksum, and holds snapshots, which
/// must not change.
fn reopen(path: &Path, board: &Board, looks: &AtomicU64) {
    let mut follower = Follower::new();
    let mut held = None;
    while !board.is_over() {
        let least = board.all(Board::acknowledged);
        let store = OpenOptions::new().read_only(true).verify_reads(true).open(path).unwrap();
        let snapshot = store.snapshot();
        let found = contents_of(snapshot.iter_entries());
        follower.check(&found, &least, board);
        if let Some((old, contents)) = held.replace((snapshot, found)) {
            assert!(contents_of(old.iter_entries()) == contents, "a snapshot has changed");
        }
        looks.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn reading_process() {
    let Some((path, _)) = child::orders() else { return };
    let board = &Board::of(&path);
    let store = &OpenOptions::new().read_only(true).open(&path).unwrap();
    let looks: [AtomicU64; 4] = Default::default();
    thread::scope(|scope| {
        scope.spawn(|| compare_everything(store, board, &looks[0]));
        scope.spawn(|| watch_groups(store, board, &looks[1]));
        scope.spawn(|| read_keys(store, board, &looks[2]));
        scope.spawn(|| reopen(&path, board, &looks[3]));
    });
    let looks = looks.map(AtomicU64::into_inner);
    assert!(looks.iter().all(|looks| *looks > 5), "{looks:?}");
    let [everything, groups, keys, opened] = looks;
    eprintln!(
        "looks at everything: {everything}, at groups: {groups}, at keys: {keys}, of new openings: {opened}"
    );
}

#[test]
fn two_processes_never_deviate() {
    let seconds =
        std::env::var("SIMD_R_DRIVE_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let board = Board::of(&path);
    (0..=Board::IS_OVER).for_each(|place| board.set(place, 0));
    let readers = spawn(reading_process, &path, "");
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(3));
    let compactions = AtomicU64::new(0);
    let models: Vec<thread::Result<Contents>> = thread::scope(|scope| {
        let (store, board, compactions) = (&store, &board, &compactions);
        let writers: Vec<_> = (0..WRITERS)
            .map(|thread| scope.spawn(move || write(store, board, thread, until, compactions)))
            .collect();
        writers.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    // Whatever happened, the readers come to their end.
    board.set(Board::IS_OVER, 1);
    let output = readers.wait_with_output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the readers: {}: {report}", output.status);
    let model: Contents = models.into_iter().flat_map(Result::unwrap).collect();
    assert!(contents(&store) == model, "the writers' own store");
    store.close().unwrap();
    assert!(contents(&DataStore::open(&path).unwrap()) == model, "reopened");
    let steps: u64 = board.all(Board::acknowledged).iter().sum();
    let compactions = compactions.into_inner();
    println!("{steps} steps, {compactions} compactions; {report}");
    assert!(compactions > 0);
}
