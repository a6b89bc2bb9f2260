//! `verify`: checks the store against its checksums.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Map, Value, json};
use simd_r_drive::utils::format_bytes;
use simd_r_drive::{DataStore, EntryHandle, FormatError};

use crate::console::{Console, counted};
use crate::key::{entry_json, entry_name};
use crate::open;
use crate::outcome::Outcome;
use crate::progress::Progress;

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    live_keys: u64,
    dead_slots: u64,
    bytes: u64,
    damaged: Vec<Value>,
}

pub(crate) fn run(console: &Console, store_path: &Path) -> Result<Outcome> {
    let mut findings = Findings::default();
    // Opening checks the header, and key, trailer and link of every slot, dead ones included.
    let checked =
        open::for_checking(store_path).and_then(|store| check(console, &store, &mut findings));
    match checked {
        Ok(()) => {}
        Err(error) if is_damage(&error) => findings.damage(console, Map::new(), &error),
        Err(error) => return Err(error),
    }
    let Findings { live_keys, dead_slots, bytes, damaged } = findings;
    let state = match damaged.len() {
        0 => "no damage".to_owned(),
        count => counted(count as u64, "damaged place"),
    };
    let keys = counted(live_keys, "key");
    let dead = counted(dead_slots, "older version");
    let summary = format!("verified {keys}, {dead}, {}: {state}", format_bytes(bytes));
    let outcome = Outcome::complete_if(damaged.is_empty());
    let value = json!({
        "live_keys": live_keys,
        "dead_slots": dead_slots,
        "bytes": bytes,
        "damaged": damaged,
    });
    console.summarize(&value, &summary)?;
    Ok(outcome)
}

/// Checks every payload, those of older versions included. One that is damaged does not keep the others from
/// being checked.
fn check(console: &Console, store: &DataStore, findings: &mut Findings) -> Result<()> {
    let stats = store.stats();
    (findings.live_keys, findings.dead_slots) = (stats.live_keys, stats.dead_slots);
    if store.recovery_report().is_identity_damaged {
        let error = anyhow!("the first page is damaged; one of its copies was used");
        findings.damage(console, Map::new(), &error);
    }
    for range in &store.recovery_report().damaged {
        let error = anyhow!("bytes {} to {} of the log cannot be read", range.start, range.end);
        let object = Map::from_iter([("offset".to_owned(), range.start.into())]);
        findings.damage(console, object, &error);
    }
    let total = stats.live_keys + stats.dead_slots;
    let progress = Progress::new(console, Some(total), "verifying");
    if store.recovery_report().damaged.is_empty() {
        for version in store.entries_since(None).context("cannot walk the log")? {
            if let Some(entry) = version.context("cannot walk the log")?.value() {
                check_payload(console, entry, &progress, findings);
            }
        }
    } else {
        // The history of a damaged log is not to be had; its live values are.
        let mut entries = store.iter_entries();
        while let Some(entry) = entries.next_entry().context("cannot walk the log")? {
            check_payload(console, &entry, &progress, findings);
        }
    }
    progress.finish();
    Ok(())
}

fn check_payload(
    console: &Console,
    entry: &EntryHandle,
    progress: &Progress<'_>,
    findings: &mut Findings,
) {
    progress.advance(1);
    findings.bytes += entry.size() as u64;
    if entry.is_valid_checksum() {
        return;
    }
    let (name, at) = (entry_name(entry), entry.start_offset());
    let mut object = entry_json(entry);
    object.insert("offset".to_owned(), at.into());
    let error = anyhow!("{name} is damaged: payload at byte {at} fails its CRC-32");
    progress.suspend(|| findings.damage(console, object, &error));
}

impl Findings {
    fn damage(&mut self, console: &Console, mut object: Map<String, Value>, error: &anyhow::Error) {
        console.tell(&format!("{error:#}"));
        object.insert("reason".to_owned(), format!("{error:#}").into());
        self.damaged.push(object.into());
    }
}

/// Whether the error says that a store is not as it was written; others say that it cannot be told.
fn is_damage(error: &anyhow::Error) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let format_error = inner.and_then(|inner| inner.downcast_ref());
    matches!(format_error, Some(FormatError::Damaged { .. } | FormatError::Truncated { .. }))
}
