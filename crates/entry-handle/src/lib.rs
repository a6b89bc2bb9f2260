//! The on-disk format of [simd-r-drive](https://docs.rs/simd-r-drive), and nothing else: header
//! pages, slots and their trailers, seals, the log cursor, the memory map, and zero-copy handles to
//! entries.
//!
//! You probably want the `simd-r-drive` crate, which is the storage engine. This one is for
//! programs that pass [`EntryHandle`]s around without the engine, and for tools that read the
//! format itself.
//!
//! A slot is `payload | zeros | key | trailer`. Its start and length are multiples of the store's
//! alignment, so that a payload can be used in place as a `&[f32]` or by SIMD loads:
//!
//! ```
//! use simd_r_drive_entry_handle::{Alignment, EntryHandle};
//!
//! assert_eq!(Alignment::DEFAULT.slot_len(8, 20), Some(64));
//!
//! let values: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
//! let handle = EntryHandle::from_owned_bytes_anon(&values, 42)?;
//! assert_eq!(handle.as_typed::<f32>().unwrap(), [1.0, 2.0, 3.0]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Parsing of file contents is total: no input makes it panic, recurse, or use more memory than a
//! small multiple of what is read.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

mod access;
mod alignment;
mod bytes;
mod checked_set;
pub mod constants;
mod cursor;
mod error;
mod foreign;
mod guess;
mod handle;
mod hash;
mod hints;
mod identity;
mod layout;
mod map;
mod metadata;
mod seal;
mod special;
mod subject;
mod trailer;
mod typed_view;

pub use access::Access;
pub use alignment::{Alignment, debug_assert_aligned, debug_assert_aligned_offset};
pub use checked_set::CheckedSet;
pub use constants::FORMAT_MAJOR;
pub use cursor::{LogCursor, LogSlot, LogSource, read_slot};
pub use error::{Damage, FormatError};
pub use foreign::Foreign;
pub use guess::{is_older_format, looks_headless};
pub use handle::{EntryHandle, verify_payload, verify_slot};
pub use hash::{
    IdentityBuildHasher, IdentityHasher, Xxh3BuildHasher, Xxh3Hasher, compute_checksum,
    compute_hash, compute_hash_batch,
};
pub use hints::{Checkpoint, PublishedTail};
pub use identity::{FORMAT_MINOR, Identity, IdentitySeeds, MAGIC};
pub use layout::Layout;
pub use map::{Block, Map, MapSlice, MappedSlot, prefetch};
pub use metadata::EntryMetadata;
pub use seal::{Seal, Sealer};
pub use special::{Barrier, BarrierTables};
pub use subject::Subject;
pub use trailer::{Flags, Kind, SEALED_LEN, SealedTrailer, Trailer};
pub use typed_view::TypedViewError;

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
