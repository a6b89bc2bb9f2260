//! Loads of larger values, overwriting them, and compaction.

use std::fs;
use std::time::Instant;

use super::{Context, load};
use crate::data::{KEY_LEN, Values, key};
use crate::findings::{Findings, must};
use crate::measure::disk_bytes;
use crate::store::{Result, Store, Workload};

pub(super) fn loads<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    for (value_len, count) in context.scale.loads {
        let row = format!("load-{value_len}");
        findings.row(&row, || {
            let directory = context.directory.join(value_len.to_string());
            fs::create_dir(&directory)?;
            let values = Values::new(value_len);
            let store = S::open(&directory, Workload::relaxed(value_len))?;
            let rate = load(&store, &values, count, 0, context.scale.patience)?;
            spot_check(&store, &values, count, 0)?;
            drop(store);
            fs::remove_dir_all(&directory)?;
            Ok(rate.per_second() * value_len as f64 / 1e6)
        });
    }
    Ok(())
}

/// Each of a thousand entries has the value of this version.
pub(super) fn spot_check<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    version: u64,
) -> Result<()> {
    for number in (0..count).step_by(((count / 1000) as usize).max(1)) {
        let is_right = store.get(&key(number), |found| {
            found.is_some_and(|value| values.is_value(value, number, version))
        })?;
        must(is_right, "get of entry", number)?;
    }
    Ok(())
}

pub(super) fn overwrite<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    const VALUE_LEN: usize = 1024;
    let count = context.scale.overwritten;
    let values = Values::new(VALUE_LEN);
    let mut store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    load(&store, &values, count, 0, context.scale.patience)?;
    let first = load(&store, &values, count, 1, context.scale.patience)?;
    let second = load(&store, &values, count, 2, context.scale.patience)?;
    let time = (first.time + second.time).as_secs_f64();
    findings.add("overwrite-1024", 2.0 * count as f64 / time);
    spot_check(&store, &values, count, 2)?;
    compact(&mut store, context, count * (KEY_LEN + VALUE_LEN) as u64, "compact", findings);
    spot_check(&store, &values, count, 2)
}

/// How long compaction takes, and what the store takes afterwards for each byte of keys and values.
pub(super) fn compact<S: Store>(
    store: &mut S,
    context: &Context,
    live_bytes: u64,
    row: &str,
    findings: &mut Findings,
) {
    let started = Instant::now();
    let outcome = store.compact().and_then(|()| {
        let time = started.elapsed();
        // Files that are no longer in use may be removed a little later.
        std::thread::sleep(context.scale.write_time / 4);
        Ok((time, disk_bytes(&context.directory)?))
    });
    match outcome {
        Ok((time, bytes)) => {
            findings.add(row, time.as_secs_f64());
            findings.add(&format!("{row}-size"), bytes as f64 / live_bytes as f64);
        }
        Err(error) => findings.miss(row, &*error),
    }
}
