//! Writing: every method is one atomic commit.

use std::io::{Read, Result};

/// Writes of a key/value store.
///
/// The `u64` returned is the store's tail after the operation, in bytes. Every method is one commit: after a
/// crash all of it is there or none of it, and no reader ever sees a part. Every value can be stored: empty,
/// zeros, gigabytes.
pub trait DataStoreWriter {
    /// Writes everything that `reader` yields under `key`. The reader runs without any lock that others
    /// need; if it fails or panics, nothing is written. `Interrupted` is retried.
    ///
    /// # Errors
    /// The reader's; or when the entry cannot be written.
    fn write_stream<R: Read>(&self, key: &[u8], reader: &mut R) -> Result<u64>;

    /// [`DataStoreWriter::write_stream`] under a bare key hash.
    ///
    /// # Errors
    /// As [`DataStoreWriter::write_stream`] and [`DataStoreWriter::write_with_key_hash`].
    fn write_stream_with_key_hash<R: Read>(&self, key_hash: u64, reader: &mut R) -> Result<u64>;

    /// Writes `payload` under `key`, in place of its value if it has one.
    ///
    /// # Errors
    /// `InvalidInput` for a key that is too long; or when the entry cannot be written.
    fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64>;

    /// Writes `payload` under a bare hash: no key bytes are stored, and every key of that hash finds it.
    ///
    /// # Errors
    /// When several live keys share the hash, since it would replace them all; or when the entry cannot be
    /// written.
    fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64>;

    /// Writes all `entries` as one commit. The last entry for a key wins. An empty batch changes nothing.
    ///
    /// # Errors
    /// As [`DataStoreWriter::write`]; then nothing of the batch is written.
    fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64>;

    /// [`DataStoreWriter::batch_write`] under bare hashes. `allow_null_bytes` has no effect: every value is
    /// allowed.
    ///
    /// # Errors
    /// As [`DataStoreWriter::write_with_key_hash`]; then nothing of the batch is written.
    fn batch_write_with_key_hashes(
        &self,
        prehashed_keys: Vec<(u64, &[u8])>,
        allow_null_bytes: bool,
    ) -> Result<u64>;

    /// Moves the value of `old_key` to `new_key`, in place of its value if it has one.
    ///
    /// # Errors
    /// `NotFound` if `old_key` does not exist, `InvalidInput` if the keys are equal; or when the entry
    /// cannot be written.
    fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64>;

    /// Copies the value of `key` to `target`, under the same key. Returns the target's tail.
    ///
    /// # Errors
    /// `NotFound` if `key` does not exist, `InvalidInput` if `target` is this store; or when the entry
    /// cannot be written.
    fn copy(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// Moves the value of `key` to `target`: it is deleted here once the target holds it, and only in the
    /// version that was copied. Returns this store's tail.
    ///
    /// # Errors
    /// As [`DataStoreWriter::copy`]; the value is then still here.
    fn transfer(&self, key: &[u8], target: &Self) -> Result<u64>;

    /// Deletes `key`. Deleting what does not exist changes nothing.
    ///
    /// # Errors
    /// When the deletion cannot be written.
    fn delete(&self, key: &[u8]) -> Result<u64>;

    /// Deletes `keys` as one commit.
    ///
    /// # Errors
    /// As [`DataStoreWriter::delete`]; then nothing is deleted.
    fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64>;

    /// Deletes everything under these hashes, bare or keyed, as one commit. No key bytes are compared.
    ///
    /// # Errors
    /// As [`DataStoreWriter::delete`]; then nothing is deleted.
    fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64>;
}
