//! The asynchronous counterpart of the reader trait.

use std::io::Result;

use simd_r_drive_entry_handle::EntryMetadata;

/// [`DataStoreReader`](crate::DataStoreReader) for asynchronous code. It needs no particular runtime.
#[async_trait::async_trait]
pub trait AsyncDataStoreReader {
    /// The type that reads return.
    type EntryHandleType;

    /// See [`DataStoreReader::exists`](crate::DataStoreReader::exists).
    ///
    /// # Errors
    /// As there.
    async fn exists(&self, key: &[u8]) -> Result<bool>;

    /// See [`DataStoreReader::exists_with_key_hash`](crate::DataStoreReader::exists_with_key_hash).
    ///
    /// # Errors
    /// As there.
    async fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool>;

    /// See [`DataStoreReader::read`](crate::DataStoreReader::read).
    ///
    /// # Errors
    /// As there.
    async fn read(&self, key: &[u8]) -> Result<Option<Self::EntryHandleType>>;

    /// See [`DataStoreReader::read_with_key_hash`](crate::DataStoreReader::read_with_key_hash).
    ///
    /// # Errors
    /// As there.
    async fn read_with_key_hash(&self, prehashed_key: u64)
    -> Result<Option<Self::EntryHandleType>>;

    /// See [`DataStoreReader::read_last_entry`](crate::DataStoreReader::read_last_entry).
    ///
    /// # Errors
    /// As there.
    async fn read_last_entry(&self) -> Result<Option<Self::EntryHandleType>>;

    /// See [`DataStoreReader::batch_read`](crate::DataStoreReader::batch_read).
    ///
    /// # Errors
    /// As there.
    async fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// See [`DataStoreReader::batch_read_hashed_keys`](crate::DataStoreReader::batch_read_hashed_keys).
    ///
    /// # Errors
    /// As there.
    async fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// See [`DataStoreReader::read_metadata`](crate::DataStoreReader::read_metadata).
    ///
    /// # Errors
    /// As there.
    async fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>>;

    /// See [`DataStoreReader::len`](crate::DataStoreReader::len).
    ///
    /// # Errors
    /// As there.
    async fn len(&self) -> Result<usize>;

    /// See [`DataStoreReader::is_empty`](crate::DataStoreReader::is_empty).
    ///
    /// # Errors
    /// As there.
    async fn is_empty(&self) -> Result<bool>;

    /// See [`DataStoreReader::file_size`](crate::DataStoreReader::file_size).
    ///
    /// # Errors
    /// As there.
    async fn file_size(&self) -> Result<u64>;
}
