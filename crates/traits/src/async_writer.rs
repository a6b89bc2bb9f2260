//! The asynchronous counterpart of the writer trait.

use std::io::{Read, Result};

#[cfg(doc)]
use crate::DataStoreWriter;

/// [`DataStoreWriter`] for asynchronous code, on any runtime.
///
/// Readers passed to it must be `Send`, since a task may move between threads.
#[async_trait::async_trait]
pub trait AsyncDataStoreWriter {
    /// See [`DataStoreWriter::write_stream`].
    ///
    /// # Errors
    /// Any error of the reader; `InvalidInput` if the key is too long; any error that prevents
    /// writing the entry.
    async fn write_stream<R: Read + Send>(&self, key: &[u8], reader: &mut R) -> Result<u64>;

    /// See [`DataStoreWriter::write_stream_with_key_hash`].
    ///
    /// # Errors
    /// Any error of the reader; `InvalidInput` if several live keys share the hash, since the entry
    /// would replace them all; any error that prevents writing the entry.
    async fn write_stream_with_key_hash<R: Read + Send>(
        &self,
        key_hash: u64,
        reader: &mut R,
    ) -> Result<u64>;

    /// See [`DataStoreWriter::write`].
    ///
    /// # Errors
    /// `InvalidInput` if the key is too long; any error that prevents writing the entry.
    async fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::write_with_key_hash`].
    ///
    /// # Errors
    /// `InvalidInput` if several live keys share the hash, since the entry would replace them all;
    /// any error that prevents writing the entry.
    async fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_write`].
    ///
    /// # Errors
    /// `InvalidInput` if a key is too long; any error that prevents writing the entries.
    async fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_write_with_key_hashes`].
    ///
    /// # Errors
    /// `InvalidInput` if several live keys share one of the hashes; any error that prevents writing
    /// the entries.
    async fn batch_write_with_key_hashes(
        &self,
        prehashed_keys: Vec<(u64, &[u8])>,
        allow_null_bytes: bool,
    ) -> Result<u64>;

    /// See [`DataStoreWriter::rename`].
    ///
    /// # Errors
    /// `NotFound` if `old_key` does not exist; `InvalidInput` if the keys are equal or `new_key` is
    /// too long; `InvalidData` if the value is damaged; any error that prevents writing the entry.
    async fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::copy`].
    ///
    /// # Errors
    /// `NotFound` if `key` does not exist; `InvalidInput` if `target` is this store; `InvalidData`
    /// if the value is damaged; any error that prevents writing the entry.
    async fn copy(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// See [`DataStoreWriter::transfer`].
    ///
    /// # Errors
    /// `NotFound` if `key` does not exist; `InvalidInput` if `target` is this store; `InvalidData`
    /// if the value is damaged; any error that prevents writing the entry or its deletion. The
    /// value is in at least one of the stores then.
    async fn transfer(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// See [`DataStoreWriter::delete`].
    ///
    /// # Errors
    /// Any error that prevents writing the deletion.
    async fn delete(&self, key: &[u8]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_delete`].
    ///
    /// # Errors
    /// Any error that prevents writing the deletions.
    async fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64>;

    /// See [`DataStoreWriter::batch_delete_key_hashes`].
    ///
    /// # Errors
    /// Any error that prevents writing the deletions.
    async fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64>;
}
