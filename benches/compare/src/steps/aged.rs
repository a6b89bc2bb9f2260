//! A store whose entries were overwritten at random, many times, and what its compaction costs.

use super::loads::compact;
use super::{Context, load};
use crate::data::{Batch, KEY_LEN, Random, Values, key};
use crate::findings::{Findings, must};
use crate::measure::timed;
use crate::scale::SMALL_BATCH;
use crate::store::{Result, Store, Workload};

const VALUE_LEN: usize = 100;

/// How often each entry is overwritten, on average, unless that takes too long.
const TIMES: u64 = 10;

pub(super) fn aged<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let (count, time) = (context.scale.aged, context.scale.aged_time);
    let mut values = Values::new(VALUE_LEN);
    let mut store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    load(&store, &values, count, 0, context.scale.patience)?;
    // What the last version of each entry must be.
    let mut versions = vec![0_u32; count as usize];
    let mut version = 0;

    let mut numbers = Random::below(count, 1);
    let mut batch = Batch::new(&values, SMALL_BATCH);
    let batches = count * TIMES / SMALL_BATCH as u64;
    let (rate, waits) = timed(time, batches, || {
        version += 1;
        let chosen: Vec<u64> = numbers.by_ref().take(SMALL_BATCH).collect();
        for number in &chosen {
            versions[*number as usize] = version;
        }
        batch.fill(chosen.into_iter(), version.into(), |entries| store.put_batch(entries))
    })?;
    findings.add_waits("aged-batches", rate.per_second() * SMALL_BATCH as f64, &waits);
    findings.add("aged-batches-longest", waits.quantile(1.0) / 1e6);

    let mut numbers = Random::below(count, 2);
    let (rate, waits) = timed(time / 2, count * TIMES / 2, || {
        version += 1;
        let number = numbers.next().unwrap_or_default();
        versions[number as usize] = version;
        store.put(&key(number), values.of(number, version.into()))
    })?;
    findings.add_waits("aged-puts", rate.per_second(), &waits);
    findings.add("aged-puts-longest", waits.quantile(1.0) / 1e6);

    compact(&mut store, context, count * (KEY_LEN + VALUE_LEN) as u64, "aged-compact", findings);
    for number in (0..count).step_by(7) {
        let version = versions[number as usize].into();
        let is_right = store.get(&key(number), |found| {
            found.is_some_and(|value| values.is_value(value, number, version))
        })?;
        must(is_right, "get of entry", number)?;
    }
    Ok(())
}
