//! `verify`: checks the store against its checksums.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Map, Value, json};
use simd_r_drive::utils::format_bytes;
use simd_r_drive::{DataStore, FormatError};

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
    let checked = open::for_metadata(store_path)
        .and_then(|store| check_payloads(console, &store, &mut findings));
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
fn check_payloads(console: &Console, store: &DataStore, findings: &mut Findings) -> Result<()> {
    let stats = store.stats();
    (findings.live_keys, findings.dead_slots) = (stats.live_keys, stats.dead_slots);
    if store.recovery_report().is_identity_damaged {
        let error = anyhow!("the first page is damaged; one of its copies was used");
        findings.damage(console, Map::new(), &error);
    }
    let versions = store.entries_since(None).context("cannot walk the log")?;
    let progress = Progress::new(console, Some(versions.size_hint().0 as u64), "verifying");
    for version in versions {
        let version = version.context("cannot walk the log")?;
        progress.advance(1);
        let Some(entry) = version.value() else { continue };
        findings.bytes += entry.size() as u64;
        if entry.is_valid_checksum() {
            continue;
        }
        let (name, at) = (entry_name(entry), entry.start_offset());
        let mut object = entry_json(entry);
        object.insert("offset".to_owned(), at.into());
        let error = anyhow!("{name} is damaged: payload at byte {at} fails its CRC-32");
        progress.suspend(|| findings.damage(console, object, &error));
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
