//! The store of this repository.

use std::path::{Path, PathBuf};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{Access, DataStore, Durability, OpenOptions, View};

use crate::store::{Calls, Kind, Profile, Reader, Residence, Result, Store, Workload};

pub struct Ours(DataStore);

fn path(directory: &Path) -> PathBuf {
    directory.join("store.srd")
}

impl Store for Ours {
    const PROFILE: Profile = Profile {
        name: "simd-r-drive",
        package: "simd-r-drive",
        kind: Kind::Ours,
        settings: "defaults (`Durability::Process`, automatic checkpoints); durable: `Durability::Sync`",
        calls: Calls {
            put: "`write`",
            put_batch: "`batch_write`",
            put_durably: "`write`",
            get: "`read`",
            reader: "`view()` once, then `View::get`",
            contains: "`exists`",
            get_batch: "`View::get_many`",
            scan: "`View::entries`",
            settle: "`checkpoint`",
            compact: "`compact`",
        },
    };

    type Reader<'a> = View;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        let durability = if workload.is_durable { Durability::Sync } else { Durability::Process };
        let access = match workload.residence {
            Residence::Memory | Residence::Scanned => Access::Normal,
            Residence::Random => Access::Random,
        };
        let options = OpenOptions::new().create(true).durability(durability).access(access);
        Ok(Self(options.open(path(directory))?))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.write(key, value)?;
        Ok(())
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        self.0.batch_write(entries)?;
        Ok(())
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let entry = self.0.read(key)?;
        Ok(look(entry.as_deref()))
    }

    fn view<T>(&self, act: impl FnOnce(View) -> Result<T>) -> Result<T> {
        act(self.0.view())
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.0.exists(key)?)
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let (view, mut values) = (self.0.view(), Vec::new());
        view.get_many(keys, &mut values)?;
        for (place, value) in values.into_iter().enumerate() {
            look(place, value);
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        DataStoreWriter::delete(&self.0, key)?;
        Ok(())
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        for entry in self.0.view().entries() {
            look(entry?.payload);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.0.sync()?)
    }

    fn settle(&self) -> Result<()> {
        Ok(self.0.checkpoint()?)
    }

    fn compact(&mut self) -> Result<()> {
        Ok(self.0.compact()?)
    }

    fn close(self) -> Result<()> {
        Ok(self.0.close()?)
    }
}

impl Reader for View {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        Ok(look(View::get(self, key)?))
    }
}
