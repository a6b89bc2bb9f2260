//! Opening stores, with errors that name their paths.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};
use simd_r_drive::traits::DataStoreReader as _;
use simd_r_drive::{DataStore, OpenOptions};

use crate::console::Console;
use crate::failure::failure;
use crate::key::shown_path;
use crate::outcome::Outcome;

/// Opens a store for commands that hand values on. Takes no lock, changes and creates nothing, and
/// verifies reads.
pub(crate) fn for_reading(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true).verify_reads(true))
}

/// Like [`for_reading`], but verifies reads only if `is_verified`, and returns values that may be
/// outdated if `is_salvage`. If so, and the store is damaged, reports that. The outcome is partial
/// then.
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
            "the store {} is damaged: what is left may be incomplete and outdated",
            shown_path(path)
        ));
    }
    Ok((store, Outcome::complete_if(!is_damaged)))
}

/// Opens a store for commands that only read keys and figures. Values are not verified.
pub(crate) fn for_metadata(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true))
}

/// Opens a store for `verify`, with everything that is left of it. The caller checks what it reads.
pub(crate) fn for_checking(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true).salvage(true))
}

/// Opens a store for commands that change it. The store must exist.
pub(crate) fn for_changing(path: &Path) -> Result<DataStore> {
    writable(path, &OpenOptions::new().verify_reads(true))
}

/// Opens a store for commands that change it, and creates it if it does not exist.
pub(crate) fn or_create(path: &Path) -> Result<DataStore> {
    writable(path, &OpenOptions::new().create(true).verify_reads(true))
}

/// Fails if the store is read-only. A store whose file cannot be written opens for reading, which
/// would only show up at the first write.
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

/// Removes the store if this command has created it and it is still empty.
pub(crate) fn discard_new(store: &DataStore) {
    // The store is locked, so nobody else can have written to it.
    if store.recovery_report().is_new && store.is_empty().unwrap_or(false) {
        let _ = fs::remove_file(store.get_path());
    }
}
