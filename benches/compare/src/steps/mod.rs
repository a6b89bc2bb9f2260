//! What a process of its own does with one store. Several steps in one directory make a scenario.

mod aged;
mod beside;
mod cold;
mod killed;
mod lengths;
mod loads;
mod reads;
mod sizes;
mod small;
mod writes;

pub(crate) use killed::ACKNOWLEDGED;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::data::{Batch, Values};
use crate::findings::Findings;
use crate::measure::Rate;
use crate::scale::{BATCH, Scale};
use crate::store::{Result, Store};
use crate::stores::{Visit, with_store};

pub struct Context {
    pub directory: PathBuf,
    pub scale: Scale,
    /// What the step is told: a number of entries, or how many were acknowledged.
    pub argument: u64,
    pub selected: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Small,
    Open,
    Loads,
    Overwrite,
    Put,
    Durable,
    Beside,
    Aged,
    LargeWrite,
    LargeRead,
    Flood,
    OpenKilled,
    Size,
    SizeOpen,
    Lengths,
    ColdWrite,
    ColdGet,
    ColdBatch,
    ColdScan,
}

impl Step {
    pub const ALL: [(Self, &'static str); 19] = [
        (Self::Small, "small"),
        (Self::Open, "open"),
        (Self::Loads, "loads"),
        (Self::Overwrite, "overwrite"),
        (Self::Put, "put"),
        (Self::Durable, "durable"),
        (Self::Beside, "beside"),
        (Self::Aged, "aged"),
        (Self::LargeWrite, "large-write"),
        (Self::LargeRead, "large-read"),
        (Self::Flood, "flood"),
        (Self::OpenKilled, "open-killed"),
        (Self::Size, "size"),
        (Self::SizeOpen, "size-open"),
        (Self::Lengths, "lengths"),
        (Self::ColdWrite, "cold-write"),
        (Self::ColdGet, "cold-get"),
        (Self::ColdBatch, "cold-batch"),
        (Self::ColdScan, "cold-scan"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(step, _)| *step == self).map_or("", |(_, name)| name)
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, other)| *other == name).map(|(step, _)| step)
    }
}

/// Runs a step of a store. `None` if there is no such store.
pub fn run(step: Step, store: &str, context: &Context) -> Option<Findings> {
    with_store(store, Run { step, context })
}

struct Run<'a> {
    step: Step,
    context: &'a Context,
}

impl Visit for Run<'_> {
    type Output = Findings;

    fn visit<S: Store>(self) -> Findings {
        let context = self.context;
        let mut findings = Findings { selected: context.selected.clone(), ..Default::default() };
        let outcome = match self.step {
            Step::Small => small::small::<S>(context, &mut findings),
            Step::Open => small::open::<S>(context, &mut findings),
            Step::Loads => loads::loads::<S>(context, &mut findings),
            Step::Overwrite => loads::overwrite::<S>(context, &mut findings),
            Step::Put => writes::put::<S>(context, &mut findings),
            Step::Durable => writes::durable::<S>(context, &mut findings),
            Step::Beside => beside::beside::<S>(context, &mut findings),
            Step::Aged => aged::aged::<S>(context, &mut findings),
            Step::LargeWrite => lengths::large_write::<S>(context, &mut findings),
            Step::LargeRead => lengths::large_read::<S>(context, &mut findings),
            Step::Flood => killed::flood::<S>(context, &mut findings),
            Step::OpenKilled => killed::open::<S>(context, &mut findings),
            Step::Size => sizes::size::<S>(context, &mut findings),
            Step::SizeOpen => sizes::open::<S>(context, &mut findings),
            Step::Lengths => lengths::lengths::<S>(context, &mut findings),
            Step::ColdWrite => cold::write::<S>(context, &mut findings),
            Step::ColdGet => cold::get::<S>(context, &mut findings),
            Step::ColdBatch => cold::batch::<S>(context, &mut findings),
            Step::ColdScan => cold::scan::<S>(context, &mut findings),
        };
        if let Err(error) = outcome {
            findings.miss(self.step.name(), &*error);
            findings.is_over = true;
        }
        findings
    }
}

/// Puts entries 0 to `count` in batches, each with its version.
fn load<S: Store>(
    store: &S,
    values: &Values,
    count: u64,
    version: u64,
    limit: Duration,
) -> Result<Rate> {
    let mut batch = Batch::new(values, batch_len(values));
    let started = Instant::now();
    let mut next = 0;
    while next < count {
        let end = count.min(next + batch_len(values) as u64);
        batch.fill(next..end, version, |entries| store.put_batch(entries))?;
        next = end;
        if started.elapsed() > limit {
            return Err(format!("loading {count} entries would take more than {limit:?}").into());
        }
    }
    Ok(Rate { operations: count, time: started.elapsed() })
}

/// Entries of a batch of large values: what it holds must fit the memory.
fn batch_len(values: &Values) -> usize {
    BATCH.min((4 << 20) / values.value_len()).max(1)
}
