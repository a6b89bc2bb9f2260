//! `redb`.

use std::path::Path;

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition};

use crate::store::{Calls, Kind, Profile, Reader, Result, Store, Workload};

pub struct Redb {
    database: Database,
    durability: Durability,
}

const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");

type Table = ReadOnlyTable<&'static [u8], &'static [u8]>;

impl Redb {
    fn table(&self) -> Result<Table> {
        Ok(self.database.begin_read()?.open_table(ENTRIES)?)
    }

    fn commit(&self, durability: Durability, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(durability)?;
        {
            let mut table = transaction.open_table(ENTRIES)?;
            for (key, value) in entries {
                table.insert(*key, *value)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Store for Redb {
    const PROFILE: Profile = Profile {
        name: "redb",
        package: "redb",
        kind: Kind::Rival,
        settings: "`Durability::None`, which does not survive the death of the process; cache 1 GiB (default); \
            durable: `Durability::Immediate`",
        calls: Calls {
            put: "`insert` in a transaction",
            put_batch: "`insert`, one transaction",
            put_durably: "`insert` in a transaction",
            get: "`get`, a read transaction each",
            reader: "`get`, one read transaction",
            contains: "`get`, a read transaction each",
            get_batch: "`get`, one read transaction",
            scan: "`iter`",
            settle: "an empty durable commit",
            compact: "`compact`",
        },
    };

    type Reader<'a> = Table;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        let path = directory.join("store.redb");
        let is_new = !path.exists();
        let database = Database::create(path)?;
        let durability = if workload.is_durable { Durability::Immediate } else { Durability::None };
        let store = Self { database, durability };
        if is_new {
            store.commit(Durability::Immediate, &[])?;
        }
        Ok(store)
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put_batch(&[(key, value)])
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        self.commit(self.durability, entries)
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        self.table()?.find(key, look)
    }

    fn view<T>(&self, act: impl FnOnce(Table) -> Result<T>) -> Result<T> {
        act(self.table()?)
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        self.get(key, |value| value.is_some())
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let mut table = self.table()?;
        let mut keys = keys.iter().enumerate();
        keys.try_for_each(|(place, key)| table.find(key, |value| look(place, value)))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        transaction.open_table(ENTRIES)?.remove(key)?;
        Ok(transaction.commit()?)
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        for entry in self.table()?.iter()? {
            look(entry?.1.value());
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.commit(Durability::Immediate, &[])
    }

    fn settle(&self) -> Result<()> {
        self.sync()
    }

    fn compact(&mut self) -> Result<()> {
        self.database.compact()?;
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.sync()
    }
}

impl Reader for Table {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = ReadableTable::get(self, key)?;
        Ok(look(value.as_ref().map(redb::AccessGuard::value)))
    }
}
