//! The writer trait.

use std::io::{Read, Result};

/// Write access to a key-value store.
///
/// The returned `u64` is the store's tail after the operation, in bytes. Every method is one
/// commit: after a crash it is there completely or not at all, and no reader ever sees part of it.
/// The one exception is [`transfer`](DataStoreWriter::transfer), which commits to two stores. Any
/// value can be stored, whether empty, all zeros, or gigabytes long.
///
/// A method that fails has changed nothing, with two exceptions. After a failed flush, the commit
/// may be there or not. And a transfer may have reached its target.
pub trait DataStoreWriter {
    /// Reads `reader` to its end and writes what it yields under `key`. No lock is held while the
    /// reader runs. If it fails or panics, nothing is written. `Interrupted` is retried.
    ///
    /// # Errors
    /// Any error of the reader; `InvalidInput` if the key is too long; any error that prevents
    /// writing the entry.
    fn write_stream<R: Read>(&self, key: &[u8], reader: &mut R) -> Result<u64>;

    /// Like [`DataStoreWriter::write_stream`], but under a bare hash.
    ///
    /// # Errors
    /// Any error of the reader; `InvalidInput` if several live keys share the hash, since the entry
    /// would replace them all; any error that prevents writing the entry.
    fn write_stream_with_key_hash<R: Read>(&self, key_hash: u64, reader: &mut R) -> Result<u64>;

    /// Writes `payload` under `key`, replacing its value if it has one.
    ///
    /// # Errors
    /// `InvalidInput` if the key is too long; any error that prevents writing the entry.
    fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64>;

    /// Writes `payload` under a bare hash: no key bytes are stored, and every key with that hash
    /// finds it.
    ///
    /// # Errors
    /// `InvalidInput` if several live keys share the hash, since the entry would replace them all;
    /// any error that prevents writing the entry.
    fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64>;

    /// Writes all `entries` as one commit. The last entry for a key wins. An empty batch changes
    /// nothing.
    ///
    /// # Errors
    /// `InvalidInput` if a key is too long; any error that prevents writing the entries.
    fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64>;

    /// Like [`DataStoreWriter::batch_write`], but under bare hashes. `allow_null_bytes` has no
    /// effect: every value is allowed.
    ///
    /// # Errors
    /// `InvalidInput` if several live keys share one of the hashes; any error that prevents writing
    /// the entries.
    fn batch_write_with_key_hashes(
        &self,
        prehashed_keys: Vec<(u64, &[u8])>,
        allow_null_bytes: bool,
    ) -> Result<u64>;

    /// Moves the value of `old_key` to `new_key`, replacing the value of `new_key` if it has one.
    ///
    /// # Errors
    /// `NotFound` if `old_key` does not exist; `InvalidInput` if the keys are equal or `new_key` is
    /// too long; `InvalidData` if the value is damaged; any error that prevents writing the entry.
    fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64>;

    /// Copies the value of `key` to `target`, under the same key. Returns the target's tail.
    ///
    /// # Errors
    /// `NotFound` if `key` does not exist; `InvalidInput` if `target` is this store; `InvalidData`
    /// if the value is damaged; any error that prevents writing the entry.
    fn copy(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// Moves the value of `key` to `target`. It is deleted here after the target holds it, and only
    /// if it is still the version that was copied. Returns this store's tail.
    ///
    /// # Errors
    /// `NotFound` if `key` does not exist; `InvalidInput` if `target` is this store; `InvalidData`
    /// if the value is damaged; any error that prevents writing the entry or its deletion. The
    /// value is in at least one of the stores then.
    fn transfer(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// Deletes `key`. Deleting a key that does not exist changes nothing.
    ///
    /// # Errors
    /// Any error that prevents writing the deletion.
    fn delete(&self, key: &[u8]) -> Result<u64>;

    /// Deletes `keys` as one commit.
    ///
    /// # Errors
    /// Any error that prevents writing the deletions.
    fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64>;

    /// Deletes everything under these hashes, bare or keyed, as one commit. Key bytes are not
    /// compared.
    ///
    /// # Errors
    /// Any error that prevents writing the deletions.
    fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64>;
}
