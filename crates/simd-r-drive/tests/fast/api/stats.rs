//! What `stats` has counted since the store was opened: flushes and the commits that shared them,
//! barriers, and what opening found.

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::DataStoreWriter;
use simd_r_drive::{DataStore, Durability, OpenOptions};

use crate::support::new_path;

#[test]
fn a_flush_counts_the_commits_that_it_made_durable() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let stats = store.stats();
    assert_eq!(
        (stats.flushes, stats.flushed_commits, stats.largest_flush, stats.barriers),
        (0, 0, 0, 0)
    );
    for n in 0..5_u8 {
        store.write(&[n], b"value").unwrap();
    }
    store.sync().unwrap();
    store.write(b"one more", b"value").unwrap();
    store.sync().unwrap();
    store.sync().unwrap();
    let stats = store.stats();
    assert_eq!((stats.flushes, stats.flushed_commits, stats.largest_flush), (2, 6, 5));
    assert_eq!(stats.barriers, 0, "a flush by itself writes none");

    store.batch_delete(&[&[0], &[1]]).unwrap();
    store.compact().unwrap();
    let stats = store.stats();
    assert_eq!((stats.flushes, stats.barriers), (2, 1), "a compacted file ends with a barrier");
    store.write(b"after", b"value").unwrap();
    store.close().unwrap();
    let stats = store.stats();
    assert_eq!((stats.flushes, stats.flushed_commits, stats.barriers), (2, 6, 2));
}

/// A barrier that the store's own thread wrote was once counted with the commits.
#[test]
fn a_barrier_is_no_commit() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    // So much that a barrier is due at once.
    store.write(b"large", &vec![1; 33 << 20]).unwrap();
    let started = Instant::now();
    while store.stats().barriers == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "no barrier");
        thread::sleep(Duration::from_millis(1));
    }
    store.write(b"small", b"value").unwrap();
    store.sync().unwrap();
    let stats = store.stats();
    assert_eq!((stats.barriers, stats.flushed_commits, stats.largest_flush), (1, 2, 1));
}

#[test]
fn shared_flushes_count_no_commit_twice() {
    const THREADS: u64 = 8;
    const COMMITS: u64 = 50;
    let (_directory, path) = new_path();
    let store = OpenOptions::new().create(true).durability(Durability::Sync).open(&path).unwrap();
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..COMMITS {
                    store.write(&(thread * COMMITS + n).to_le_bytes(), b"value").unwrap();
                }
            });
        }
    });
    let stats = store.stats();
    assert_eq!(stats.flushed_commits, THREADS * COMMITS, "each was flushed when its call returned");
    assert!(stats.flushes <= THREADS * COMMITS);
    assert!((1..=THREADS).contains(&stats.largest_flush), "{stats:?}");
    assert!(stats.largest_flush >= stats.flushed_commits.div_ceil(stats.flushes), "{stats:?}");
}

#[test]
fn what_opening_found_is_told() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let header = store.stats().tail;
    store.write(b"a", b"1").unwrap();
    store.write(b"b", b"2").unwrap();
    let tail = store.stats().tail;
    let mut crashed = fs::read(&path).unwrap();
    drop(store);
    {
        let store = OpenOptions::new().read_only(true).open(&path).unwrap();
        let stats = store.stats();
        assert!(stats.was_clean);
        assert_eq!(
            (stats.recovered_bytes, stats.uncommitted_bytes, stats.damaged_ranges),
            (0, 0, 0)
        );
        assert_eq!(stats.slots_replayed, store.recovery_report().slots_replayed);
    }
    // As the file was while the store was open, with half a slot after the last commit.
    crashed[tail as usize] = 1;
    fs::write(&path, &crashed).unwrap();
    let store = DataStore::open(&path).unwrap();
    let stats = store.stats();
    assert!(!stats.was_clean);
    assert_eq!((stats.recovered_bytes, stats.uncommitted_bytes), (tail - header, 1));
    assert_eq!(stats.slots_replayed, 2);
    assert_eq!(stats.open_duration, store.recovery_report().duration);
    assert!(!stats.open_duration.is_zero());
    // What was recovered is flushed with the first flush, as one commit.
    store.write(b"c", b"3").unwrap();
    store.sync().unwrap();
    assert_eq!(store.stats().flushed_commits, 2);
}
