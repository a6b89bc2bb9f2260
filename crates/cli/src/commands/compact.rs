//! `compact`: rewrites the store without older versions and deletions.

use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use simd_r_drive::utils::format_bytes;

use crate::console::Console;
use crate::failure::explain;
use crate::key::shown_path;
use crate::open;
use crate::outcome::Outcome;
use crate::progress::Progress;

pub(crate) fn run(console: &Console, store_path: &Path) -> Result<Outcome> {
    let store = open::for_changing(store_path)?;
    let shown = shown_path(store_path);
    let progress = Progress::new(console, Some(store.stats().tail), "compacting");
    let report = store
        .compact_with(|now| {
            progress.set(now.done_bytes);
            ControlFlow::Continue(())
        })
        .map_err(|error| explain(store_path, error))
        .with_context(|| {
            format!("cannot compact the store {shown}, whose contents are unchanged")
        })?;
    progress.finish();
    open::close(&store)?;
    let (before, after) = (report.bytes_before, report.bytes_after);
    let summary = format!("compacted {} to {}", format_bytes(before), format_bytes(after));
    console.summarize(&json!({ "bytes_before": before, "bytes_after": after }), &summary)?;
    Ok(Outcome::Complete)
}
