//! The append path of [simd-r-drive](https://docs.rs/simd-r-drive): the file trait, encoding of
//! aligned slots, commits with roll-back and poisoning, barriers, the writer's lock.
//!
//! You probably want the `simd-r-drive` crate, which is the storage engine. This one is for
//! programs that provide their own files to the engine ([`StoreFile`], [`FileSystem`]), or that
//! write logs of the format without its index ([`Appender`], with an example).

mod appender;
mod clock;
mod encoder;
mod entry;
mod error;
mod file;
mod location;
mod os_file;
mod os_location;
mod platform;

pub use appender::Appender;
pub use clock::now_10ms;
pub use encoder::Encoder;
pub use entry::NewEntry;
pub use error::{PoisonCause, WriteError};
pub use file::{
    FileKey, FilePermissions, FileStatus, StoreFile, read_exact_at, read_full_at, write_all_at,
};
pub use location::{Access, FileSystem, Location, PendingFile, Placed, Visibility};
pub use os_file::OsFile;
pub use os_location::OsFileSystem;

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
