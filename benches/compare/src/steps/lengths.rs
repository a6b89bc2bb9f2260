//! Values of all lengths, and reading large ones for the first time.

use std::fs;
use std::time::Instant;

use super::{Context, load};
use crate::data::{Random, Values, key};
use crate::findings::{Findings, must};
use crate::store::{Result, Store, Workload};

const LARGE_LEN: usize = 1 << 20;

pub(super) fn lengths<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    for value_len in &context.scale.lengths {
        let x = *value_len as u64;
        let count = (context.scale.length_bytes / x).clamp(1, context.scale.length_entries);
        match throughput::<S>(context, *value_len, count) {
            Ok((written, read)) => {
                findings.add_at("length-write", x, written);
                findings.add_at("length-read", x, read);
            }
            Err(error) => findings.miss(&format!("length-write of {x} bytes"), &*error),
        }
    }
    Ok(())
}

/// Bytes of values per second, in MB: written, and read once each at random.
fn throughput<S: Store>(context: &Context, value_len: usize, count: u64) -> Result<(f64, f64)> {
    let directory = context.directory.join(value_len.to_string());
    fs::create_dir(&directory)?;
    let values = Values::new(value_len);
    let store = S::open(&directory, Workload::relaxed(value_len))?;
    let bytes = (count * value_len as u64) as f64 / 1e6;
    let rate = load(&store, &values, count, 0, context.scale.patience)?;
    let written = bytes / rate.time.as_secs_f64();
    let mut numbers = Random::below(count, 1);
    let started = Instant::now();
    for _ in 0..count {
        let number = numbers.next().unwrap_or_default();
        let is_right = store.get(&key(number), |found| {
            found.is_some_and(|value| values.is_value(value, number, 0))
        })?;
        must(is_right, "get of entry", number)?;
    }
    let read = bytes / started.elapsed().as_secs_f64();
    drop(store);
    fs::remove_dir_all(&directory)?;
    Ok((written, read))
}

pub(super) fn large_write<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let count = context.scale.large_values;
    let mut values = Values::new(LARGE_LEN);
    let store = S::open(&context.directory, Workload::relaxed(LARGE_LEN))?;
    let started = Instant::now();
    for number in 0..count {
        store.put(&key(number), values.of(number, 0))?;
    }
    let bytes = (count * LARGE_LEN as u64) as f64;
    findings.add("put-1m", bytes / 1e9 / started.elapsed().as_secs_f64());
    store.close()
}

/// In a process that has not touched them, though the system's cache has them.
pub(super) fn large_read<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let count = context.scale.large_values;
    let values = Values::new(LARGE_LEN);
    let store = S::open(&context.directory, Workload::relaxed(LARGE_LEN))?;
    let started = Instant::now();
    for number in 0..count {
        let is_right = store.get(&key(number), |found| {
            found.is_some_and(|value| values.is_value(value, number, 0))
        })?;
        must(is_right, "get of entry", number)?;
    }
    let bytes = (count * LARGE_LEN as u64) as f64;
    findings.add("get-1m", bytes / 1e9 / started.elapsed().as_secs_f64());
    Ok(())
}
