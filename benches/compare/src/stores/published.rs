//! The published crate, which this repository continues.

use std::fs::File;
use std::path::{Path, PathBuf};

use published::DataStore;
use published::traits::{DataStoreReader, DataStoreWriter};

use crate::store::{Calls, Kind, Newest, Profile, Result, Store, Workload};

pub struct Published {
    store: DataStore,
    /// The crate has no call that flushes.
    file: File,
}

fn path(directory: &Path) -> PathBuf {
    directory.join("store.bin")
}

impl Store for Published {
    const PROFILE: Profile = Profile {
        name: "published",
        package: "simd-r-drive@0.17",
        kind: Kind::Rival,
        settings: "the 0.17 crate, which has no settings; durable: `fdatasync` by a second descriptor",
        calls: Calls {
            put: "`write`",
            put_batch: "`batch_write`",
            put_durably: "`write`, `fdatasync`",
            get: "`read`",
            reader: "`read`",
            contains: "`exists`",
            get_batch: "`batch_read`",
            scan: "`iter_entries`",
            settle: "nothing",
            compact: "`compact`",
        },
    };

    type Reader<'a> = Newest<'a, Self>;

    fn open(directory: &Path, _workload: Workload) -> Result<Self> {
        let path = path(directory);
        Ok(Self { store: DataStore::open(&path)?, file: File::open(&path)? })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.store.write(key, value)?;
        Ok(())
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        self.store.batch_write(entries)?;
        Ok(())
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)?;
        self.sync()
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let entry = self.store.read(key)?;
        Ok(look(entry.as_deref()))
    }

    fn view<T>(&self, act: impl FnOnce(Newest<'_, Self>) -> Result<T>) -> Result<T> {
        act(Newest(self))
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.store.exists(key)?)
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        for (place, entry) in self.store.batch_read(keys)?.iter().enumerate() {
            look(place, entry.as_deref());
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.store.delete(key)?;
        Ok(())
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        self.store.iter_entries().for_each(|entry| look(&entry));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.file.sync_data()?)
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        let path = self.store.get_path();
        self.store.compact()?;
        // It has renamed another file over its own, and reads the old one until it is opened again.
        self.store = DataStore::open(&path)?;
        self.file = File::open(&path)?;
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.sync()
    }
}
