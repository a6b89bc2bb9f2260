//! The asynchronous counterpart of the writer trait.

use std::io::{Read, Result};

/// [`DataStoreWriter`](crate::DataStoreWriter) for asynchronous code. It needs no particular runtime.
///
/// Readers of streams must be `Send`, since a task may move between threads.
#[async_trait::async_trait]
pub trait AsyncDataStoreWriter {
    /// See [`DataStoreWriter::write_stream`](crate::DataStoreWriter::write_stream).
    ///
    /// # Errors
    /// As there.
    async fn write_stream<R: Read + Send>(&self, key: &[u8], reader: &mut R) -> Result<u64>;

    /// See [`DataStoreWriter::write_stream_with_key_hash`](crate::DataStoreWriter::write_stream_with_key_hash).
    ///
    /// # Errors
    /// As there.
    async fn write_stream_with_key_hash<R: Read + Send>(
        &self,
        key_hash: u64,
        reader: &mut R,
    ) -> Result<u64>;

    /// See [`DataStoreWriter::write`](crate::DataStoreWriter::write).
    ///
    /// # Errors
    /// As there.
    async fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::write_with_key_hash`](crate::DataStoreWriter::write_with_key_hash).
    ///
    /// # Errors
    /// As there.
    async fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_write`](crate::DataStoreWriter::batch_write).
    ///
    /// # Errors
    /// As there.
    async fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_write_with_key_hashes`](crate::DataStoreWriter::batch_write_with_key_hashes).
    ///
    /// # Errors
    /// As there.
    async fn batch_write_with_key_hashes(
        &self,
        prehashed_keys: Vec<(u64, &[u8])>,
        allow_null_bytes: bool,
    ) -> Result<u64>;

    /// See [`DataStoreWriter::rename`](crate::DataStoreWriter::rename).
    ///
    /// # Errors
    /// As there.
    async fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::copy`](crate::DataStoreWriter::copy).
    ///
    /// # Errors
    /// As there.
    async fn copy(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// See [`DataStoreWriter::transfer`](crate::DataStoreWriter::transfer).
    ///
    /// # Errors
    /// As there.
    async fn transfer(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// See [`DataStoreWriter::delete`](crate::DataStoreWriter::delete).
    ///
    /// # Errors
    /// As there.
    async fn delete(&self, key: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_delete`](crate::DataStoreWriter::batch_delete).
    ///
    /// # Errors
    /// As there.
    async fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_delete_key_hashes`](crate::DataStoreWriter::batch_delete_key_hashes).
    ///
    /// # Errors
    /// As there.
    async fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64>;
}
