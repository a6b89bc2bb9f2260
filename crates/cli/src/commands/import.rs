//! `import`: stores the files of a directory.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::json;
use simd_r_drive::utils::format_bytes;

use crate::console::{Console, counted};
use crate::failure::failure;
use crate::import::{Excludes, Importer, Stopped, Walk};
use crate::key::{Shown, shown_path};
use crate::open;
use crate::outcome::Outcome;
use crate::progress::Progress;

pub(crate) fn run(
    console: &Console,
    store_path: &Path,
    dir: &Path,
    prefix: &[u8],
    excludes: &[String],
) -> Result<Outcome> {
    let excludes = Excludes::new(excludes)?;
    // This comes before the store is created.
    let found = std::fs::metadata(dir).map_err(|error| failure("cannot import", dir, error))?;
    if !found.is_dir() {
        bail!("cannot import {}: it is not a directory", shown_path(dir));
    }
    let store = open::or_create(store_path)?;
    let walk = Walk::new(dir, prefix, &excludes, &store)?;
    let mut progress = Progress::new(console, None, "importing");
    let imported = Importer::new(&store).run(walk, &mut progress);
    let (skipped_count, skipped) = progress.finish();
    if imported.is_err() {
        open::discard_new(&store);
    }
    // Closing also flushes what was imported before an error.
    let closed = open::close(&store);
    let imported = imported.map_err(|stopped| cannot_import_all(dir, stopped, closed.is_ok()))?;
    closed?;
    let (files, bytes) = (imported.files, imported.bytes);
    let mut summary = format!("imported {}, {}", counted(files, "file"), format_bytes(bytes));
    if skipped_count > 0 {
        summary.push_str(&format!("; skipped {skipped_count}"));
    }
    console.summarize(&json!({ "files": files, "bytes": bytes, "skipped": skipped }), &summary)?;
    Ok(Outcome::complete_if(skipped_count == 0))
}

/// The error for an import that stopped: says what is stored and what is not.
fn cannot_import_all(dir: &Path, stopped: Stopped, is_closed: bool) -> anyhow::Error {
    let Stopped { imported, key, error } = stopped;
    let (dir, key) = (shown_path(dir), Shown(&key));
    let what = if imported.files == 0 {
        format!("cannot import anything from {dir} ({key} and the files after it are not stored)")
    } else {
        let files = counted(imported.files, "file");
        let rest = if is_closed { "" } else { ", but perhaps not flushed to the medium" };
        format!(
            "cannot import all of {dir} ({files} stored{rest}; {key} and the files after it are not)"
        )
    };
    anyhow::Error::from(error).context(what)
}
