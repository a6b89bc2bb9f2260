//! Opening stores, with errors that name them.

use std::path::Path;

use anyhow::{Context as _, Result};
use simd_r_drive::{DataStore, OpenOptions};

use crate::key::Shown;

/// For commands that only read: takes no lock, changes and creates nothing, and checks what it reads.
pub(crate) fn for_reading(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true).verify_reads(true))
}

/// For commands that only read keys and figures, which opening has checked.
pub(crate) fn for_metadata(path: &Path) -> Result<DataStore> {
    open(path, &OpenOptions::new().read_only(true))
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
