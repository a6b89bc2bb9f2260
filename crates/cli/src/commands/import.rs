//! `import`: stores the files of a directory.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use simd_r_drive::utils::format_bytes;

use crate::console::{Console, counted};
use crate::import::{Excludes, Importer, Walk};
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
    // Before the store is created.
    let found =
        std::fs::metadata(dir).with_context(|| format!("cannot import {}", open::shown(dir)))?;
    if !found.is_dir() {
        bail!("cannot import {}: it is not a directory", open::shown(dir));
    }
    let store = open::or_create(store_path)?;
    let walk = Walk::new(dir, prefix, &excludes, store_path)?;
    let mut progress = Progress::new(console, None, "importing");
    let imported = Importer::new(&store).run(walk, &mut progress);
    let (skipped_count, skipped) = progress.finish();
    // What was imported before an error stays; say so only if closing works.
    let imported = imported.with_context(|| format!("cannot import {}", open::shown(dir)))?;
    open::close(&store)?;
    let (files, bytes) = (imported.files, imported.bytes);
    let mut summary = format!("imported {}, {}", counted(files, "file"), format_bytes(bytes));
    if skipped_count > 0 {
        summary.push_str(&format!("; skipped {skipped_count}"));
    }
    console.summarize(&json!({ "files": files, "bytes": bytes, "skipped": skipped }), &summary)?;
    Ok(Outcome::complete_if(skipped_count == 0))
}
