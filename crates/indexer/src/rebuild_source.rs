//! The interface through which a damaged index is rebuilt from the log.

use crate::indexer::KeyIndexer;
use crate::slot_source::SlotSource;

/// A log that can be read as a whole, to rebuild an index in it that is damaged.
pub trait RebuildSource: SlotSource {
    /// A guard that lives while the index holds a lock.
    type UnderLock;

    /// Called before taking the lock under which [`rebuild`](RebuildSource::rebuild) runs. The
    /// result is dropped when the lock is free again. In between, the holder must not wait for any
    /// thread that may be waiting for that lock.
    fn under_lock(&self) -> Self::UnderLock;

    /// Builds an index of all slots that end at or below `tail`, from the log alone.
    ///
    /// # Errors
    ///
    /// Any error that prevents reading a slot.
    fn rebuild(&self, tail: u64) -> Result<KeyIndexer, Self::Error>;
}
