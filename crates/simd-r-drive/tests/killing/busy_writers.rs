//! A compaction ends soon, however much is written meanwhile: by one thread without a pause, by
//! many, in large batches, or by its own callback. Little is left for the end, when writers wait.
//! Nothing is lost.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{CompactionReport, DataStore, OpenOptions, compute_hash};

use crate::support::{Random, keys_of_one_hash, new_path, new_store, within};

/// Most that may be gone through while writers wait, in bytes.
const LOCKED_MAX: u64 = 1 << 20;

/// Far longer than any compaction here takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Where a flood ends, so that a compaction that never does fills no disk.
const FLOOD_MAX: u64 = 3 << 30;

fn key(thread: u64, number: u64) -> Vec<u8> {
    format!("thread {thread} key {number}").into_bytes()
}

/// Compacts a store. From before that until after it, `threads` threads write batches of `batch`
/// values of `len` bytes, each thread under `keys` keys of its own. Then compares the contents.
fn compact_beside_flood(threads: u64, batch: u64, len: usize, keys: u64) -> CompactionReport {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    for number in 0..20_000_u64 {
        store.write(&number.to_le_bytes(), &[7; 500]).unwrap();
    }
    let is_over = AtomicBool::new(false);
    let (report, last) = thread::scope(|scope| {
        let (store, is_over) = (&store, &is_over);
        let flood = |thread: u64| {
            let mut last = BTreeMap::new();
            let mut value = vec![0x5a; len];
            let mut round = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                assert!(store.file_size().unwrap() < FLOOD_MAX, "the compaction does not end");
                value[..8].copy_from_slice(&round.to_le_bytes());
                let first = round * batch;
                let names: Vec<_> =
                    (first..first + batch).map(|number| key(thread, number % keys)).collect();
                let entries: Vec<_> = names.iter().map(|name| (&name[..], &value[..])).collect();
                store.batch_write(&entries).unwrap();
                last.extend(names.into_iter().map(|name| (name, round)));
                round += 1;
            }
            last
        };
        let floods: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || flood(thread))).collect();
        let started = Instant::now();
        let report = store.compact_with(|_| ControlFlow::Continue(())).unwrap();
        assert!(started.elapsed() < LIMIT);
        is_over.store(true, Ordering::Relaxed);
        let mut last = BTreeMap::new();
        floods.into_iter().for_each(|flood| last.extend(flood.join().unwrap()));
        (report, last)
    });
    assert!(report.locked_bytes <= LOCKED_MAX, "{report:?}");
    let check = |store: &DataStore| {
        for (key, round) in &last {
            let found = store.read(key).unwrap().expect("an acknowledged write");
            assert!(found[..8] == round.to_le_bytes() && found.len() == len);
        }
        assert!((0..20_000_u64).all(|number| store.exists(&number.to_le_bytes()).unwrap()));
        assert_eq!(store.len().unwrap(), 20_000 + last.len());
    };
    check(&store);
    drop(store);
    check(&DataStore::open_existing(&path).unwrap());
    report
}

#[test]
fn a_compaction_ends_beside_small_writes() {
    compact_beside_flood(1, 1, 256, 10_000);
}

#[test]
fn a_compaction_ends_beside_writes_of_one_key() {
    compact_beside_flood(1, 1, 8, 1);
}

#[test]
fn a_compaction_ends_beside_eight_threads() {
    compact_beside_flood(8, 4, 100, 10_000);
}

/// Each of its commits is longer than what may be left for the end.
#[test]
fn a_compaction_ends_beside_large_batches() {
    compact_beside_flood(1, 512, 4096, 16_384);
}

/// It holds up nobody but itself, and could go on for ever.
#[test]
fn a_compaction_ends_beside_its_writing_callback() {
    let (_directory, store) = new_store();
    store.write(b"key", b"value").unwrap();
    let report = within(LIMIT, "a compaction", move || {
        let value = vec![1; 4 << 20];
        let mut number = 0_u64;
        let report = store.compact_with(|_| {
            store.write(&number.to_le_bytes(), &value).unwrap();
            number += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(store.len().unwrap() as u64, 1 + number);
        report.unwrap()
    });
    assert!(report.locked_bytes <= LOCKED_MAX, "{report:?}");
}

/// Keys with the same hash, and the bare hash, replace each other many times between two commits of
/// the new file.
#[test]
fn what_was_rewritten_has_its_last_state_and_counts() {
    let [a, b] = *keys_of_one_hash(2) else { unreachable!() };
    let hash = compute_hash(&a);
    for seed in 0..60 {
        let mut random = Random(seed);
        let (_directory, path) = new_path();
        let options = OpenOptions::new().create(true).automatic_checkpoints(seed % 2 == 0);
        let store = options.open(&path).unwrap();
        let (_other_directory, other) = new_store();
        let mut step = |stores: [&DataStore; 2]| {
            let value = random.bytes(24);
            let single = random.below(3).to_le_bytes();
            let choice = random.below(9);
            let results = stores.map(|store| match choice {
                0 => store.write(&a, &value),
                1 => store.write(&b, &value),
                2 => store.batch_write(&[(&a, &value), (&single, &value), (&b, &value)]),
                3 => store.write_with_key_hash(hash, &value),
                4 => store.delete(&a),
                5 => store.batch_delete(&[&b, &single]),
                6 => store.batch_delete_key_hashes(&[hash]),
                7 => store.rename(&a, &single),
                _ => store.write(&single, &value),
            });
            // Some are refused: two keys have the hash, or there is none to rename.
            assert_eq!(results[0].is_ok(), results[1].is_ok());
        };
        (0..20).for_each(|_| step([&store, &other]));
        store.write(b"kept", b"value").unwrap();
        other.write(b"kept", b"value").unwrap();
        let mut left = 5;
        store
            .compact_with(|_| {
                if left > 0 {
                    left -= 1;
                    // More than is copied while writers wait, so that a round of its own copies it.
                    for store in [&store, &other] {
                        store.write(b"long", &vec![left; 2 << 20]).unwrap();
                    }
                    (0..10).for_each(|_| step([&store, &other]));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(left < 5);
        let contents = |store: &DataStore| {
            let lines = store.iter_entries().map(|entry| (entry.key_hash(), entry.to_vec()));
            let found = [&a[..], &b[..], &[0; 8]]
                .map(|key| store.read(key).unwrap().map(|entry| entry.to_vec()));
            let mut lines: Vec<_> = lines.collect();
            lines.sort();
            (lines, found, store.len().unwrap())
        };
        let expected = contents(&other);
        assert!(contents(&store) == expected, "seed {seed}");
        let counted = |store: &DataStore| {
            let stats = store.stats();
            (stats.live_keys, stats.dead_slots, stats.dead_bytes)
        };
        let before = counted(&store);
        drop(store);
        // Counted anew, from what the slots say of those before them.
        let store = OpenOptions::new().read_only(true).open(&path).unwrap();
        assert_eq!(counted(&store), before, "seed {seed}");
        assert!(contents(&store) == expected, "seed {seed}");
    }
}
