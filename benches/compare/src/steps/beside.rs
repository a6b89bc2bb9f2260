//! A reader beside a writer that does not pause.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use super::{Context, load};
use crate::data::{Batch, Random, Values, key};
use crate::findings::{Findings, must};
use crate::measure::timed;
use crate::scale::SMALL_BATCH;
use crate::store::{Result, Store, Workload};

const VALUE_LEN: usize = 8;

pub(super) fn beside<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let count = context.scale.entries;
    let values = Values::new(VALUE_LEN);
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    load(&store, &values, count, 0, context.scale.patience)?;
    let is_over = AtomicBool::new(false);
    let (reads, writes) = thread::scope(|scope| {
        let writer = scope.spawn(|| overwrite(&store, &values, count, &is_over));
        let mut numbers = Random::below(count, 1);
        let reads = timed(context.scale.write_time, u64::MAX, || {
            let number = numbers.next().unwrap_or_default();
            let is_right = store.get(&key(number), |found| {
                // The one before, or the one after it was overwritten.
                found.is_some_and(|value| {
                    values.is_value(value, number, 0) || values.is_value(value, number, 1)
                })
            })?;
            must(is_right, "get of entry", number)
        });
        is_over.store(true, Ordering::Relaxed);
        (reads, writer.join())
    });
    let (rate, waits) = reads?;
    findings.add_waits("beside-reads", rate.per_second(), &waits);
    findings.add("beside-999", waits.quantile(0.999) / 1e3);
    findings.add("beside-longest", waits.quantile(1.0) / 1e6);
    findings.add("beside-writes", writes.map_err(|_| "the writer panicked")??);
    Ok(())
}

/// Entries per second, until it is over.
fn overwrite<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    is_over: &AtomicBool,
) -> Result<f64> {
    let mut batch = Batch::new(values, SMALL_BATCH);
    let mut numbers = Random::below(count, 2);
    let started = Instant::now();
    let mut written = 0;
    while !is_over.load(Ordering::Relaxed) {
        batch.fill(numbers.by_ref().take(SMALL_BATCH), 1, |entries| store.put_batch(entries))?;
        written += SMALL_BATCH;
    }
    Ok(written as f64 / started.elapsed().as_secs_f64())
}
