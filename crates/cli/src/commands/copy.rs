//! `copy` and `move`: a value goes to another store.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use simd_r_drive::DataStore;
use simd_r_drive::traits::{DataStoreReader as _, DataStoreWriter as _};

use crate::console::Console;
use crate::key::{Shown, key_json};
use crate::open;
use crate::outcome::Outcome;

pub(crate) fn copy(
    console: &Console,
    source_path: &Path,
    key: &[u8],
    target_path: &Path,
) -> Result<Outcome> {
    refuse_same(source_path, target_path)?;
    let source = open::for_reading(source_path)?;
    if !copy_over(&source, key, target_path)? {
        return Ok(console.tell_absent(key)?);
    }
    report(console, key, target_path)
}

pub(crate) fn transfer(
    console: &Console,
    source_path: &Path,
    key: &[u8],
    target_path: &Path,
) -> Result<Outcome> {
    refuse_same(source_path, target_path)?;
    let source = open::for_changing(source_path)?;
    if !copy_over(&source, key, target_path)? {
        return Ok(console.tell_absent(key)?);
    }
    // The target is closed, so the value is on its medium; and nobody else could write to the source.
    source.delete(key).with_context(|| {
        format!("{} was copied, but cannot be deleted at its old place", Shown(key))
    })?;
    open::close(&source)?;
    report(console, key, target_path)
}

/// Copies a value and closes the target. Returns whether there was one; if not, the target is not created.
fn copy_over(source: &DataStore, key: &[u8], target_path: &Path) -> Result<bool> {
    let what = || format!("cannot copy {}", Shown(key));
    if !source.exists(key).with_context(what)? {
        return Ok(false);
    }
    let target = open::or_create(target_path)?;
    source.copy(key, &target).with_context(what)?;
    open::close(&target)?;
    Ok(true)
}

/// A clearer word than that the one store is locked by itself.
fn refuse_same(source: &Path, target: &Path) -> Result<()> {
    match (fs::canonicalize(source), fs::canonicalize(target)) {
        (Ok(source), Ok(target)) if source == target => {
            bail!("source and target are the same store; use rename")
        }
        _ => Ok(()),
    }
}

fn report(console: &Console, key: &[u8], target: &Path) -> Result<Outcome> {
    if console.is_json {
        let mut object = key_json(key);
        object.insert("target".to_owned(), open::shown(target).into());
        console.print_json(&object.into())?;
    }
    Ok(Outcome::Complete)
}
