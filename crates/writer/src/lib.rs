//! The append path of [simd-r-drive](https://docs.rs/simd-r-drive): the file trait, encoding to aligned
//! slots, commits with roll-back and poison, barriers, the writer's lock.
//!
//! You probably want the `simd-r-drive` crate, which is the storage engine. This one is for programs that
//! put their own file behind the engine ([`StoreFile`], [`FileSystem`]), or write logs of the format without
//! its index ([`Appender`], with an example).

mod appender;
mod clock;
mod encoder;
mod entry;
mod error;
mod file;
mod os_file;
mod platform;

pub use appender::Appender;
pub use clock::now_10ms;
pub use entry::NewEntry;
pub use error::{PoisonCause, WriteError};
pub use file::{
    Access, FileKey, FileSystem, Replacement, StoreFile, read_exact_at, read_full_at, write_all_at,
};
pub use os_file::{OsFile, OsFileSystem};

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
