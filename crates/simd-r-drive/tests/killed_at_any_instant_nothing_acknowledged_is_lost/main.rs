//! SIGKILL at random instants: of writing and opening, of streams, of flushes and closing, of checkpoints and compaction, and of
//! what makes another file out of a store.
//!
//! A child works on a store and says when it begins and ends each step. The parent keeps the ledger, kills the
//! child, and looks at what is there. Most series have 200 kills, times `SIMD_R_DRIVE_TEST_EFFORT`; each fails if
//! too few of them landed inside what it is about.

#![cfg(unix)]

#[path = "../support/mod.rs"]
mod support;

mod automatic;
mod backups;
mod checkpoints;
mod compaction;
mod conversions;
mod flushes;
mod scene;
mod streams;
mod writes;

/// How many kills a series has.
fn rounds() -> u64 {
    200 * support::effort()
}
