//! Reading, without waiting for anything but memory.

use std::io::Result;

use simd_r_drive_entry_handle::EntryMetadata;

/// Reads of a key/value store.
///
/// A key *exists* when it is present and not deleted. Methods that take a key compare its stored bytes, so
/// that a hash collision never returns another key's value; methods that take only a hash skip that check
/// on purpose.
pub trait DataStoreReader {
    /// What a read hands out: a zero-copy handle, in the engine itself.
    type EntryHandleType;

    /// Whether `key` exists.
    ///
    /// # Errors
    /// When the entry cannot be read.
    fn exists(&self, key: &[u8]) -> Result<bool>;

    /// Whether an entry of this key hash exists. No key bytes are compared.
    ///
    /// # Errors
    /// When the entry cannot be read.
    fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool>;

    /// The value of `key`; `None` if it does not exist. An entry that was written by hash alone is found by
    /// every key of that hash.
    ///
    /// # Errors
    /// When the entry cannot be read.
    fn read(&self, key: &[u8]) -> Result<Option<Self::EntryHandleType>>;

    /// The newest value under this key hash. No key bytes are compared: among colliding keys it may be the
    /// value of any.
    ///
    /// # Errors
    /// When the entry cannot be read.
    fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<Self::EntryHandleType>>;

    /// The newest live value of the store, whatever its key; `None` if the store is empty.
    ///
    /// # Errors
    /// When the entry cannot be read.
    fn read_last_entry(&self) -> Result<Option<Self::EntryHandleType>>;

    /// The values of `keys`, in their order, all as of one point in time: never half of a batch write.
    ///
    /// # Errors
    /// When an entry cannot be read.
    fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// The values under `prehashed_keys`, in their order, as of one point in time. With `non_hashed_keys`,
    /// which stand in the same order, the key bytes are compared as [`DataStoreReader::read`] does; without,
    /// they are not.
    ///
    /// # Errors
    /// `InvalidInput` if the two lists differ in length; or when an entry cannot be read.
    fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// A view of the trailer of `key`'s value; `None` if it does not exist.
    ///
    /// # Errors
    /// When the entry cannot be read.
    fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>>;

    /// How many keys exist.
    ///
    /// # Errors
    /// None in the engine itself; other implementations may have some.
    fn len(&self) -> Result<usize>;

    /// Whether no key exists.
    ///
    /// # Errors
    /// As [`DataStoreReader::len`].
    fn is_empty(&self) -> Result<bool>;

    /// The store's published tail in bytes: header and all entries, dead ones too, without space that is
    /// allocated ahead.
    ///
    /// # Errors
    /// None in the engine itself; other implementations may have some.
    fn file_size(&self) -> Result<u64>;
}
