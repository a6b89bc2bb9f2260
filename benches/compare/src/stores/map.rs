//! The memory floor: a map in the memory of the process, with a cheap hash, which lends its values.

use std::path::Path;
use std::sync::{RwLock, RwLockReadGuard};

use hashbrown::HashMap;

use crate::store::{Calls, Kind, Profile, Reader, Result, Store, Workload, unsupported};

type Entries = HashMap<Box<[u8]>, Box<[u8]>, foldhash::fast::RandomState>;

pub struct Map(RwLock<Entries>);

const POISONED: &str = "no thread panics while it holds the lock";

impl Map {
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().expect(POISONED)
    }
}

impl Store for Map {
    const PROFILE: Profile = Profile {
        name: "memory floor",
        package: "hashbrown",
        kind: Kind::Floor,
        settings: "`RwLock<hashbrown::HashMap<Box<[u8]>, Box<[u8]>>>` with foldhash; in memory only",
        calls: Calls {
            put: "`insert`",
            put_batch: "`insert`, one lock",
            put_durably: "nothing",
            get: "`get`, one lock each",
            reader: "`get`, one lock for all",
            contains: "`contains_key`",
            get_batch: "`get`, one lock a batch",
            scan: "`values`",
            settle: "nothing",
            compact: "nothing",
        },
    };

    type Reader<'a> = RwLockReadGuard<'a, Entries>;

    fn open(_directory: &Path, _workload: Workload) -> Result<Self> {
        Ok(Self(RwLock::default()))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.write().expect(POISONED).insert(key.into(), value.into());
        Ok(())
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let mut map = self.0.write().expect(POISONED);
        for (key, value) in entries {
            map.insert((*key).into(), (*value).into());
        }
        Ok(())
    }

    fn put_durably(&self, _key: &[u8], _value: &[u8]) -> Result<()> {
        unsupported("a map in memory")
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        Ok(look(self.read().get(key).map(|value| &**value)))
    }

    fn view<T>(&self, act: impl FnOnce(Self::Reader<'_>) -> Result<T>) -> Result<T> {
        act(self.read())
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.read().contains_key(key))
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let map = self.read();
        for (place, key) in keys.iter().enumerate() {
            look(place, map.get(*key).map(|value| &**value));
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.0.write().expect(POISONED).remove(key);
        Ok(())
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        self.read().values().for_each(|value| look(value));
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        unsupported("a map in memory")
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        unsupported("a map in memory")
    }

    fn close(self) -> Result<()> {
        unsupported("a map in memory")
    }
}

impl Reader for RwLockReadGuard<'_, Entries> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        Ok(look(self.get(key).map(|value| &**value)))
    }
}
