//! `fjall`.

use std::path::Path;

use fjall::config::{BlockSizePolicy, HashRatioPolicy};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode, Readable, Snapshot,
};

use crate::store::{Calls, Kind, Profile, Reader, Result, Store, Workload};

pub struct Fjall {
    database: Database,
    entries: Keyspace,
}

const CACHE_LEN: u64 = 1 << 30;

/// From this length on, values are kept apart from keys.
const SEPARATED_LEN: usize = 4096;

fn options(workload: Workload) -> KeyspaceCreateOptions {
    let options = KeyspaceCreateOptions::default()
        .data_block_hash_ratio_policy(HashRatioPolicy::all(1.0))
        .data_block_size_policy(BlockSizePolicy::all(4096));
    let is_separated = workload.value_len >= SEPARATED_LEN;
    options.with_kv_separation(is_separated.then(KvSeparationOptions::default))
}

impl Store for Fjall {
    const PROFILE: Profile = Profile {
        name: "fjall",
        package: "fjall",
        kind: Kind::Rival,
        settings: "cache 1 GiB, no compression, hash index in data blocks of 4 KiB, values apart from keys from 4 KiB \
            on; durable: `persist(SyncData)` after each put",
        calls: Calls {
            put: "`insert`",
            put_batch: "`batch`, `commit`",
            put_durably: "`insert`, `persist`",
            get: "`get`",
            reader: "`get` of a `snapshot`",
            contains: "`contains_key`",
            get_batch: "`get` of a `snapshot`",
            scan: "`iter`",
            settle: "memtable to disk, compactions awaited",
            compact: "`major_compact`",
        },
    };

    type Reader<'a> = FjallReader<'a>;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        let database = Database::builder(directory.join("fjall")).cache_size(CACHE_LEN).open()?;
        let entries = database.keyspace("entries", || options(workload))?;
        Ok(Self { database, entries })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.entries.insert(key, value)?)
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let mut batch = self.database.batch();
        for (key, value) in entries {
            batch.insert(&self.entries, *key, *value);
        }
        Ok(batch.commit()?)
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)?;
        self.sync()
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = self.entries.get(key)?;
        Ok(look(value.as_deref()))
    }

    fn view<T>(&self, act: impl FnOnce(FjallReader<'_>) -> Result<T>) -> Result<T> {
        act(FjallReader { snapshot: self.database.snapshot(), entries: &self.entries })
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        Ok(self.entries.contains_key(key)?)
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        self.view(|mut reader| {
            let mut keys = keys.iter().enumerate();
            keys.try_for_each(|(place, key)| reader.find(key, |value| look(place, value)))
        })
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        Ok(self.entries.remove(key)?)
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        for entry in self.entries.iter() {
            look(&entry.value()?);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.database.persist(PersistMode::SyncData)?)
    }

    fn settle(&self) -> Result<()> {
        self.entries.rotate_memtable_and_wait()?;
        while self.database.outstanding_flushes() > 0 || self.database.active_compactions() > 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        self.entries.rotate_memtable_and_wait()?;
        Ok(self.entries.major_compact()?)
    }

    fn close(self) -> Result<()> {
        self.settle()?;
        self.sync()
    }
}

pub struct FjallReader<'a> {
    snapshot: Snapshot,
    entries: &'a Keyspace,
}

impl Reader for FjallReader<'_> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = self.snapshot.get(self.entries, key)?;
        Ok(look(value.as_deref()))
    }
}
