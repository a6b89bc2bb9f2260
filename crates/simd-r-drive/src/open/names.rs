//! The names in a store's directory: keeping its own, and removing what was left under others.

use std::io;

use simd_r_drive_entry_handle::Identity;
use simd_r_drive_writer::{Location, StoreFile};

use super::identify::{Found, identify};
use crate::events;

/// Flushes the store's directory, if this process may read it.
pub(super) fn keep_name(location: &dyn Location) -> io::Result<()> {
    match location.sync_directory() {
        // Entering a directory needs fewer permissions than reading it. A store in a directory that
        // cannot be read works without this flush.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// Removes what a killed process left of a new or an old file of this store. A failure only costs
/// space.
pub(crate) fn remove_orphans(location: &dyn Location, identity: &Identity) {
    let is_ours = |file: &dyn StoreFile| {
        let found = file.len().and_then(|len| identify(file, len));
        matches!(found, Ok(Found::Store(header)) if header.identity.store_id == identity.store_id)
    };
    match location.remove_orphans(&is_ours) {
        Ok(0) => {}
        Ok(count) => events::orphans_removed(location.path(), count),
        Err(error) => events::orphans_not_removed(location.path(), &error),
    }
}
