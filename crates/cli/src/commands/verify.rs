//! `verify`: checks the store against its checksums.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use simd_r_drive::utils::format_bytes;
use simd_r_drive::{DamagedPlace, FormatError, VerifyReport};

use crate::console::{Console, counted};
use crate::key::{entry_json_of, entry_name_of, shown_path};
use crate::open;
use crate::outcome::Outcome;
use crate::progress::Progress;

pub(crate) fn run(console: &Console, store_path: &Path) -> Result<Outcome> {
    let mut damaged = Vec::new();
    let report = match check(console, store_path) {
        Ok(report) => report,
        // The store is so damaged that it cannot be opened.
        Err(error) if is_damage(&error) => {
            damaged.push(damage(console, Map::new(), format!("{error:#}")));
            VerifyReport::default()
        }
        Err(error) => return Err(error),
    };
    damaged.extend(report.damaged.iter().map(|place| named(console, place)));
    let state = match damaged.len() {
        0 => "no damage".to_owned(),
        count => counted(count as u64, "damaged place"),
    };
    let keys = counted(report.live_keys, "key");
    let dead = counted(report.dead_slots, "older version");
    let bytes = format_bytes(report.payload_bytes);
    let outcome = Outcome::complete_if(damaged.is_empty());
    let value = json!({
        "live_keys": report.live_keys,
        "dead_slots": report.dead_slots,
        "bytes": report.payload_bytes,
        "damaged": damaged,
    });
    console.summarize(&value, &format!("verified {keys}, {dead}, {bytes}: {state}"))?;
    Ok(outcome)
}

fn check(console: &Console, store_path: &Path) -> Result<VerifyReport> {
    let store = open::for_checking(store_path)?;
    let progress = Progress::new(console, Some(store.stats().tail), "verifying");
    let report = store.verify_with(|now| {
        progress.set_total(now.total_bytes);
        progress.set(now.done_bytes);
        ControlFlow::Continue(())
    });
    progress.finish();
    report.with_context(|| format!("cannot check the store {}", shown_path(store_path)))
}

/// Reports a damaged place, and returns it as JSON.
fn named(console: &Console, place: &DamagedPlace) -> Value {
    let (mut object, mut reason) = (Map::new(), place.to_string());
    if let Some(key_hash) = place.key_hash {
        let key = place.key.as_deref();
        object = entry_json_of(key, key_hash);
        reason = format!("{} is damaged: {reason}", entry_name_of(key, key_hash));
    }
    object.insert("offset".to_owned(), place.offset().into());
    object.insert("end".to_owned(), place.range.end.into());
    damage(console, object, reason)
}

fn damage(console: &Console, mut object: Map<String, Value>, reason: String) -> Value {
    console.tell(&reason);
    object.insert("reason".to_owned(), reason.into());
    object.into()
}

/// Whether the error says that the store is damaged. After any other error, it is unknown whether
/// it is.
fn is_damage(error: &anyhow::Error) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let format_error = inner.and_then(|inner| inner.downcast_ref());
    matches!(format_error, Some(FormatError::Damaged { .. } | FormatError::Truncated { .. }))
}
