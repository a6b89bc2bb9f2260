//! `repair`: saves what is left of a damaged store.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use simd_r_drive::repair;

use crate::console::{Console, counted};
use crate::failure::failure_to_make;
use crate::key::{Shown, key_json};
use crate::outcome::Outcome;

pub(crate) fn run(console: &Console, store_path: &Path, new_store: &Path) -> Result<Outcome> {
    let report = repair(store_path, new_store).map_err(|error| {
        failure_to_make("cannot repair the store", (store_path, "into", new_store), error)
    })?;
    let mut lost = Vec::new();
    for entry in &report.damaged_entries {
        let mut object = entry.key.as_deref().map(key_json).unwrap_or_default();
        object.insert("key_hash".to_owned(), format!("{:#018x}", entry.key_hash).into());
        object.insert("offset".to_owned(), entry.offset.into());
        lost.push(Value::Object(object));
        let name = match &entry.key {
            Some(key) => Shown(key).to_string(),
            None => format!("<hash {:#018x}>", entry.key_hash),
        };
        console.tell(&format!("lost {name}: its payload at byte {} is damaged", entry.offset));
    }
    for range in &report.damaged_ranges {
        console.tell(&format!("lost the data in bytes {} to {}", range.start, range.end));
    }
    if report.unconfirmed_entries > 0 {
        let values = counted(report.unconfirmed_entries, "value");
        console.tell(&format!("{values} may be outdated: newer versions may have been lost"));
    }
    let ranges: Vec<[u64; 2]> =
        report.damaged_ranges.iter().map(|range| [range.start, range.end]).collect();
    let is_complete = lost.is_empty() && ranges.is_empty();
    let value = json!({
        "copied": report.copied_entries,
        "unconfirmed": report.unconfirmed_entries,
        "lost": lost,
        "damaged_ranges": ranges,
    });
    let summary = format!("copied {}", counted(report.copied_entries, "value"));
    console.summarize(&value, &summary)?;
    Ok(Outcome::complete_if(is_complete))
}
