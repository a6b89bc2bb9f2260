//! The reader trait.

use std::io::Result;

use simd_r_drive_entry_handle::EntryMetadata;

/// Read access to a key-value store.
///
/// A key *exists* if it is present and not deleted. Methods that take a key compare its stored
/// bytes, so a hash collision never returns the value of another key. Methods that take only a hash
/// skip that comparison.
pub trait DataStoreReader {
    /// The type that reads return. The engine returns a zero-copy handle.
    type EntryHandleType;

    /// Whether `key` exists.
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    fn exists(&self, key: &[u8]) -> Result<bool>;

    /// Whether an entry with this key hash exists. Key bytes are not compared.
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool>;

    /// The value of `key`; `None` if it does not exist. An entry written under a bare hash is found
    /// by every key with that hash.
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    fn read(&self, key: &[u8]) -> Result<Option<Self::EntryHandleType>>;

    /// The newest value under this key hash. Key bytes are not compared: if keys collide, the value
    /// may belong to any of them.
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<Self::EntryHandleType>>;

    /// The newest live value of the store, whatever its key; `None` if the store is empty.
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    fn read_last_entry(&self) -> Result<Option<Self::EntryHandleType>>;

    /// The values of `keys`, in order, all as of one point in time. A batch is seen completely or
    /// not at all.
    ///
    /// # Errors
    /// Any error that prevents reading an entry.
    fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// The values under `prehashed_keys`, in order, as of one point in time. If `non_hashed_keys`
    /// is given, in the same order, key bytes are compared as in [`DataStoreReader::read`];
    /// otherwise they are not.
    ///
    /// # Errors
    /// `InvalidInput` if the two lists differ in length; any error that prevents reading an entry.
    fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<Self::EntryHandleType>>>;

    /// A view of the trailer of the value of `key`; `None` if the key does not exist.
    ///
    /// # Errors
    /// Any error that prevents reading the entry.
    fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>>;

    /// The number of keys that exist.
    ///
    /// # Errors
    /// `InvalidData` if the store was opened read-only and part of it is lost to damage.
    fn len(&self) -> Result<usize>;

    /// Whether no key exists.
    ///
    /// # Errors
    /// `InvalidData` if the store was opened read-only and part of it is lost to damage.
    fn is_empty(&self) -> Result<bool>;

    /// The store's published tail in bytes: the header and all entries, including dead ones, but
    /// not space allocated ahead.
    ///
    /// # Errors
    /// The engine returns none; other implementations may.
    fn file_size(&self) -> Result<u64>;
}
