//! `verify`: checks the store against its checksums.

use std::io;
use std::path::Path;

use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};
use simd_r_drive::utils::format_bytes;
use simd_r_drive::{DataStore, FormatError};

use crate::console::Console;
use crate::key::{entry_json, entry_name};
use crate::open;
use crate::outcome::Outcome;
use crate::progress::Progress;

/// What was found.
#[derive(Debug, Default)]
struct Findings {
    entries: u64,
    bytes: u64,
    damaged: Vec<Value>,
}

pub(crate) fn run(console: &Console, store_path: &Path) -> Result<Outcome> {
    let mut findings = Findings::default();
    // Opening checks the header, and key, trailer and link of every slot, dead ones included.
    match open::for_metadata(store_path) {
        Ok(store) => check_payloads(console, &store, &mut findings)?,
        Err(error) if is_damage(&error) => findings.damage(console, Map::new(), &error),
        Err(error) => return Err(error),
    }
    let Findings { entries, bytes, damaged } = findings;
    let state = match damaged.len() {
        0 => "no damage".to_owned(),
        1 => "1 damaged place".to_owned(),
        count => format!("{count} damaged places"),
    };
    let summary = format!("verified {entries} entries, {}: {state}", format_bytes(bytes));
    let outcome = Outcome::complete_if(damaged.is_empty());
    let value = json!({ "entries": entries, "bytes": bytes, "damaged": damaged });
    console.summarize(&value, &summary)?;
    Ok(outcome)
}

/// Checks every live payload. One that is damaged does not keep the others from being checked.
fn check_payloads(console: &Console, store: &DataStore, findings: &mut Findings) -> Result<()> {
    let progress = Progress::new(console, Some(store.stats().live_keys), "verifying");
    let report = store.recovery_report();
    if report.is_identity_damaged {
        let error = anyhow!("the first page is damaged; one of its copies was used");
        findings.damage(console, Map::new(), &error);
    }
    let mut iterator = store.iter_entries();
    loop {
        match iterator.next_entry() {
            Ok(Some(entry)) => {
                findings.entries += 1;
                findings.bytes += entry.size() as u64;
                progress.advance(1);
                if entry.is_valid_checksum() {
                    continue;
                }
                let mut object = entry_json(&entry);
                object.insert("offset".to_owned(), entry.start_offset().into());
                let (name, at) = (entry_name(&entry), entry.start_offset());
                let error = anyhow!("{name} is damaged: payload at byte {at} fails its CRC-32");
                progress.suspend(|| findings.damage(console, object, &error));
            }
            Ok(None) => break,
            Err(error) => {
                let error = anyhow::Error::from(error);
                if !is_damage(&error) {
                    return Err(error.context("cannot read on"));
                }
                // Older entries cannot be reached.
                progress.suspend(|| findings.damage(console, Map::new(), &error));
                break;
            }
        }
    }
    progress.finish();
    Ok(())
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
