//! Slow tests of the engine. Most of them send SIGKILL at random instants, while a process writes
//! and opens, streams, flushes and closes, makes checkpoints, compacts, or writes another file from
//! a store. Three keep a store as busy as they can: `busy_writers`, `flood` and `soak`.
//!
//! A child works on a store, and reports when it begins and ends each step. The parent keeps the
//! ledger, kills the child, and checks what is there. Most series have 200 kills, times
//! `SIMD_R_DRIVE_TEST_EFFORT`. A series fails if too few of them happened during the operation that
//! it is about.

#[cfg(unix)]
mod automatic;
#[cfg(unix)]
mod backups;
mod busy_writers;
#[cfg(unix)]
mod checkpoints;
#[cfg(unix)]
mod compaction;
#[cfg(unix)]
mod conversions;
mod flood;
#[cfg(unix)]
mod flushes;
#[cfg(unix)]
mod ledger;
#[cfg(unix)]
mod scene;
#[cfg(unix)]
mod soak;
#[cfg(unix)]
mod steps;
#[cfg(unix)]
mod streams;
#[path = "../support/mod.rs"]
mod support;
#[cfg(unix)]
mod victim;
#[cfg(unix)]
mod writes;
