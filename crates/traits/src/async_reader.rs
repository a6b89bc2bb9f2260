//! The asynchronous counterpart of the reader trait.

use std::io::Result;

use simd_r_drive_entry_handle::EntryMetadata;

#[cfg(doc)]
use crate::DataStoreReader;

/// [`DataStoreReader`] for asynchronous code, on any runtime.
#[async_trait::async_trait]
pub trait AsyncDataStoreReader {
    /// The type that reads return.
    type EntryHandleType;

    /// See [`DataStoreReader::exists`].
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    async fn exists(&self, key: &[u8]) -> Result<bool>;

    /// See [`DataStoreReader::exists_with_key_hash`].
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    async fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool>;

    /// See [`DataStoreReader::read`].
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    async fn read(&self, key: &[u8]) -> Result<Option<Self::EntryHandleType>>;

    /// See [`DataStoreReader::read_with_key_hash`].
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    async fn read_with_key_hash(&self, prehashed_key: u64)
    -> Result<Option<Self::EntryHandleType>>;

    /// See [`DataStoreReader::read_last_entry`].
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    async fn read_last_entry(&self) -> Result<Option<Self::EntryHandleType>>;

    /// See [`DataStoreReader::batch_read`].
    ///
    /// # Errors
    /// Any error that prevents reading an entry.
    async fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// See [`DataStoreReader::batch_read_hashed_keys`].
    ///
    /// # Errors
    /// `InvalidInput` if the two lists differ in length; any error that prevents reading an entry.
    async fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// See [`DataStoreReader::read_metadata`].
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    async fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>>;

    /// See [`DataStoreReader::len`].
    ///
    /// # Errors
    /// `InvalidData` if the store was opened read-only and part of it is lost to damage.
    async fn len(&self) -> Result<usize>;

    /// See [`DataStoreReader::is_empty`].
    ///
    /// # Errors
    /// `InvalidData` if the store was opened read-only and part of it is lost to damage.
    async fn is_empty(&self) -> Result<bool>;

    /// See [`DataStoreReader::file_size`].
    ///
    /// # Errors
    /// The engine returns none; other implementations may.
    async fn file_size(&self) -> Result<u64>;
}
