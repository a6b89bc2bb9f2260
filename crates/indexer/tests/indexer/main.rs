//! The index, through its public interface, compared with a scan of a log in memory.

mod concurrency;
mod equal_hashes;
mod histories;
mod layers;
mod story;
#[path = "../support/mod.rs"]
mod support;
