//! Paths and names for programs written for earlier versions.

pub mod utils;

/// Hashes and checksums, at their path in earlier versions.
#[doc(hidden)]
pub mod digest {
    pub use simd_r_drive_entry_handle::{
        IdentityBuildHasher, IdentityHasher, Xxh3BuildHasher, Xxh3Hasher, compute_checksum,
        compute_hash, compute_hash_batch,
    };
}

/// Constants, at their path in earlier versions.
#[doc(hidden)]
pub mod constants {
    pub use crate::write::WRITE_STREAM_BUFFER_SIZE;
    pub use simd_r_drive_entry_handle::constants::{
        METADATA_SIZE, NULL_BYTE, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT,
    };
}

/// Modules at their paths in earlier versions.
#[doc(hidden)]
pub mod storage_engine {
    pub use crate::{
        DataStore, EntryHandle, EntryIterator, EntryMetadata, EntryStream, KeyIndexer,
        METADATA_SIZE, NULL_BYTE, PAYLOAD_ALIGN_LOG2, PAYLOAD_ALIGNMENT, WRITE_STREAM_BUFFER_SIZE,
        constants, digest, traits,
    };
}
