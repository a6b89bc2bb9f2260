//! Readers in threads and in other processes, while one writer floods the store.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, EntryHandle, OpenOptions};

use crate::support::{Random, child, new_path};

/// Keys that every batch writes; their values begin with the batch's number.
const MEMBERS: u64 = 12;
/// Keys that are written once and stay.
const SETTLED: u64 = 500;
const FLOOD: Duration = Duration::from_secs(3);

fn member(number: u64) -> Vec<u8> {
    format!("member {number}").into_bytes()
}

fn settled(number: u64) -> Vec<u8> {
    format!("settled {number}").into_bytes()
}

fn version(entry: &EntryHandle) -> u64 {
    u64::from_le_bytes(*entry.first_chunk().unwrap())
}

fn batch_value(version: u64, member: u64) -> Vec<u8> {
    let mut value = version.to_le_bytes().to_vec();
    value.resize(8 + (version * 31 + member * 97) as usize % 700, version as u8);
    value
}

fn write_batch(store: &DataStore, version: u64) {
    let entries: Vec<(Vec<u8>, Vec<u8>)> =
        (0..MEMBERS).map(|number| (member(number), batch_value(version, number))).collect();
    let entries: Vec<(&[u8], &[u8])> =
        entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
    store.batch_write(&entries).unwrap();
}

fn fill(store: &DataStore) {
    for number in 0..SETTLED {
        store.write(&settled(number), &number.to_le_bytes()).unwrap();
    }
    write_batch(store, 1);
}

/// A batch read of all members, in any order, is one version; returns it.
fn check_members(store: &DataStore, random: &mut Random) -> u64 {
    let first = random.below(MEMBERS);
    let keys: Vec<Vec<u8>> = (0..MEMBERS).map(|n| member((first + n) % MEMBERS)).collect();
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let entries = store.batch_read(&keys).unwrap();
    let entries: Vec<EntryHandle> =
        entries.into_iter().map(|entry| entry.expect("a committed key is missing")).collect();
    let version = version(&entries[0]);
    for (n, entry) in entries.iter().enumerate() {
        let member = (first + n as u64) % MEMBERS;
        assert!(*entry == batch_value(version, member), "half of a batch, or half of a value");
    }
    version
}

/// An iteration shows each live key once, all members in one version; returns it.
fn check_iteration(store: &DataStore) -> u64 {
    let (mut members, mut others, mut versions) = (0, 0, Vec::new());
    let mut iterator = store.iter_entries();
    for entry in iterator.by_ref() {
        let key = entry.key().unwrap();
        if key.starts_with(b"member") {
            members += 1;
            versions.push(version(&entry));
        } else if key.starts_with(b"settled") {
            others += 1;
        }
    }
    iterator.finish().unwrap();
    assert_eq!((members, others), (MEMBERS, SETTLED), "an iteration misses keys");
    versions.dedup();
    assert_eq!(versions.len(), 1, "an iteration shows half of a batch");
    versions[0]
}

