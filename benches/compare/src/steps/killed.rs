//! Opening a store whose process was killed in the middle of a load.

use std::io::Write;
use std::time::Instant;

use super::{Context, batch_len};
use crate::data::{Batch, Values, key};
use crate::findings::{Findings, must};
use crate::store::{Kind, Result, Store, Workload, unsupported};

const VALUE_LEN: usize = 8;

/// How a process says how many entries have been acknowledged.
pub const ACKNOWLEDGED: &str = "acknowledged ";

/// Writes until it is killed.
pub(super) fn flood<S: Store>(context: &Context, _findings: &mut Findings) -> Result<()> {
    let values = Values::new(VALUE_LEN);
    if S::PROFILE.kind == Kind::Floor {
        return unsupported("not a store");
    }
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    let mut batch = Batch::new(&values, batch_len(&values));
    let mut output = std::io::stdout().lock();
    let mut next = 0;
    loop {
        let end = next + batch_len(&values) as u64;
        batch.fill(next..end, 0, |entries| store.put_batch(entries))?;
        next = end;
        writeln!(output, "{ACKNOWLEDGED}{next}")?;
        output.flush()?;
    }
}

pub(super) fn open<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let values = Values::new(VALUE_LEN);
    let started = Instant::now();
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    // Whether it is there. If it is, it must be right.
    let is_there = |number| -> Result<bool> {
        let found = store
            .get(&key(number), |found| found.map(|value| values.is_value(value, number, 0)))?;
        must(found != Some(false), "get of entry", number)?;
        Ok(found.is_some())
    };
    is_there(0)?;
    let time = started.elapsed();
    let mut lost = 0;
    for number in 0..context.argument {
        lost += u64::from(!is_there(number)?);
    }
    let share = lost as f64 / context.argument.max(1) as f64;
    findings.add("killed-lost", share * 100.0);
    findings.row("killed-open", || {
        if share > 0.5 {
            unsupported("most entries are lost")
        } else {
            Ok(time.as_secs_f64() * 1e3)
        }
    });
    Ok(())
}
