//! `sled`.

use std::path::Path;

use sled::{Batch, Config, Db, Mode};

use crate::store::{Calls, Kind, Newest, Profile, Result, Store, Workload, unsupported};

pub struct Sled(Db);

const CACHE_LEN: u64 = 1 << 30;

impl Store for Sled {
    const PROFILE: Profile = Profile {
        name: "sled",
        package: "sled",
        kind: Kind::Rival,
        settings: "`Mode::HighThroughput`, cache 1 GiB, flushed each 500 ms (default), before which the death of the process \
            can lose writes; durable: `flush` after each put",
        calls: Calls {
            put: "`insert`",
            put_batch: "`apply_batch`",
            put_durably: "`insert`, `flush`",
            get: "`get`",
            reader: "`get`",
            contains: "`contains_key`",
            get_batch: "`get` each",
            scan: "`iter`",
            settle: "`flush`",
            compact: "none",
        },
    };

    type Reader<'a> = Newest<'a, Self>;

    fn open(directory: &Path, _workload: Workload) -> Result<Self> {
        let config = Config::new().path(directory.join("sled")).cache_capacity(CACHE_LEN);
        Ok(Self(config.mode(Mode::HighThroughput).open()?))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.insert(key, value)?;
        Ok(())
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let mut batch = Batch::default();
        for (key, value) in entries {
            batch.insert(*key, *value);
        }
        Ok(self.0.apply_batch(batch)?)
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)?;
        self.sync()
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = self.0.get(key)?;
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
            look(place, self.0.get(key)?.as_deref());
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.0.remove(key)?;
        Ok(())
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        for entry in self.0.iter() {
            look(&entry?.1);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.0.flush()?;
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        self.sync()
    }

    fn compact(&mut self) -> Result<()> {
        unsupported("compacts in the background only")
    }

    fn close(self) -> Result<()> {
        self.sync()
    }
}
