//! MDBX, by `libmdbx`.

use std::borrow::Cow;
use std::path::Path;

use libmdbx::{
    Database, DatabaseOptions, Mode, RO, ReadWriteOptions, SyncMode, Table, Transaction,
    WriteFlags, WriteMap,
};

use crate::store::{Calls, Kind, Profile, Reader, Residence, Result, Store, Workload, unsupported};

pub struct Mdbx {
    /// Tables borrow their database. It lives as long as the process.
    database: &'static Database<WriteMap>,
    entries: Table<'static>,
}

/// Address space, not memory.
const MAX_LEN: isize = 64 << 30;

const GROWTH_STEP: isize = 64 << 20;

impl Store for Mdbx {
    const PROFILE: Profile = Profile {
        name: "MDBX",
        package: "libmdbx",
        kind: Kind::Rival,
        settings: "`WriteMap`, `UtterlyNoSync`, no read-ahead (but for a cold scan), `no_meminit`, `liforeclaim`, growth by 64 MiB; durable: \
            `Durable`",
        calls: Calls {
            put: "`put` in a transaction",
            put_batch: "`put`, one transaction",
            put_durably: "`put` in a transaction",
            get: "`get`, a read transaction each",
            reader: "`get`, one read transaction",
            contains: "`get`, a read transaction each",
            get_batch: "`get`, one read transaction",
            scan: "a cursor",
            settle: "nothing",
            compact: "none",
        },
    };

    type Reader<'a> = MdbxReader<'a>;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        let sync_mode =
            if workload.is_durable { SyncMode::Durable } else { SyncMode::UtterlyNoSync };
        let database = Database::open_with_options(
            directory,
            DatabaseOptions {
                mode: Mode::ReadWrite(ReadWriteOptions {
                    sync_mode,
                    max_size: Some(MAX_LEN),
                    growth_step: Some(GROWTH_STEP),
                    ..Default::default()
                }),
                no_rdahead: workload.residence != Residence::Scanned,
                no_meminit: true,
                liforeclaim: true,
                ..Default::default()
            },
        )?;
        let database: &'static _ = Box::leak(Box::new(database));
        let transaction = database.begin_ro_txn()?;
        let table = transaction.open_table(None)?;
        transaction.prime_for_permaopen(table);
        let (_, mut tables) = transaction.commit_and_rebind_open_dbs()?;
        Ok(Self { database, entries: tables.pop().ok_or("MDBX has no default table")? })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_batch(&[(key, value)])
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let transaction = self.database.begin_rw_txn()?;
        for (key, value) in entries {
            transaction.put(&self.entries, key, value, WriteFlags::UPSERT)?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        self.view(|mut reader| reader.find(key, look))
    }

    fn view<T>(&self, act: impl FnOnce(MdbxReader<'_>) -> Result<T>) -> Result<T> {
        act(MdbxReader { transaction: self.database.begin_ro_txn()?, entries: &self.entries })
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        self.get(key, |value| value.is_some())
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        self.view(|mut reader| {
            let mut keys = keys.iter().enumerate();
            keys.try_for_each(|(place, key)| reader.find(key, |value| look(place, value)))
        })
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        let transaction = self.database.begin_rw_txn()?;
        transaction.del(&self.entries, key, None)?;
        transaction.commit()?;
        Ok(())
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        let transaction = self.database.begin_ro_txn()?;
        let mut cursor = transaction.cursor(&self.entries)?;
        for entry in cursor.iter_start::<(), Cow<'_, [u8]>>() {
            look(&entry?.1);
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.database.sync(true)?;
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&mut self) -> Result<()> {
        unsupported("the crate has no compacted copy")
    }

    fn close(self) -> Result<()> {
        self.sync()
    }
}

pub struct MdbxReader<'a> {
    transaction: Transaction<'a, RO, WriteMap>,
    entries: &'a Table<'static>,
}

impl Reader for MdbxReader<'_> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value: Option<Cow<'_, [u8]>> = self.transaction.get(self.entries, key)?;
        Ok(look(value.as_deref()))
    }
}
