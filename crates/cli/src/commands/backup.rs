//! `backup`: copies the store, or what is new in it, to another file.

use std::io;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use simd_r_drive::FormatError;
use simd_r_drive::utils::format_bytes;

use crate::console::Console;
use crate::failure::failure_to_make;
use crate::key::shown_path;
use crate::open;
use crate::outcome::Outcome;

pub(crate) fn run(console: &Console, store_path: &Path, dest: &Path) -> Result<Outcome> {
    // Read-only: another process may be writing to the store.
    let store = open::for_metadata(store_path)?;
    let report = store.backup(dest).map_err(|error| {
        // The store itself has been opened, so such an error is about the file at the backup's
        // path.
        let preposition = if is_other_file(&error) { "to the existing file" } else { "to" };
        failure_to_make("cannot back up the store", (store_path, preposition, dest), error)
    })?;
    if let Some(aside) = &report.saved_to {
        let shown = shown_path(aside);
        console
            .tell(&format!("remains of an interrupted backup were cut off and saved to {shown}"));
    }
    let copied = format_bytes(report.copied_bytes);
    let summary = if report.is_incremental {
        format!("added {copied} to {}", shown_path(dest))
    } else {
        format!("copied {copied} to {}", shown_path(dest))
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

/// Whether the error says that a file is not a store of the present format.
fn is_other_file(error: &io::Error) -> bool {
    matches!(
        error.get_ref().and_then(|inner| inner.downcast_ref()),
        Some(
            FormatError::NotAStore { .. }
                | FormatError::OlderFormat { .. }
                | FormatError::NewerVersion { .. }
                | FormatError::UnknownFeatures { .. }
        )
    )
}
