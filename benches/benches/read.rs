//! Reading: single and batched look-ups, hits and misses, and scans, compared with a plain map
//! behind a lock.

use std::hint::black_box;
use std::sync::RwLock;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use simd_r_drive::traits::DataStoreReader;
use simd_r_drive_benches::{ENTRIES, filled_map, filled_store, key, random_below, value};

const BATCH: usize = 1024;

fn single(criterion: &mut Criterion) {
    let (_directory, store) = filled_store(ENTRIES);
    let map = RwLock::new(filled_map(ENTRIES));
    let mut group = criterion.benchmark_group("get 8 B of 1 M, random");
    group.throughput(Throughput::Elements(1));
    for (name, limit) in [("", ENTRIES), (", 1000 hot keys", 1000)] {
        let mut numbers = random_below(limit);
        group.bench_function(format!("read{name}"), |bencher| {
            bencher.iter(|| {
                let number = numbers.next().unwrap_or_default();
                let entry = store.read(&key(number)).unwrap().unwrap();
                assert_eq!(entry, value(number).as_slice());
            });
        });
        let mut numbers = random_below(limit);
        group.bench_function(format!("map behind RwLock{name}"), |bencher| {
            bencher.iter(|| {
                let number = numbers.next().unwrap_or_default();
                let found = map.read().unwrap().get(key(number).as_slice()).cloned().unwrap();
                assert_eq!(found, value(number));
            });
        });
    }
    let mut numbers = random_below(ENTRIES);
    group.bench_function("exists, absent", |bencher| {
        bencher.iter(|| {
            let number = ENTRIES + numbers.next().unwrap_or_default();
            assert!(!store.exists(&key(number)).unwrap());
        });
    });
    let mut numbers = random_below(ENTRIES);
    group.bench_function("map behind RwLock, absent", |bencher| {
        bencher.iter(|| {
            let number = ENTRIES + numbers.next().unwrap_or_default();
            assert!(!map.read().unwrap().contains_key(key(number).as_slice()));
        });
    });
    group.finish();
}

fn batch(criterion: &mut Criterion) {
    let (_directory, store) = filled_store(ENTRIES);
    let mut group = criterion.benchmark_group("batch get of 1024");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut numbers = random_below(ENTRIES);
    group.bench_function("batch_read", |bencher| {
        bencher.iter_batched(
            || numbers.by_ref().take(BATCH).collect::<Vec<_>>(),
            |numbers| {
                let keys: Vec<_> = numbers.iter().map(|number| key(*number)).collect();
                let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
                for (entry, number) in store.batch_read(&keys).unwrap().iter().zip(&numbers) {
                    assert_eq!(*entry.as_ref().unwrap(), value(*number).as_slice());
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let (_directory, store) = filled_store(ENTRIES);
    let mut group = criterion.benchmark_group("scan 1 M");
    group.throughput(Throughput::Elements(ENTRIES)).sample_size(10);
    group.bench_function("iter_entries", |bencher| {
        bencher.iter(|| {
            let bytes: usize = store.iter_entries().map(|entry| black_box(entry).len()).sum();
            assert_eq!(bytes as u64, ENTRIES * 8);
        });
    });
    group.finish();
}

criterion_group!(benches, single, batch, scan);
criterion_main!(benches);
