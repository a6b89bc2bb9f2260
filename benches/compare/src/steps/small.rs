//! Small values: loading, reading, closing, opening.

use std::time::{Duration, Instant};

use super::{Context, load, reads};
use crate::data::{Values, key};
use crate::findings::{Findings, must};
use crate::measure::{anonymous_bytes, disk_bytes};
use crate::store::{Result, Store, Workload};

const VALUE_LEN: usize = 8;

pub(super) fn small<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let count = context.scale.entries;
    let values = Values::new(VALUE_LEN);
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    let rate = load(&store, &values, count, 0, context.scale.patience)?;
    findings.add("load-8", rate.per_second());
    read_rows(&store, &values, context, "-live", findings);
    store.settle()?;
    read_rows(&store, &values, context, "", findings);
    if let Err(error) = store.close() {
        findings.miss("open-8", &*error);
        findings.is_over = true;
        return Ok(());
    }
    findings.add("space-8", disk_bytes(&context.directory)? as f64 / count as f64);
    Ok(())
}

fn read_rows<S: Store>(
    store: &S,
    values: &Values,
    context: &Context,
    suffix: &str,
    findings: &mut Findings,
) {
    let (count, time) = (context.scale.entries, context.scale.read_time);
    // Not measured: the first reads fill caches.
    let warm_up = reads::uniform(store, values, count, 9, time / 2);
    if let Err(error) = warm_up {
        findings.miss("get", &*error);
        return;
    }
    let row = |name: &str| format!("{name}{suffix}");
    findings.row(&row("get-hot"), || Ok(reads::hot(store, count, time)?.nanoseconds_each()));
    findings.row(&row("view-hot"), || Ok(reads::hot_view(store, count, time)?.nanoseconds_each()));
    findings.row(&row("get"), || Ok(reads::uniform(store, values, count, 1, time)?.per_second()));
    findings
        .row(&row("view"), || Ok(reads::uniform_view(store, values, count, time)?.per_second()));
    findings.row(&row("get-2"), || reads::two_threads(store, values, count, time));
    findings.waits(&row("get-wait"), || {
        let waits = reads::dependent(store, values, count, time)?;
        Ok((waits.quantile(0.5), waits))
    });
    findings.row(&row("absent"), || Ok(reads::absent(store, count, time)?.per_second()));
    findings.row(&row("batch"), || Ok(reads::batches(store, values, count, time)?.per_second()));
    findings.row(&row("scan"), || Ok(reads::scan(store, values, count, time)?.per_second()));
}

/// In a process that has done nothing else.
pub(super) fn open<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let (time, memory) = opened::<S>(context, context.scale.entries)?;
    findings.add("open-8", time.as_secs_f64() * 1e3);
    findings.add("open-memory", memory as f64 / f64::from(1 << 20));
    Ok(())
}

/// Opens a store that was closed, up to the first value: the time, and the memory that it takes.
pub(super) fn opened<S: Store>(context: &Context, count: u64) -> Result<(Duration, u64)> {
    let values = Values::new(VALUE_LEN);
    let number = count / 3;
    let key = key(number);
    let before = anonymous_bytes();
    let started = Instant::now();
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    let is_right =
        store.get(&key, |found| found.is_some_and(|value| values.is_value(value, number, 0)))?;
    let time = started.elapsed();
    let memory = anonymous_bytes().saturating_sub(before);
    must(is_right, "first get of entry", number)?;
    Ok((time, memory))
}
