//! Large tables are merged in pieces, with checkpoints in between. However long the merge takes,
//! little has to be replayed after a crash.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::hooks::{Call, Hooked};
use crate::support::new_path;

/// Writes since the last checkpoint from which one is made.
const AUTOMATIC_MIN: u64 = 32_768;

/// Pieces of a table are at least this long. Barriers, hints and headers of tables are shorter.
/// They are written under the writer's lock and must not be delayed.
const PIECE_MIN: usize = 4097;

/// How many pieces of tables may still be written by the thread that makes checkpoints.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    left: u64,
    is_waiting: bool,
}

impl Gate {
    fn open(&self, pieces: u64) {
        let mut state = self.state.lock().unwrap();
        state.left = state.left.saturating_add(pieces);
        self.opened.notify_all();
    }

    fn pass(&self) {
        if thread::current().name() != Some("simd-r-drive-index") {
            return;
        }
        let mut state = self.state.lock().unwrap();
        state.is_waiting = true;
        state = self.opened.wait_while(state, |state| state.left == 0).unwrap();
        state.is_waiting = false;
        state.left -= u64::from(state.left < u64::MAX);
    }

    /// Lets everything pass when the test ends, so that a failed one does not wait for ever.
    fn opened_at_the_end(self: &Arc<Self>) -> impl Drop {
        struct Opened(Arc<Gate>);
        impl Drop for Opened {
            fn drop(&mut self) {
                self.0.open(u64::MAX);
            }
        }
        Opened(Arc::clone(self))
    }

    fn is_waited_at(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.is_waiting && state.left == 0
    }
}

fn load(store: &DataStore, hashes: std::ops::Range<u64>) {
    for first in hashes.clone().step_by(1024) {
        let numbers = first..hashes.end.min(first + 1024);
        let values: Vec<_> = numbers.clone().map(u64::to_le_bytes).collect();
        let entries = numbers.zip(&values).map(|(hash, value)| (hash, &value[..])).collect();
        store.batch_write_with_key_hashes(entries, false).unwrap();
    }
}

#[track_caller]
fn check(store: &DataStore, end: u64) {
    let hashes: Vec<u64> = (0..end + 1000).collect();
    let found = store.batch_read_hashed_keys(&hashes, None).unwrap();
    for (hash, found) in hashes.iter().zip(found) {
        let expected = (*hash < end).then(|| hash.to_le_bytes());
        assert_eq!(found.as_deref(), expected.as_ref().map(|value| &value[..]), "hash {hash}");
    }
    assert_eq!(store.len().unwrap() as u64, end);
    assert!(!store.stats().is_frozen_rebuilt);
}

/// What a crash would leave now: how many tables, and how many slots to replay.
#[track_caller]
fn crash(path: &Path, end: u64) -> (u64, u64) {
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).unwrap();
    let store = OpenOptions::new().read_only(true).open(&copy).unwrap();
    assert!(store.recovery_report().is_index_used);
    check(&store, end);
    (store.stats().frozen_tables, store.recovery_report().slots_replayed)
}

/// A merged table names a newer one that comes later in the log. If a copy had lost that one,
/// opening it once failed because it could not be read, although the copy could be read without an
/// index.
#[track_caller]
fn check_cut_off(path: &Path, len: u64) {
    let copy = path.with_extension("copy");
    std::fs::copy(path, &copy).unwrap();
    std::fs::OpenOptions::new().write(true).open(&copy).unwrap().set_len(len).unwrap();
    let store = OpenOptions::new().read_only(true).open(&copy).unwrap();
    assert!(!store.recovery_report().is_index_used);
    assert_eq!(store.stats().tail, len);
    assert!(!store.recovery_report().damaged.is_empty());
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}: not within a minute");
        thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn checkpoints_go_on_while_tables_are_merged() {
    const FIRST: u64 = 70_000;
    let (_directory, path) = new_path();
    let quiet = OpenOptions::new().create(true).automatic_checkpoints(false);
    let store = quiet.open(&path).unwrap();
    load(&store, 0..FIRST);
    store.checkpoint().unwrap();
    drop(store);

    let gate = Arc::new(Gate::default());
    let hook = {
        let gate = Arc::clone(&gate);
        move |call| {
            if matches!(call, Call::WriteAt(PIECE_MIN..)) {
                gate.pass();
            }
            Ok(true)
        }
    };
    let store = OpenOptions::new().file_system(Hooked::new(hook)).open(&path).unwrap();
    let _opened = gate.opened_at_the_end();
    // One piece at a time, until `checkpoints` checkpoints are complete.
    let let_complete = |checkpoints: u64| {
        wait_until("a checkpoint", || {
            if store.stats().checkpoints >= checkpoints {
                return true;
            }
            if gate.is_waited_at() {
                gate.open(1);
            }
            false
        });
    };
    let mut end = FIRST;
    let load_more = |end: &mut u64| {
        load(&store, *end..*end + AUTOMATIC_MIN);
        *end += AUTOMATIC_MIN;
    };
    // The second is merged with the first at once, since both are small.
    for checkpoint in 1..=2 {
        load_more(&mut end);
        let_complete(checkpoint);
        wait_until("its hints", || crash(&path, end).0 == 2);
    }
    assert_eq!(store.stats().frozen_tables, 2);
    // After the third, the oldest table is no larger than all others.
    load_more(&mut end);
    let_complete(3);
    assert_eq!(store.stats().frozen_tables, 3);
    wait_until("the merge", || gate.is_waited_at());
    // The slot of the merged table ends below.
    let before_the_newest = store.stats().tail;
    load_more(&mut end);
    let (tables, slots) = crash(&path, end);
    assert_eq!(tables, 3);
    assert!(slots >= AUTOMATIC_MIN, "{slots} slots");

    // The next piece of the merge waits for a checkpoint.
    let_complete(4);
    assert_eq!(store.stats().frozen_tables, 4, "the merge is not complete");
    wait_until("the next piece", || gate.is_waited_at());
    let (tables, slots) = crash(&path, end);
    assert_eq!(tables, 4);
    assert!(slots < 10, "{slots} slots");
    check(&store, end);

    gate.open(u64::MAX);
    wait_until("the end of the merge", || store.stats().checkpoints == 5);
    assert_eq!(
        store.stats().frozen_tables,
        2,
        "the merged one, and the one that was made meanwhile"
    );
    check(&store, end);
    wait_until("its hints", || crash(&path, end).0 == 2);
    let (_, slots) = crash(&path, end);
    assert!(slots < 10, "{slots} slots");
    check_cut_off(&path, before_the_newest);
    store.close().unwrap();
    drop(store);
    check(&DataStore::open(&path).unwrap(), end);
}
