//! An embedded, single-file, append-only key/value store for binary values that are used in place.
//!
//! A read is an index look-up and a pointer into a memory map: no copy, no decoding, and always aligned to
//! 64 bytes (or more, if asked), so that `&[f32]`, Arrow buffers and SIMD loads work on the stored bytes
//! themselves.
//!
//! ```
//! use simd_r_drive::DataStore;
//! use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("vectors.srd");
//! let store = DataStore::open(&path)?;
//!
//! let vector: Vec<f32> = (0..384).map(|n| n as f32).collect();
//! store.write(b"doc:1", bytemuck::cast_slice(&vector))?;
//!
//! let entry = store.read(b"doc:1")?.expect("just written");
//! let in_place: &[f32] = entry.as_typed().expect("64-byte aligned");
//! assert_eq!(in_place, vector);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Start with [`DataStore`], and [`OpenOptions`] for choices. The operations are methods of the
//! [`traits`]. What a user may rely on after crashes, bit rot and full disks stands in the repository's
//! `docs/reliability.md`; what a memory map means for safety in `docs/safety.md`.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod async_store;
mod background;
mod backup;
mod checkpoint;
mod clean_hints;
mod commit_builder;
mod compact;
mod conditional;
mod counts;
mod current;
mod damage;
mod durability;
mod entries;
mod entry_stream;
mod error;
mod events;
mod flush;
mod flusher;
mod history;
mod iter;
mod keys;
mod log_file;
mod lookup;
mod maintenance;
mod maps;
mod migrate;
mod nested;
mod open;
mod options;
mod pace;
#[cfg(feature = "parallel")]
mod par_iter;
mod publication;
mod quiet_mutex;
mod read;
mod read_state;
mod refresh;
mod repair;
mod shared;
mod sized_stream;
mod snapshot;
mod spool;
mod stats;
mod store;
mod superseded;
mod sync;
pub mod utils;
mod verify;
mod view;
mod write;
mod writer;

pub use simd_r_drive_entry_handle::constants::{
    METADATA_SIZE, NULL_BYTE, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT,
};
pub use simd_r_drive_entry_handle::{
    Damage, EntryHandle, EntryMetadata, Foreign, FormatError, IdentityBuildHasher, IdentityHasher,
    Subject, TypedViewError, Xxh3BuildHasher, Xxh3Hasher, compute_checksum, compute_hash,
    compute_hash_batch,
};
pub use simd_r_drive_indexer::KeyIndexer;
pub use simd_r_drive_writer::{PoisonCause, WriteError};

pub use async_store::AsyncDataStore;
pub use backup::BackupReport;
pub use compact::{CompactionProgress, CompactionReport};
pub use durability::Durability;
pub use entries::Entries;
pub use entry_stream::EntryStream;
pub use error::StoreError;
pub use history::{Changes, Cursor, History, Version};
pub use iter::EntryIterator;
pub use keys::{KeyInfo, Keys};
pub use migrate::{DamagedOldEntry, Migration, MigrationReport, migrate};
pub use open::RecoveryReport;
pub use options::OpenOptions;
pub use repair::{DamagedEntry, RepairReport, repair, repair_with};
pub use snapshot::Snapshot;
pub use spool::WRITE_STREAM_BUFFER_SIZE;
pub use stats::{NameState, StoreStats};
pub use store::DataStore;
pub use verify::{DamagedPlace, VerifyProgress, VerifyReport};
pub use view::View;

/// The reader and writer traits, synchronous and asynchronous.
pub mod traits {
    pub use simd_r_drive_traits::{
        AsyncDataStoreReader, AsyncDataStoreWriter, DataStoreReader, DataStoreWriter,
    };
}

/// Hashes and checksums, under the path that earlier versions had.
#[doc(hidden)]
pub mod digest {
    pub use simd_r_drive_entry_handle::{
        IdentityBuildHasher, IdentityHasher, Xxh3BuildHasher, Xxh3Hasher, compute_checksum,
        compute_hash, compute_hash_batch,
    };
}

/// Constants, under the path that earlier versions had.
#[doc(hidden)]
pub mod constants {
    pub use crate::spool::WRITE_STREAM_BUFFER_SIZE;
    pub use simd_r_drive_entry_handle::constants::{
        METADATA_SIZE, NULL_BYTE, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT,
    };
}

/// The paths that earlier versions had.
#[doc(hidden)]
pub mod storage_engine {
    pub use crate::{
        DataStore, EntryHandle, EntryIterator, EntryMetadata, EntryStream, KeyIndexer,
        METADATA_SIZE, NULL_BYTE, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT, WRITE_STREAM_BUFFER_SIZE,
        constants, digest, traits,
    };
}

/// The example of the repository's `README.md`, so that it compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadMe;

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
