//! `emdb`: a log with a hash index in memory and a map, the nearest relative.

use std::path::Path;

use crate::store::{Calls, Kind, Newest, Profile, Result, Store, Workload};

pub struct Emdb(emdb::Emdb);

impl Store for Emdb {
    const PROFILE: Profile = Profile {
        name: "emdb",
        package: "emdb",
        kind: Kind::Rival,
        settings: "defaults, without the feature `ttl`; durable: `flush` after each put",
        calls: Calls {
            put: "`insert`",
            put_batch: "`insert_many`",
            put_durably: "`insert`, `flush`",
            get: "`get_zerocopy`",
            reader: "`get_zerocopy`",
            contains: "`contains_key`",
            get_batch: "`get_zerocopy` each",
            scan: "`iter`",
            settle: "`checkpoint`",
            compact: "`compact`",
        },
    };

    type Reader<'a> = Newest<'a, Self>;

    fn open(directory: &Path, _workload: Workload) -> Result<Self> {
        Ok(Self(emdb::Emdb::builder().path(directory.join("store.emdb")).build()?))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.0.insert(key, value)?)
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        Ok(self.0.insert_many(entries.iter().copied())?)
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)?;
        self.sync()
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = self.0.get_zerocopy(key)?;
        Ok(look(value.as_deref()))
    }

    fn view<T>(&self, act: impl FnOnce(Newest<'_, Self>) -> Result<T>) -> Result<T> {
        act(Newest(self))
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.0.contains_key(key)?)
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        for (place, key) in keys.iter().enumerate() {
            look(place, self.0.get_zerocopy(key)?.as_deref());
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.0.remove(key)?;
        Ok(())
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        self.0.iter()?.for_each(|(_, value)| look(&value));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.0.flush()?)
    }

    fn settle(&self) -> Result<()> {
        Ok(self.0.checkpoint()?)
    }

    fn compact(&mut self) -> Result<()> {
        Ok(self.0.compact()?)
    }

    fn close(self) -> Result<()> {
        self.settle()
    }
}
