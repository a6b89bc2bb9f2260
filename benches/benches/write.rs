//! Writing: single puts and batches, compared with positional writes of the same bytes.

use std::os::unix::fs::FileExt as _;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use simd_r_drive::DataStore;
use simd_r_drive::traits::DataStoreWriter;
use simd_r_drive_benches::{key, value};

fn single_put(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("put");
    for len in [8_usize, 256, 4096, 1 << 20] {
        group.throughput(Throughput::Bytes(len as u64));
        let payload = vec![0x5a; len];
        let directory = tempfile::tempdir().unwrap();
        let store = DataStore::open(directory.path().join("bench.srd")).unwrap();
        let mut number = 0;
        group.bench_function(format!("write {len} B"), |bencher| {
            bencher.iter(|| {
                // A bounded set of keys, so that the index does not grow without end.
                number = (number + 1) % 100_000;
                store.write(&key(number), &payload).unwrap()
            });
        });
        let file = tempfile::tempfile().unwrap();
        let mut offset = 0;
        group.bench_function(format!("pwrite {len} B"), |bencher| {
            bencher.iter(|| {
                file.write_all_at(&payload, offset).unwrap();
                offset += len as u64;
            });
        });
    }
    group.finish();
}

fn batch_put(criterion: &mut Criterion) {
    const BATCH: u64 = 1024;
    let mut group = criterion.benchmark_group("load in batches of 1024");
    for len in [8_usize, 256, 4096] {
        group.throughput(Throughput::Elements(BATCH));
        let directory = tempfile::tempdir().unwrap();
        let store = DataStore::open(directory.path().join("bench.srd")).unwrap();
        let mut next = 0;
        group.bench_function(format!("batch_write {len} B"), |bencher| {
            bencher.iter_batched(
                || {
                    let first = next % 2_000_000;
                    next += BATCH;
                    let mut payload = value(first).to_vec();
                    payload.resize(len, 0);
                    ((first..first + BATCH).map(key).collect::<Vec<_>>(), payload)
                },
                |(keys, payload)| {
                    let batch: Vec<(&[u8], &[u8])> =
                        keys.iter().map(|key| (&key[..], &payload[..])).collect();
                    store.batch_write(&batch).unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, single_put, batch_put);
criterion_main!(benches);
