//! `canopydb`.

use std::path::Path;

use canopydb::{Database, DbOptions, EnvOptions, Tree, TreeOptions};

use crate::store::{Calls, Kind, Profile, Reader, Result, Store, Workload};

pub struct Canopy {
    database: Database,
    is_durable: bool,
}

const ENTRIES: &[u8] = b"entries";

const NO_TREE: &str = "canopydb has lost its tree";

impl Canopy {
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Tree<'_>) -> std::result::Result<T, canopydb::Error>,
    ) -> Result<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut tree = transaction.get_tree(ENTRIES)?.ok_or(NO_TREE)?;
            change(&mut tree)?;
        }
        transaction.commit_with(self.is_durable)?;
        Ok(())
    }
}

impl Store for Canopy {
    const PROFILE: Profile = Profile {
        name: "canopydb",
        package: "canopydb",
        kind: Kind::Rival,
        settings: "page cache 1 GiB (default), no compression, its log without flushes; durable: `commit_with(true)`",
        calls: Calls {
            put: "`insert` in a transaction",
            put_batch: "`insert`, one transaction",
            put_durably: "`insert` in a transaction",
            get: "`get`, a read transaction each",
            reader: "`get`, one read transaction",
            contains: "`get`, a read transaction each",
            get_batch: "`get`, one read transaction",
            scan: "`iter`",
            settle: "`checkpoint`",
            compact: "`compact`",
        },
    };

    type Reader<'a> = CanopyReader<'a>;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        let database = Database::with_options(EnvOptions::new(directory), DbOptions::new())?;
        let has_tree = database.begin_read()?.get_tree(ENTRIES)?.is_some();
        if !has_tree {
            let mut options = TreeOptions::new();
            options.compress_overflow_values = None;
            let transaction = database.begin_write()?;
            drop(transaction.get_or_create_tree_with(ENTRIES, options)?);
            transaction.commit()?;
        }
        Ok(Self { database, is_durable: workload.is_durable })
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.change(|tree| tree.insert(key, value))
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        self.change(|tree| entries.iter().try_for_each(|(key, value)| tree.insert(key, value)))
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.put(key, value)
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        self.view(|mut reader| reader.find(key, look))
    }

    fn view<T>(&self, act: impl FnOnce(CanopyReader<'_>) -> Result<T>) -> Result<T> {
        let transaction = self.database.begin_read()?;
        let tree = transaction.get_tree(ENTRIES)?.ok_or(NO_TREE)?;
        act(CanopyReader(&tree))
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
        self.change(|tree| tree.delete(key))
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        self.view(|reader| {
            for entry in reader.0.iter()? {
                look(&entry?.1);
            }
            Ok(())
        })
    }

    fn sync(&self) -> Result<()> {
        Ok(self.database.sync()?)
    }

    fn settle(&self) -> Result<()> {
        Ok(self.database.checkpoint()?)
    }

    fn compact(&mut self) -> Result<()> {
        Ok(self.database.compact()?)
    }

    fn close(self) -> Result<()> {
        self.settle()
    }
}

pub struct CanopyReader<'a>(&'a Tree<'a>);

impl Reader for CanopyReader<'_> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = self.0.get(key)?;
        Ok(look(value.as_deref()))
    }
}
