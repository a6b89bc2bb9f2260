//! An embedded, single-file, append-only key/value store for binary values that are used in place.
//!
//! A read is an index look-up and a pointer into a memory map: no copy, no decoding. Payloads are
//! always aligned to 64 bytes (or more, on request), so `&[f32]`, Arrow buffers and SIMD loads work
//! directly on the stored bytes.
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
//! Start with [`DataStore`], and see [`OpenOptions`] for the choices. The operations are methods of
//! the [`traits`]. The repository's `docs/reliability.md` states what holds after crashes, bit rot
//! and full disks; `docs/safety.md` explains what memory maps mean for safety.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod async_store;
mod backup;
mod checkpoint;
mod compact;
mod durability;
mod error;
mod events;
mod flush;
mod legacy;
mod log;
mod maintenance;
mod migrate;
mod open;
mod options;
mod read;
mod repair;
mod shared;
mod stats;
mod store;
mod verify;
mod write;

pub use simd_r_drive_entry_handle::constants::{
    METADATA_SIZE, NULL_BYTE, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT,
};
pub use simd_r_drive_entry_handle::{
    Access, Damage, EntryHandle, EntryMetadata, Foreign, FormatError, IdentityBuildHasher,
    IdentityHasher, Subject, TypedViewError, Xxh3BuildHasher, Xxh3Hasher, compute_checksum,
    compute_hash, compute_hash_batch,
};
pub use simd_r_drive_indexer::KeyIndexer;
pub use simd_r_drive_writer::{PoisonCause, WriteError};

pub use async_store::AsyncDataStore;
pub use backup::BackupReport;
pub use compact::{CompactionProgress, CompactionReport};
pub use durability::Durability;
pub use error::StoreError;
pub use legacy::{constants, digest, storage_engine, utils};
pub use migrate::{DamagedOldEntry, Migration, MigrationReport, migrate};
pub use open::RecoveryReport;
pub use options::OpenOptions;
pub use read::{
    Changes, Cursor, Entries, EntryIterator, EntryStream, History, KeyInfo, Keys, Snapshot,
    Version, View, ViewEntries, ViewEntry,
};
pub use repair::{DamagedEntry, RepairReport, repair, repair_with};
pub use stats::{NameState, StoreStats};
pub use store::DataStore;
pub use verify::{DamagedPlace, VerifyProgress, VerifyReport};
pub use write::WRITE_STREAM_BUFFER_SIZE;

/// The reader and writer traits, synchronous and asynchronous.
pub mod traits {
    pub use simd_r_drive_traits::{
        AsyncDataStoreReader, AsyncDataStoreWriter, DataStoreReader, DataStoreWriter,
    };
}

/// Compiles and runs the example in the repository's `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadMe;

/// Compiles and runs the example in the crate's `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
