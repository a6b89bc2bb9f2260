//! Automatic checkpoints: those that an open store makes by itself, with the merges that follow,
//! and the one on closing.

use std::path::PathBuf;
use std::time::Duration;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};
use tempfile::TempDir;

use crate::ledger::told;
use crate::scene::rounds;
use crate::support::{Random, child, new_path};
use crate::victim::{Victim, say};

/// Hashes in a commit.
const COMMIT: u64 = 2000;

/// Number of commits with different hashes. After these, the hashes of the first commit are written
/// again.
const COMMITS: u64 = 150;

/// After this many writes since the last checkpoint, an open store makes one.
const AUTOMATIC_MIN: u64 = 32_768;

/// How many kills a series has: fewer than others, since each writes and reads some hundred
/// thousand entries.
fn kills() -> u64 {
    rounds().div_ceil(4)
}

fn value(hash: u64, commit: u64) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&hash.to_le_bytes());
    value[8..].copy_from_slice(&commit.to_le_bytes());
    value
}

fn hashes(commit: u64) -> std::ops::Range<u64> {
    let first = commit % COMMITS * COMMIT;
    first..first + COMMIT
}

fn write(store: &DataStore, commit: u64) {
    let values: Vec<_> = hashes(commit).map(|hash| value(hash, commit)).collect();
    let entries = hashes(commit).zip(&values).map(|(hash, value)| (hash, &value[..])).collect();
    store.batch_write_with_key_hashes(entries, false).unwrap();
    say(&format!("a{commit}"));
}

#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Some((path, orders)) = child::orders() else { return };
    let store = DataStore::open(&path).unwrap();
    let (first, last) = orders.split_once(' ').unwrap();
    for commit in first.parse().unwrap()..last.parse().unwrap() {
        write(&store, commit);
    }
    told("close", || store.close().unwrap());
    loop {
        std::thread::park();
    }
}

/// A store, and how many commits are in it.
struct Scene {
    _directory: TempDir,
    path: PathBuf,
    commits: u64,
}

impl Scene {
    fn new() -> Self {
        let (directory, path) = new_path();
        Self { _directory: directory, path, commits: 0 }
    }

    fn start(&self, commits: u64) -> Victim {
        let orders = format!("{} {}", self.commits, self.commits.saturating_add(commits));
        Victim::start(process, &self.path, &orders)
    }

    /// Looks at what a kill has left: all that was acknowledged, and at most one commit more.
    /// Returns the store.
    #[track_caller]
    fn look(&mut self, heard: &[String], is_thorough: bool) -> DataStore {
        let acknowledged = heard.iter().filter_map(|line| line.strip_prefix('a')?.parse().ok());
        let acknowledged = acknowledged.max().map_or(self.commits, |commit: u64| commit + 1);
        let store = OpenOptions::new().read_only(true).open(&self.path).unwrap();
        let next = hashes(acknowledged).start;
        let found = store.read_with_key_hash(next).unwrap();
        let has_one_more = found.is_some_and(|found| *found == value(next, acknowledged));
        self.commits = acknowledged + u64::from(has_one_more);
        let step = if is_thorough { 1 } else { 11 };
        // Of each round, the newest commit.
        for commit in self.commits.saturating_sub(COMMITS)..self.commits {
            let hashes: Vec<u64> = hashes(commit).step_by(step).collect();
            let found = store.batch_read_hashed_keys(&hashes, None).unwrap();
            for (hash, found) in hashes.iter().zip(found) {
                let expected = value(*hash, commit);
                assert_eq!(found.as_deref(), Some(&expected[..]), "hash {hash}, commit {commit}");
            }
        }
        assert_eq!(store.len().unwrap() as u64, self.commits.min(COMMITS) * COMMIT);
        store
    }
}

#[test]
fn kills_of_automatic_checkpoints_lose_nothing() {
    let mut random = Random(std::process::id().into());
    let (mut inside, mut through_index, mut over_tables) = (0, 0, 0);
    let mut scene = Scene::new();
    for round in 0..kills() {
        if round % 20 == 0 {
            scene = Scene::new();
        }
        let mut victim = scene.start(u64::MAX);
        victim.wait_for(&format!("a{}", scene.commits + 30 + random.below(60)));
        let heard = victim.kill_after(Duration::from_micros(random.below(4000)));
        let store = scene.look(&heard, round % 20 == 19);
        let report = store.recovery_report();
        through_index += u64::from(report.is_index_used);
        // More than there is before one begins.
        inside += u64::from(report.slots_replayed >= AUTOMATIC_MIN + 2);
        over_tables += u64::from(store.stats().frozen_tables > 1);
    }
    println!(
        "{} kills: {inside} inside a checkpoint, {through_index} stores opened through an index, {over_tables} of \
         several tables",
        kills(),
    );
    assert!(inside > kills() / 20, "{inside} kills landed inside a checkpoint");
    assert!(through_index > kills() / 2, "{through_index} stores were opened through an index");
    assert!(over_tables > kills() / 10, "{over_tables} stores had several tables");
}

#[test]
fn kills_of_checkpoints_at_close_lose_nothing() {
    let mut random = Random(std::process::id().into());
    let (mut inside, mut with_it) = (0, 0);
    // Closing takes longer on a busy machine. The instants follow it: half of them come before its
    // end.
    let mut most_micros = 40_000;
    let mut scene = Scene::new();
    for round in 0..kills() {
        if round % 20 == 0 {
            scene = Scene::new();
        }
        let mut victim = scene.start(3 + random.below(10));
        victim.wait_for("+close");
        let heard = victim.kill_after(Duration::from_micros(random.below(most_micros)));
        let is_inside = !heard.iter().any(|line| line == "-close");
        inside += u64::from(is_inside);
        most_micros = if is_inside { most_micros * 5 / 4 } else { most_micros * 4 / 5 };
        let store = scene.look(&heard, round % 20 == 19);
        with_it += u64::from(store.recovery_report().slots_replayed < 3);
    }
    println!("{} kills: {inside} while closing, {with_it} when the index was complete", kills());
    assert!(inside > kills() / 4, "{inside} kills landed while closing");
    assert!(with_it > 0, "{with_it} kills came when the index was complete");
}
