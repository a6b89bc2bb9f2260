//! Single writes: how many, and how long the rare ones take.

use std::thread;
use std::time::Instant;

use super::Context;
use crate::data::{Values, key};
use crate::findings::{Findings, must};
use crate::measure::{Waits, timed};
use crate::store::{Result, Store, Workload};

const VALUE_LEN: usize = 256;

/// Threads that write durably at the same time.
const THREADS: u64 = 8;

pub(super) fn put<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let mut values = Values::new(VALUE_LEN);
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    let mut number = 0;
    let (rate, waits) = timed(context.scale.write_time, 4_000_000, || {
        store.put(&key(number), values.of(number, 0))?;
        number += 1;
        Ok(())
    })?;
    super::loads::spot_check(&store, &values, number, 0)?;
    findings.add_waits("put-256", rate.per_second(), &waits);
    findings.add("put-256-999", waits.quantile(0.999) / 1e3);
    findings.add("put-256-longest", waits.quantile(1.0) / 1e6);
    Ok(())
}

pub(super) fn durable<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let store = S::open(&context.directory, Workload::durable(VALUE_LEN))?;
    findings.waits("durable-1", || {
        let (count, waits) = durable_puts(&store, context, 0)?;
        Ok((count.per_second(), waits))
    });
    findings.waits("durable-8", || {
        let started = Instant::now();
        let (mut puts, mut waits) = (0, Waits::new());
        thread::scope(|scope| {
            let threads: Vec<_> = (1..=THREADS)
                .map(|thread| {
                    let store = &store;
                    scope.spawn(move || durable_puts(store, context, thread))
                })
                .collect();
            for thread in threads {
                let (rate, waited) = thread.join().map_err(|_| "a writer panicked")??;
                puts += rate.operations;
                waits.add(&waited);
            }
            Result::Ok(())
        })?;
        Ok((puts as f64 / started.elapsed().as_secs_f64(), waits))
    });
    Ok(())
}

fn durable_puts<S: Store>(
    store: &S,
    context: &Context,
    thread: u64,
) -> Result<(crate::measure::Rate, Waits)> {
    let mut values = Values::new(VALUE_LEN);
    let first = thread << 32;
    let mut number = first;
    let outcome = timed(context.scale.write_time, u64::MAX, || {
        store.put_durably(&key(number), values.of(number, 0))?;
        number += 1;
        Ok(())
    })?;
    for number in [first, number - 1] {
        let is_right = store
            .get(&key(number), |found| found.is_some_and(|v| values.is_value(v, number, 0)))?;
        must(is_right, "get of entry", number)?;
    }
    Ok(outcome)
}
