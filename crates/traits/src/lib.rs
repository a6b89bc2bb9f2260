//! Reader and writer traits of [simd-r-drive](https://docs.rs/simd-r-drive), synchronous and
//! asynchronous.
//!
//! You probably want the `simd-r-drive` crate, which implements and re-exports them. This one is
//! for code that works with any store, or that provides another store behind the same interface:
//!
//! ```
//! use simd_r_drive_traits::DataStoreReader;
//!
//! fn count_present<S: DataStoreReader>(store: &S, keys: &[&[u8]]) -> std::io::Result<usize> {
//!     Ok(store.batch_read(keys)?.iter().flatten().count())
//! }
//! ```

mod async_reader;
mod async_writer;
mod reader;
mod writer;

pub use async_reader::AsyncDataStoreReader;
pub use async_writer::AsyncDataStoreWriter;
pub use reader::DataStoreReader;
pub use writer::DataStoreWriter;

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
