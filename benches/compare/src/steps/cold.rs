//! Reads of a store that the system's cache does not have. Each is a process of its own.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use super::{Context, load, reads};
use crate::data::Values;
use crate::findings::Findings;
use crate::store::{Residence, Result, Store, Workload};

const VALUE_LEN: usize = 1000;

pub(super) fn write<S: Store>(context: &Context, _: &mut Findings) -> Result<()> {
    let values = Values::new(VALUE_LEN);
    let store = S::open(&context.directory, Workload::relaxed(VALUE_LEN))?;
    load(&store, &values, context.scale.cold_entries, 0, context.scale.patience)?;
    store.settle()?;
    store.close()
}

pub(super) fn get<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let (count, time) = (context.scale.cold_entries, context.scale.cold_time);
    findings.row("cold-get", || {
        let (store, values) = opened::<S>(context, Residence::Random)?;
        Ok(reads::uniform(&store, &values, count, 1, time)?.per_second())
    });
    Ok(())
}

pub(super) fn batch<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let (count, time) = (context.scale.cold_entries, context.scale.cold_time);
    findings.row("cold-batch", || {
        let (store, values) = opened::<S>(context, Residence::Random)?;
        Ok(reads::batches(&store, &values, count, time)?.per_second())
    });
    Ok(())
}

pub(super) fn scan<S: Store>(context: &Context, findings: &mut Findings) -> Result<()> {
    let count = context.scale.cold_entries;
    findings.row("cold-scan", || {
        let (store, values) = opened::<S>(context, Residence::Scanned)?;
        // Once: the second time, what fits the cache is there.
        Ok(reads::scan(&store, &values, count, Default::default())?.per_second())
    });
    Ok(())
}

/// The store, none of which is in the cache but what opening it reads through a map.
fn opened<S: Store>(context: &Context, residence: Residence) -> Result<(S, Values)> {
    evict(&context.directory)?;
    let store = S::open(&context.directory, Workload::cold(VALUE_LEN, residence))?;
    // What it has read by calls.
    evict(&context.directory)?;
    Ok((store, Values::new(VALUE_LEN)))
}

/// Drops all files below a directory from the cache, as far as they are not mapped.
fn evict(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.metadata()?.is_dir() {
            evict(&entry.path())?;
        } else {
            let file = File::open(entry.path())?;
            // What is not on the medium yet stays in the cache.
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
