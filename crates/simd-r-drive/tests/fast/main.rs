//! Fast tests of the engine, with a folder for each subject.
//!
//! `cargo test -p simd-r-drive --test fast reading::` runs those of a folder. They share a process.
//! Tests that change its limits, streams or subscriber, or count what it reads, start another one:
//! see [`own_process`] and [`support::child`].

mod api;
mod concurrency;
mod crash;
mod damage;
mod errors;
#[cfg(feature = "tracing")]
mod events;
mod formats;
mod index;
mod maintenance;
mod media;
mod opening;
mod other_processes;
mod own_process;
mod reading;
mod shown;
mod story;
#[path = "../support/mod.rs"]
mod support;
mod writing;
