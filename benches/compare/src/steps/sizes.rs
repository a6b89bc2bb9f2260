//! What operations cost as the store grows.

use super::small::opened;
use super::{Context, load, reads};
use crate::data::Values;
use crate::findings::Findings;
use crate::measure::disk_bytes;
use crate::store::{Result, Store, Workload};

const VALUE_LEN: usize = 8;

pub(super) fn size<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let (count, time) = (context.argument, context.scale.read_time * 2);
    let values = Values::new(VALUE_LEN);
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    let rate = load(&store, &values, count, 0, context.scale.load_time)?;
    findings.add_at("size-load", count, rate.per_second());
    store.settle()?;
    reads::uniform(&store, &values, count, 9, time)?;
    let rate = reads::uniform(&store, &values, count, 1, time)?;
    findings.add_at("size-get", count, rate.nanoseconds_each());
    let rate = reads::batches(&store, &values, count, time)?;
    findings.add_at("size-batch", count, rate.nanoseconds_each());
    if let Err(error) = store.close() {
        findings.miss("size-open", &*error);
        findings.is_over = true;
        return Ok(());
    }
    findings.add_at("size-space", count, disk_bytes(&context.directory)? as f64 / count as f64);
    Ok(())
}

pub(super) fn open<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let (time, memory) = opened::<S>(context, context.argument)?;
    findings.add_at("size-open", context.argument, time.as_secs_f64() * 1e3);
    findings.add_at("size-memory", context.argument, memory as f64 / f64::from(1 << 20));
    Ok(())
}
