//! LMDB, by `heed`.
#![expect(unsafe_code, reason = "LMDB's environments are opened by an unsafe call")]

use std::fs;
use std::path::Path;

use heed::types::Bytes;
use heed::{
    CommitOrAbort, CompactionOption, Database, Env, EnvFlags, EnvOpenOptions, RoTxn, WithTls,
};

use crate::store::{Calls, Kind, Profile, Reader, Residence, Result, Store, Workload};

pub struct Lmdb {
    /// Databases borrow their environment. It lives as long as the process.
    env: &'static Env<WithTls>,
    entries: Database<'static, Bytes, Bytes>,
}

/// Address space, not memory.
const MAP_LEN: usize = 64 << 30;

impl Store for Lmdb {
    const PROFILE: Profile = Profile {
        name: "LMDB",
        package: "heed",
        kind: Kind::Rival,
        settings: "`heed`, `WRITE_MAP`, `MAP_ASYNC`, `NO_SYNC`, `NO_META_SYNC`, `NO_READ_AHEAD`, `NO_MEM_INIT`, map of \
            64 GiB; durable: no flags but the last two, a flush in each commit; cold scan: without `NO_READ_AHEAD`",
        calls: Calls {
            put: "`put` in a transaction",
            put_batch: "`put`, one transaction",
            put_durably: "`put` in a transaction",
            get: "`get`, a read transaction each",
            reader: "`get`, one read transaction",
            contains: "`get`, a read transaction each",
            get_batch: "`get`, one read transaction",
            scan: "`iter`",
            settle: "nothing",
            compact: "`copy_to_path` with compaction, `fdatasync`, rename",
        },
    };

    type Reader<'a> = LmdbReader<'a>;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_LEN).max_readers(64);
        let mut flags = EnvFlags::NO_MEM_INIT;
        if workload.residence != Residence::Scanned {
            flags |= EnvFlags::NO_READ_AHEAD;
        }
        if !workload.is_durable {
            flags |= EnvFlags::WRITE_MAP
                | EnvFlags::MAP_ASYNC
                | EnvFlags::NO_SYNC
                | EnvFlags::NO_META_SYNC;
        }
        // SAFETY: nothing else touches this directory while the store is open, and stores that a crash of the
        // machine may have damaged are not opened.
        let env = unsafe { options.flags(flags).open(directory)? };
        let env: &'static Env = Box::leak(Box::new(env));
        let transaction = env.read_txn()?;
        let entries = env
            .open_databases_and_commit(transaction, |options, transaction| {
                options.open_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
            })?
            .unwrap_commit()
            .ok_or("LMDB has no unnamed database")?;
        Ok(Self { env, entries })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        self.entries.put(&mut transaction, key, value)?;
        Ok(transaction.commit()?)
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        for (key, value) in entries {
            self.entries.put(&mut transaction, key, value)?;
        }
        Ok(transaction.commit()?)
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let transaction = self.env.read_txn()?;
        Ok(look(self.entries.get(&transaction, key)?))
    }

    fn view<T>(&self, act: impl FnOnce(LmdbReader<'_>) -> Result<T>) -> Result<T> {
        act(LmdbReader { transaction: self.env.read_txn()?, entries: self.entries })
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        Store::get(self, key, |value| value.is_some())
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let transaction = self.env.read_txn()?;
        for (place, key) in keys.iter().enumerate() {
            look(place, self.entries.get(&transaction, key)?);
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        let mut transaction = self.env.write_txn()?;
        self.entries.delete(&mut transaction, key)?;
        Ok(transaction.commit()?)
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        let transaction = self.env.read_txn()?;
        for entry in self.entries.iter(&transaction)? {
            look(entry?.1);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.env.force_sync()?)
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        let compacted = self.env.path().join("compacted.mdb");
        self.env.copy_to_path(&compacted, CompactionOption::Enabled)?.sync_data()?;
        // The old file is read until the process ends. Nothing is written to it any more.
        Ok(fs::rename(compacted, self.env.path().join("data.mdb"))?)
    }

    fn close(self) -> Result<()> {
        self.sync()
    }
}

pub struct LmdbReader<'a> {
    transaction: RoTxn<'a, WithTls>,
    entries: Database<'static, Bytes, Bytes>,
}

impl Reader for LmdbReader<'_> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        Ok(look(self.entries.get(&self.transaction, key)?))
    }
}
