//! Nested stores: stores kept as values of another store.

use std::io;
use std::path::Path;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, EntryHandle, Map, Subject};
use simd_r_drive_writer::{FileKey, StoreFile};

use crate::error::about;
use crate::flush::Background;
use crate::open;
use crate::options::OpenOptions;
use crate::store::DataStore;

impl DataStore {
    /// Opens the store in the payload of `entry` in place, for reading. Nothing is copied: its
    /// values lie in the memory map of the outer store, and its handles keep that map alive.
    ///
    /// Any store file can be a value, including one that itself holds stores. Written to a file,
    /// the payload is that store again, byte for byte. [`DataStore::get_path`] of a nested store is
    /// empty.
    ///
    /// Costs what opening a file of that size costs; see [`OpenOptions::open`].
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let inner_path = directory.path().join("inner.srd");
    /// # let path = directory.path().join("outer.srd");
    /// let inner = DataStore::open(&inner_path)?;
    /// inner.write(b"tile", b"pixels")?;
    /// inner.close()?;
    ///
    /// let outer = DataStore::open(&path)?;
    /// outer.write_stream(b"layer 1", &mut std::fs::File::open(&inner_path)?)?;
    ///
    /// let layer = DataStore::open_nested(outer.read(b"layer 1")?.expect("just written"))?;
    /// assert_eq!(layer.read(b"tile")?.unwrap(), b"pixels".as_slice());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// - [`FormatError::NestedAlignment`](crate::FormatError::NestedAlignment) if the inner store
    ///   has a larger alignment than the outer one;
    /// - [`FormatError`](crate::FormatError) as for a file, if the payload is not a store or is
    ///   damaged. Offsets count from the start of the payload.
    ///
    /// The payload is read through the map, so a bad sector beneath it raises a signal instead of
    /// an error, as for every value that is read in place.
    pub fn open_nested(entry: EntryHandle) -> io::Result<Self> {
        OpenOptions::new().open_nested(entry)
    }
}

impl OpenOptions {
    /// [`DataStore::open_nested`] with options. Those for creating, locking and writing have no
    /// effect.
    ///
    /// # Errors
    /// See [`DataStore::open_nested`].
    pub fn open_nested(&self, entry: EntryHandle) -> io::Result<DataStore> {
        let options = self.clone().read_only(true).create(false).create_new(false);
        let subject =
            entry.key().map_or_else(|| Subject::of_key_hash(entry.key_hash()), Subject::of_key);
        let background = Background::new(options.durability, options.read_only)?;
        let opened = open::open_without_path(Arc::new(NestedFile { entry }), &options)
            .map_err(|error| about(subject, error))?;
        DataStore::from_opened(opened, Path::new(""), None, &options, background)
    }
}

/// The payload of an entry, as a file that can only be read.
#[derive(Debug)]
struct NestedFile {
    entry: EntryHandle,
}

impl StoreFile for NestedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.entry.size() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.entry.get(offset..));
        let rest = rest.unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn map(&self, alignment: Alignment, need: u64, _: u64) -> io::Result<Map> {
        if need > self.len()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.entry.payload_map(alignment)?)
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn unlock(&self) -> io::Result<()> {
        Ok(())
    }

    fn key(&self) -> io::Result<FileKey> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
