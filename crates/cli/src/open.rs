//! Opening stores, with errors that name them.

use std::path::Path;

use anyhow::{Context as _, Result};
use simd_r_drive::{DataStore, OpenOptions};

use crate::console::Console;
use crate::key::Shown;
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
            shown(path)
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
    open(path, &OpenOptions::new().verify_reads(true))
}

/// For commands that create the store if there is none.
pub(crate) fn or_create(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().create(true).verify_reads(true))
}

fn open(path: &Path, options: &OpenOptions) -> Result<DataStore> {
    options.open(path).with_context(|| format!("cannot open the store {}", shown(path)))
}

/// Flushes and closes a store that was changed.
pub(crate) fn close(store: &DataStore) -> Result<()> {
    store.close().with_context(|| format!("cannot close the store {}", shown(&store.get_path())))
}

/// A path on one line.
pub(crate) fn shown(path: &Path) -> String {
    Shown(path.as_os_str().as_encoded_bytes()).to_string()
}
