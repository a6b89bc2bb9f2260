//! What an acknowledged write survives.

use std::time::Duration;

/// What a write that has returned survives. Chosen for a store with
/// [`OpenOptions::durability`](crate::OpenOptions::durability); [`DataStore::sync`](crate::DataStore::sync)
/// raises everything before it to [`Durability::Sync`].
///
/// At every level a commit is whole or absent, and what a crash leaves is some prefix of the commits, in
/// order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// The death of the process at any instant. What power loss takes away is bounded: the store flushes in
    /// the background after 5 seconds or 32 MiB of writing.
    #[default]
    Process,
    /// The death of the process; and at most this time, plus one flush, is lost with the machine.
    Interval(Duration),
    /// The loss of power, if the device honours flushes. A write returns when it is flushed; writes of
    /// several threads share flushes.
    Sync,
}
