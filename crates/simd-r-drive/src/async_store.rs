//! The store for asynchronous code.

use std::io::{Read, Result};
use std::sync::Arc;

use async_trait::async_trait;
use simd_r_drive_entry_handle::{EntryHandle, EntryMetadata};
use simd_r_drive_traits::{
    AsyncDataStoreReader, AsyncDataStoreWriter, DataStoreReader, DataStoreWriter,
};

use crate::store::DataStore;
use crate::write::Spool;

/// A [`DataStore`] with the asynchronous traits. Clones are cheap and share the store.
///
/// No runtime is needed: every method does its work at once, on the polling thread. Reads wait only
/// for memory. Writes take the writer's lock and make a system call; with
/// [`Durability::Sync`](crate::Durability::Sync) they also wait for a flush.
///
/// With the `tokio` feature, on a tokio runtime, flushing, closing, compacting and the commit of a
/// stream move to the runtime's blocking pool. The reader of a stream is borrowed, so the polling
/// thread reads it.
///
/// ```
/// use simd_r_drive::DataStore;
/// use simd_r_drive::traits::{AsyncDataStoreReader, AsyncDataStoreWriter};
///
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("example.srd");
/// let store = DataStore::open(&path)?.into_async();
/// pollster::block_on(async {
///     store.write(b"key", b"value").await?;
///     assert_eq!(store.read(b"key").await?.unwrap(), b"value".as_slice());
///     std::io::Result::Ok(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AsyncDataStore {
    store: Arc<DataStore>,
}

impl AsyncDataStore {
    /// The underlying store, for operations that the traits do not cover.
    pub fn store(&self) -> &Arc<DataStore> {
        &self.store
    }

    /// See [`DataStore::sync`].
    ///
    /// # Errors
    /// As [`DataStore::sync`].
    pub async fn sync(&self) -> Result<()> {
        self.blocking(DataStore::sync).await
    }

    /// See [`DataStore::close`].
    ///
    /// # Errors
    /// As [`DataStore::close`].
    pub async fn close(&self) -> Result<()> {
        self.blocking(DataStore::close).await
    }

    /// See [`DataStore::compact`].
    ///
    /// # Errors
    /// As [`DataStore::compact`].
    pub async fn compact(&self) -> Result<()> {
        self.blocking(DataStore::compact).await
    }

    /// Runs blocking work on the runtime's blocking pool if there is one, else in place.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&DataStore) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        #[cfg(feature = "tokio")]
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let store = Arc::clone(&self.store);
            return match runtime.spawn_blocking(move || work(&store)).await {
                Ok(result) => result,
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime is being shut down.
                    Err(error) => Err(std::io::Error::other(error)),
                },
            };
        }
        work(&self.store)
    }
}

impl DataStore {
    /// Wraps the store for use through the asynchronous traits.
    pub fn into_async(self) -> AsyncDataStore {
        Arc::new(self).into()
    }
}

impl From<Arc<DataStore>> for AsyncDataStore {
    fn from(store: Arc<DataStore>) -> Self {
        Self { store }
    }
}

#[async_trait]
impl AsyncDataStoreReader for AsyncDataStore {
    type EntryHandleType = EntryHandle;

    async fn exists(&self, key: &[u8]) -> Result<bool> {
        self.store.exists(key)
    }

    async fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool> {
        self.store.exists_with_key_hash(prehashed_key)
    }

    async fn read(&self, key: &[u8]) -> Result<Option<EntryHandle>> {
        self.store.read(key)
    }

    async fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<EntryHandle>> {
        self.store.read_with_key_hash(prehashed_key)
    }

    async fn read_last_entry(&self) -> Result<Option<EntryHandle>> {
        self.store.read_last_entry()
    }

    async fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<EntryHandle>>> {
        self.store.batch_read(keys)
    }

    async fn batch_read_hashed_keys(
        &self,
        prehashed_keys: &[u64],
        non_hashed_keys: Option<&[&[u8]]>,
    ) -> Result<Vec<Option<EntryHandle>>> {
        self.store.batch_read_hashed_keys(prehashed_keys, non_hashed_keys)
    }

    async fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>> {
        self.store.read_metadata(key)
    }

    async fn len(&self) -> Result<usize> {
        self.store.len()
    }

    async fn is_empty(&self) -> Result<bool> {
        self.store.is_empty()
    }

    async fn file_size(&self) -> Result<u64> {
        self.store.file_size()
    }
}

#[async_trait]
impl AsyncDataStoreWriter for AsyncDataStore {
    async fn write_stream<R: Read + Send>(&self, key: &[u8], reader: &mut R) -> Result<u64> {
        let spool = Spool::fill(reader, self.store.shared.location.as_deref())?;
        let key = key.to_vec();
        self.blocking(move |store| store.commit_spool(&key, &spool)).await
    }

    async fn write_stream_with_key_hash<R: Read + Send>(
        &self,
        key_hash: u64,
        reader: &mut R,
    ) -> Result<u64> {
        let spool = Spool::fill(reader, self.store.shared.location.as_deref())?;
        self.blocking(move |store| store.commit_bare_spool(key_hash, &spool)).await
    }

    async fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64> {
        self.store.write(key, payload)
    }

    async fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64> {
        self.store.write_with_key_hash(key_hash, payload)
    }

    async fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64> {
        self.store.batch_write(entries)
    }

    async fn batch_write_with_key_hashes(
        &self,
        prehashed_keys: Vec<(u64, &[u8])>,
        allow_null_bytes: bool,
    ) -> Result<u64> {
        self.store.batch_write_with_key_hashes(prehashed_keys, allow_null_bytes)
    }

    async fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64> {
        self.store.rename(old_key, new_key)
    }

    async fn copy(&self, key: &[u8], target: &Self) -> Result<u64> {
        self.store.copy(key, &target.store)
    }

    async fn transfer(&self, key: &[u8], target: &Self) -> Result<u64> {
        self.store.transfer(key, &target.store)
    }

    async fn delete(&self, key: &[u8]) -> Result<u64> {
        self.store.delete(key)
    }

    async fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64> {
        self.store.batch_delete(keys)
    }

    async fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64> {
        self.store.batch_delete_key_hashes(prehashed_keys)
    }
}
