//! `export`: writes values to files.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use simd_r_drive::EntryHandle;
use simd_r_drive::utils::format_bytes;

use crate::console::{Console, counted};
use crate::export::{Destination, Refusal, relative_path};
use crate::failure::failure;
use crate::key::{entry_json, entry_name, shown_path};
use crate::open;
use crate::outcome::Outcome;
use crate::progress::Progress;

/// The options of the command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choices {
    /// Export what is left of a damaged store, outdated or not.
    pub(crate) salvage: bool,
    /// Replace existing files.
    pub(crate) force: bool,
}

pub(crate) fn run(
    console: &Console,
    store_path: &Path,
    dir: &Path,
    prefix: &[u8],
    choices: Choices,
) -> Result<Outcome> {
    // Reads are not verified: each value is checked below, so that a damaged one does not end the
    // export.
    let (store, outcome) = open::for_salvage(console, store_path, choices.salvage, false)?;
    let cannot = |error| failure("cannot export to", dir, error);
    fs::create_dir_all(dir).map_err(cannot)?;
    let mut destination = Destination::new(dir, store_path, choices.force).map_err(cannot)?;
    let mut progress = Progress::new(console, Some(store.stats().live_keys), "exporting");
    let (mut files, mut bytes) = (0_u64, 0_u64);
    for entry in store.entries() {
        let entry =
            entry.map_err(|error| failure("cannot read the whole store", store_path, error))?;
        progress.advance(1);
        if !entry.key().unwrap_or_default().starts_with(prefix) {
            continue;
        }
        match export(&entry, prefix, &mut destination) {
            Ok(()) => {
                files += 1;
                bytes += entry.size() as u64;
            }
            Err(Refusal::Skip(reason)) => {
                progress.skip(&entry_name(&entry), entry_json(&entry), &reason);
            }
            Err(Refusal::Fail(error)) => {
                let done = counted(files, "file");
                let name = entry_name(&entry);
                let what = format!("stopped at {name}, after {done}");
                let error = anyhow::Error::from(error).context(what);
                return Err(error.context(format!("cannot export to {}", shown_path(dir))));
            }
        }
    }
    let (skipped_count, skipped) = progress.finish();
    let mut summary = format!("exported {}, {}", counted(files, "file"), format_bytes(bytes));
    if skipped_count > 0 {
        summary.push_str(&format!("; skipped {skipped_count}"));
    }
    console.summarize(&json!({ "files": files, "bytes": bytes, "skipped": skipped }), &summary)?;
    Ok(outcome.and(Outcome::complete_if(skipped_count == 0)))
}

fn export(
    entry: &EntryHandle,
    prefix: &[u8],
    destination: &mut Destination,
) -> Result<(), Refusal> {
    let Some(key) = entry.key() else {
        return Err(Refusal::Skip("it was written by hash alone and has no name".to_owned()));
    };
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    if rest.is_empty() && !prefix.is_empty() {
        let reason = "--prefix is its whole key, which leaves no file name";
        return Err(Refusal::Skip(reason.to_owned()));
    }
    if rest.starts_with(b"/") && !prefix.is_empty() {
        let reason = "without --prefix, its key is an absolute path; end the prefix with a /";
        return Err(Refusal::Skip(reason.to_owned()));
    }
    let path = relative_path(rest).map_err(Refusal::Skip)?;
    if !entry.is_valid_checksum() {
        let at = entry.start_offset();
        return Err(Refusal::Skip(format!("its payload at byte {at} is damaged")));
    }
    destination.put(&path, entry)
}
