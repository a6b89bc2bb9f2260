//! Opening stores, with errors that name them.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use simd_r_drive::traits::DataStoreReader as _;
use simd_r_drive::{DataStore, OpenOptions};

use crate::console::Console;
use crate::failure::failure;
use crate::key::shown_path;
use crate::outcome::Outcome;

/// For commands that hand values on: takes no lock, changes and creates nothing, and checks what it reads.
pub(crate) fn for_reading(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true).verify_reads(true))
}

/// As [`for_reading`], but of a damaged store also what may be outdated, if `is_salvage`. Tells that it is
/// damaged; the outcome is then no better than partial.
pub(crate) fn for_salvage(
    console: &Console,
    path: &Path,
    is_salvage: bool,
    is_verified: bool,
) -> Result<(DataStore, Outcome)> {
    let options = OpenOptions::new().read_only(true).verify_reads(is_verified);
    let store = open(path, &options.salvage(is_salvage))?;
    let is_damaged = is_salvage && !store.recovery_report().damaged.is_empty();
    if is_damaged {
        console.tell(&format!(
            "the store {} is damaged: what is left may be incomplete, and outdated",
            shown_path(path)
        ));
    }
    Ok((store, Outcome::complete_if(!is_damaged)))
}

/// For commands that only read keys and figures, which opening has checked.
pub(crate) fn for_metadata(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true))
}

/// For `verify`: everything that is left, to be checked by the caller.
pub(crate) fn for_checking(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true).salvage(true))
}

/// For commands that change a store that must exist.
pub(crate) fn for_changing(path: &Path) -> Result<DataStore> {
    writable(path, &OpenOptions::new().verify_reads(true))
}

/// For commands that create the store if there is none.
pub(crate) fn or_create(path: &Path) -> Result<DataStore> {
    writable(path, &OpenOptions::new().create(true).verify_reads(true))
}

/// Before anything else is done: a store whose file cannot be written opens all the same, to be read.
fn writable(path: &Path, options: &OpenOptions) -> Result<DataStore> {
    let store = open(path, options)?;
    if store.is_read_only() {
        bail!(
            "cannot change the store {}: its file, or the medium, is read-only",
            shown_path(path)
        );
    }
    Ok(store)
}

fn open(path: &Path, options: &OpenOptions) -> Result<DataStore> {
    options.open(path).map_err(|error| failure("cannot open the store", path, error))
}

/// Flushes and closes a store that was changed.
pub(crate) fn close(store: &DataStore) -> Result<()> {
    store.close().map_err(|error| failure("cannot close the store", &store.get_path(), error))
}

/// Removes a store that this command has created, and could then put nothing into.
pub(crate) fn discard_new(store: &DataStore) {
    // It is locked, so that nobody else can have written to it.
    if store.recovery_report().is_new && store.is_empty().unwrap_or(false) {
        let _ = fs::remove_file(store.get_path());
    }
}