#[test]
fn readers_in_threads_see_whole_commits_in_order() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    fill(&store);
    let is_over = AtomicBool::new(false);
    let committed = AtomicU64::new(1);
    let reads = AtomicU64::new(0);
    thread::scope(|scope| {
        let (store, is_over, committed, reads) = (&store, &is_over, &committed, &reads);
        // Whatever happens, the others stop.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        scope.spawn(move || {
            let _stop = Stop(is_over);
            let until = Instant::now() + FLOOD;
            let mut random = Random(9);
            for version in 2.. {
                if Instant::now() > until {
                    break;
                }
                write_batch(store, version);
                committed.store(version, Ordering::Release);
                // Noise of other kinds, so that iteration has to look things up.
                let noise = format!("noise {}", random.below(40)).into_bytes();
                match random.below(3) {
                    0 => store.delete(&noise).unwrap(),
                    1 => store.write(&noise, &random.bytes(3000)).unwrap(),
                    _ => store.write_stream(&noise, &mut &random.bytes(900)[..]).unwrap(),
                };
            }
        });
        for reader in 0..3_u64 {
            scope.spawn(move || {
                let _stop = Stop(is_over);
                let mut random = Random(reader);
                let mut newest = 0;
                while !is_over.load(Ordering::Acquire) {
                    let least = committed.load(Ordering::Acquire).max(newest);
                    newest = check_members(store, &mut random);
                    assert!(newest >= least, "back from version {least} to {newest}");
                    // Single reads in the order of the batch: never older than what came before.
                    let one = store.read(&member(random.below(MEMBERS))).unwrap().unwrap();
                    assert!(version(&one) >= newest, "a read went back");
                    newest = version(&one);
                    let number = random.below(SETTLED);
                    let entry =
                        store.read(&settled(number)).unwrap().expect("a settled key is missing");
                    assert_eq!(entry, number.to_le_bytes().as_slice());
                    assert!(store.exists(&settled(random.below(SETTLED))).unwrap());
                    assert!(store.len().unwrap() as u64 >= SETTLED + MEMBERS);
                    assert!(!store.is_empty().unwrap());
                    assert!(store.read_last_entry().unwrap().is_some());
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(move || {
            let _stop = Stop(is_over);
            let mut newest = 0;
            while !is_over.load(Ordering::Acquire) {
                let least = committed.load(Ordering::Acquire).max(newest);
                newest = check_iteration(store);
                assert!(newest >= least, "an iteration went back from {least} to {newest}");
            }
        });
    });
    let versions = committed.load(Ordering::Acquire);
    println!("{versions} batches, {} rounds of reads", reads.load(Ordering::Relaxed));
    assert!(versions > 10 && reads.load(Ordering::Relaxed) > 10);
    assert_eq!(check_iteration(&store), versions);
    drop(store);
    let store = DataStore::open(&path).unwrap();
    assert_eq!(check_members(&store, &mut Random(0)), versions, "reopened");
    assert_eq!(check_iteration(&store), versions, "reopened");
}

/// Opens the store read-only, again and again, until it has seen `count` versions.
fn read_from_outside(path: &Path, count: u64) {
    let (mut newest, mut seen) = (0, 0);
    let mut random = Random(newest);
    let until = Instant::now() + Duration::from_secs(120);
    while seen < count {
        assert!(Instant::now() < until, "the writer does not go on");
        let store = OpenOptions::new().read_only(true).open(path).unwrap();
        let version = check_members(&store, &mut random);
        assert_eq!(check_iteration(&store), version);
        assert!(version >= newest, "back from {newest} to {version}");
        seen += u64::from(version > newest);
        newest = version;
        for number in (0..SETTLED).step_by(50) {
            let entry = store.read(&settled(number)).unwrap().expect("a settled key is missing");
            assert_eq!(entry, number.to_le_bytes().as_slice());
        }
    }
}

#[test]
#[ignore = "a process that another test starts"]
fn reader_process() {
    let Some((path, count)) = child::orders() else { return };
    read_from_outside(&path, count.parse().unwrap());
}

#[test]
fn readers_in_processes_see_whole_commits_in_order() {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    fill(&store);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut version = 1;
            while !is_over.load(Ordering::Acquire) {
                version += 1;
                write_batch(&store, version);
                if version % 64 == 0 {
                    store.sync().unwrap();
                }
                // Opening costs the more the more there is, so the flood ebbs. It does not end before
                // the readers have seen what they wait for, however slow the machine is.
                thread::sleep(Duration::from_millis(if version < 2000 { 1 } else { 50 }));
            }
            version
        });
        let readers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| drop(child::run(reader_process, &path, "8"))))
            .chain([scope.spawn(|| read_from_outside(&path, 8))])
            .collect();
        let results: Vec<_> =
            readers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        is_over.store(true, Ordering::Release);
        let versions = writer.join().unwrap();
        for result in results {
            result.unwrap();
        }
        assert_eq!(check_members(&store, &mut Random(0)), versions);
    });
}
