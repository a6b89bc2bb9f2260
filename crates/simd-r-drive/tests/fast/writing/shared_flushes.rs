//! Group commit: at `Durability::Sync`, each write returns only after a flush that began after it,
//! and still there are far fewer flushes than writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Durability, OpenOptions};

use crate::support::hooks::{Call, Hooked};

const THREADS: u64 = 8;
const WRITES: u64 = 1250;

/// The least time that a flush takes, as on most devices, even if the file system is in memory.
const LEAST_FLUSH: Duration = Duration::from_micros(300);

#[derive(Default)]
struct Flushes {
    begun: AtomicU64,
    ended: AtomicU64,
}

fn key(thread: u64, number: u64) -> Vec<u8> {
    format!("{thread} {number}").into_bytes()
}

#[test]
fn durable_writes_of_eight_threads_take_few_flushes() {
    // Beside what is built: more likely on a disk than the directory for temporary files.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = directory.path().join("store.srd");
    let flushes = Arc::new(Flushes::default());
    let counted = Arc::clone(&flushes);
    let file_system = Hooked::new(move |call| {
        match call {
            Call::Sync => {
                counted.begun.fetch_add(1, Ordering::SeqCst);
                thread::sleep(LEAST_FLUSH);
            }
            Call::Synced => {
                counted.ended.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        Ok(true)
    });
    DataStore::open(&path).unwrap().close().unwrap();
    let options = OpenOptions::new().durability(Durability::Sync).file_system(file_system);
    let store = options.open(&path).unwrap();
    let before = flushes.begun.load(Ordering::SeqCst);
    let started = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, flushes) = (&store, &flushes);
            scope.spawn(move || {
                for number in 0..WRITES {
                    let begun_before = flushes.begun.load(Ordering::SeqCst);
                    store.write(&key(thread, number), &number.to_le_bytes()).unwrap();
                    // One flush runs at a time. So if more flushes have ended than had begun before
                    // the write, one of them began after it.
                    let ended = flushes.ended.load(Ordering::SeqCst);
                    assert!(ended > begun_before, "acknowledged before it was flushed");
                }
            });
        }
    });
    let (time, stats) = (started.elapsed(), store.stats());
    let count = flushes.begun.load(Ordering::SeqCst) - before;
    println!(
        "{} durable writes in {time:?}: {count} flushes, {} writes were served by another thread's",
        THREADS * WRITES,
        stats.shared_flushes
    );
    assert!(count < THREADS * WRITES / 3, "{count} flushes");
    assert_eq!(stats.flushes, count, "what the store counts");
    assert_eq!(stats.flushed_commits, THREADS * WRITES);
    assert!(stats.shared_flushes > THREADS * WRITES / 3);
    drop(store);
    let store = DataStore::open(&path).unwrap();
    assert_eq!(store.len().unwrap() as u64, THREADS * WRITES);
    for (thread, number) in (0..THREADS).flat_map(|thread| (0..WRITES).map(move |n| (thread, n))) {
        assert_eq!(
            store.read(&key(thread, number)).unwrap().unwrap(),
            number.to_le_bytes().as_slice()
        );
    }
}
