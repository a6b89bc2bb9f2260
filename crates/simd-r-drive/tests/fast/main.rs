//! Tests of the engine that take moments: one folder a subject.
//!
//! `cargo test -p simd-r-drive --test fast reading::` runs those of a folder. All of them share a
//! process; what changes its limits, its streams or its subscriber, or counts what it reads, starts
//! another one: see [`own_process`] and [`support::child`].

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
