//! Files of stores to come: refused, locked, filled, and given their names.

use std::io;
use std::path::Path;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Identity, Seal};
use simd_r_drive_indexer::{KeyIndexer, LayeredIndex};
use simd_r_drive_writer::{Location, PendingFile, Placed, StoreFile, Visibility, WriteError};

use super::create;
use super::load::Resume;
use super::map::map_log;
use super::tail::LogBounds;
use crate::log::{Counts, LogPosition, ReadState, Totals};
use crate::options::OpenOptions;

/// Refuses a file on a network file system, unless the options allow it.
pub(crate) fn refuse_network(
    file: &dyn StoreFile,
    path: &Path,
    options: &OpenOptions,
) -> io::Result<()> {
    if !options.allow_network_file_system && file.is_on_network()? {
        return Err(WriteError::NetworkFileSystem { path: path.to_owned() }.into());
    }
    Ok(())
}

/// Locks a file that is to become a store at `path` before it has an identity. Otherwise another
/// process might take it for one that a killed process left behind.
pub(crate) fn lock_new(file: &dyn StoreFile, path: &Path, options: &OpenOptions) -> io::Result<()> {
    refuse_network(file, path, options)?;
    if !file.try_lock()? {
        return Err(WriteError::Locked { path: path.to_owned() }.into());
    }
    Ok(())
}

/// Creates a store that appears under its name complete and locked.
pub(super) fn create_file(
    location: &dyn Location,
    alignment: Alignment,
    options: &OpenOptions,
) -> io::Result<(Arc<dyn StoreFile>, Placed)> {
    let identity = create::new_identity(alignment)?;
    place_new(location, Visibility::Ordinary, &mut |file| {
        lock_new(file, location.path(), options)?;
        create::write_header(file, &identity)
    })
}

/// Creates a file that appears under its name complete and flushed, or not at all. `fill` writes
/// it.
///
/// # Errors
/// `AlreadyExists` if the name is taken; those of `fill`; any I/O error of the file or its
/// directory.
pub(crate) fn place_new(
    location: &dyn Location,
    visibility: Visibility,
    fill: &mut dyn FnMut(&dyn StoreFile) -> io::Result<()>,
) -> io::Result<(Arc<dyn StoreFile>, Placed)> {
    let pending = location.create_pending(visibility)?;
    let file = pending.file();
    fill(&*file)?;
    file.sync()?;
    Ok((file, place_durably(location, pending)?))
}

/// Gives a new, flushed file its name durably.
///
/// # Errors
/// Any I/O error of the file system. The name does not exist then.
pub(crate) fn place_durably(
    location: &dyn Location,
    pending: Box<dyn PendingFile>,
) -> io::Result<Placed> {
    let placed = pending.place()?;
    match location.sync_directory() {
        Ok(()) => Ok(placed),
        Err(error) => {
            // The file is new: only readers can have opened it.
            let _ = placed.remove();
            Err(error)
        }
    }
}

/// Gives a copy of a store the permissions of the store's file, except that its owner may always
/// write. A store that is not a file of a file system has no permissions, and leaves those of the
/// copy alone.
///
/// # Errors
/// Any I/O error of the files.
pub(crate) fn copy_permissions(store: &dyn StoreFile, copy: &dyn StoreFile) -> io::Result<()> {
    match store.status() {
        Ok(status) => copy.set_permissions(status.permissions.writable()),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(error) => Err(error),
    }
}

/// Turns a new, empty file, which nothing else knows yet and which `path` will lead to, into an
/// empty store, locked.
pub(crate) fn new_file(
    file: Arc<dyn StoreFile>,
    path: &Path,
    identity: &Identity,
    options: &OpenOptions,
) -> io::Result<(ReadState, Resume)> {
    lock_new(&*file, path, options)?;
    create::write_header(&*file, identity)?;
    let root = LogPosition { end: identity.layout().header_len(), seal: Seal(identity.checksum()) };
    let mut log = map_log(file, identity, &LogBounds::at(root), options)?;
    log.counts = Counts::new(Totals { tail: root.end, ..Totals::default() });
    let index = LayeredIndex::new(&log.layout, KeyIndexer::new());
    let resume = Resume {
        durable: root,
        tail: root,
        checkpoint_sequence: 1,
        must_rewrite: false,
        is_copying: false,
        barrier_end: 0,
        newest_index_end: 0,
        remains: None,
    };
    Ok((ReadState::new(Arc::new(log), index), resume))
}
