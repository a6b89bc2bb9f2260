//! `migrate`: converts a store of an older version.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use simd_r_drive::Migration;

use crate::console::{Console, counted};
use crate::failure::failure_to_make;
use crate::outcome::Outcome;

pub(crate) fn run(
    console: &Console,
    store_path: &Path,
    old_store: &Path,
    skip_damaged: bool,
) -> Result<Outcome> {
    let cannot = |error: io::Error| {
        failure_to_make("cannot migrate the store", (old_store, "to", store_path), error)
    };
    // Checked here too, before the whole old store is read.
    if fs::symlink_metadata(store_path).is_ok() {
        return Err(cannot(io::ErrorKind::AlreadyExists.into()));
    }
    let migration = Migration::new().skip_damaged(skip_damaged);
    let report = migration.run(old_store, store_path).map_err(cannot)?;
    let mut lost = Vec::new();
    for entry in &report.damaged {
        lost.push(json!({
            "key_hash": format!("{:#018x}", entry.key_hash),
            "offset": entry.offset,
        }));
        console.tell(&format!(
            "lost <hash {:#018x}>: its payload at byte {} is damaged",
            entry.key_hash, entry.offset
        ));
    }
    for range in &report.unreadable {
        console.tell(&format!(
            "lost the data in bytes {} to {}; older values may be outdated",
            range.start, range.end
        ));
    }
    let ranges: Vec<Value> =
        report.unreadable.iter().map(|range| json!([range.start, range.end])).collect();
    let is_complete = lost.is_empty() && ranges.is_empty();
    let value = json!({
        "copied": report.entries,
        "deleted_keys": report.deleted_keys,
        "superseded": report.superseded,
        "lost": lost,
        "unreadable_ranges": ranges,
    });
    let summary = format!("copied {}", counted(report.entries, "value"));
    console.summarize(&value, &summary)?;
    Ok(Outcome::complete_if(is_complete))
}
