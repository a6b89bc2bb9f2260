//! `backup`: copies the store, or what is new in it, to another file.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::json;
use simd_r_drive::utils::format_bytes;

use crate::console::Console;
use crate::open;
use crate::outcome::Outcome;

pub(crate) fn run(console: &Console, store_path: &Path, dest: &Path) -> Result<Outcome> {
    // For reading: another process may be writing to the store.
    let store = open::for_metadata(store_path)?;
    let report = store.backup(dest).with_context(|| {
        format!("cannot back up the store {} to {}", open::shown(store_path), open::shown(dest))
    })?;
    if let Some(aside) = &report.saved_to {
        let shown = open::shown(aside);
        console
            .tell(&format!("remains of an interrupted backup were cut off and saved to {shown}"));
    }
    let copied = format_bytes(report.copied_bytes);
    let summary = if report.is_incremental {
        format!("added {copied} to {}", open::shown(dest))
    } else {
        format!("copied {copied} to {}", open::shown(dest))
    };
    let value = json!({
        "is_incremental": report.is_incremental,
        "bytes_copied": report.copied_bytes,
        "slots_copied": report.copied_slots,
        "tail": report.tail,
    });
    console.summarize(&value, &summary)?;
    Ok(Outcome::Complete)
}
