//! What an acknowledged write survives.

use std::time::Duration;

/// What a completed write survives. Set for a store with
/// [`OpenOptions::durability`](crate::OpenOptions::durability).
/// [`DataStore::sync`](crate::DataStore::sync) raises all earlier writes to [`Durability::Sync`].
///
/// At every level, a commit is present as a whole or not at all, and a crash leaves a prefix of the
/// commits in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// The death of the process at any instant. Loss on power failure is bounded: the store flushes
    /// in the background after 5 seconds or 32 MiB of writes.
    #[default]
    Process,
    /// The death of the process. Power failure loses at most the writes of this interval plus one
    /// flush.
    Interval(Duration),
    /// Power failure, provided that the device honours flushes. A write returns once it is flushed;
    /// writes of several threads share flushes.
    Sync,
}
