//! `copy` and `move`: bring a value to another store.

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use simd_r_drive::traits::{DataStoreReader as _, DataStoreWriter as _};
use simd_r_drive::{DataStore, StoreError};

use crate::console::Console;
use crate::key::{Shown, key_json, shown_path};
use crate::open;
use crate::outcome::Outcome;
use crate::same_file::is_same_file;

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
    // The target is closed, so the value is on its medium. The source is locked, so the value has
    // not changed.
    source.delete(key).with_context(|| {
        format!("{} was copied, but cannot be deleted from its old store", Shown(key))
    })?;
    open::close(&source)?;
    report(console, key, target_path)
}

/// Copies a value and closes the target. Returns whether the value exists. If it does not, or if it
/// is damaged, the target is not created.
fn copy_over(source: &DataStore, key: &[u8], target_path: &Path) -> Result<bool> {
    let what = || format!("cannot copy {}", Shown(key));
    // Reads are verified, so this finds damage too.
    if source.read(key).with_context(what)?.is_none() {
        return Ok(false);
    }
    let target = open::or_create(target_path)?;
    source.copy(key, &target).inspect_err(|_| open::discard_new(&target)).with_context(what)?;
    open::close(&target)?;
    Ok(true)
}

/// Without this, the error would be that the store is locked, by this very command.
fn refuse_same(source: &Path, target: &Path) -> Result<()> {
    if is_same_file(source, target) {
        return Err(io::Error::from(StoreError::SameStore).into());
    }
    Ok(())
}

fn report(console: &Console, key: &[u8], target: &Path) -> Result<Outcome> {
    if console.is_json {
        let mut object = key_json(key);
        object.insert("target".to_owned(), shown_path(target).into());
        console.print_json(&object.into())?;
    }
    Ok(Outcome::Complete)
}
