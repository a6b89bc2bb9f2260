//! RocksDB, by `rocksdb`.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DataBlockIndexType,
    Options, ReadOptions, WaitForCompactOptions, WriteBatch, WriteOptions,
};

use crate::store::{Calls, Kind, Profile, Reader, Residence, Result, Store, Workload};

pub struct Rocks(DB);

const CACHE_LEN: usize = 1 << 30;

/// Where the medium is measured, and the memory may be limited.
const COLD_CACHE_LEN: usize = 64 << 20;

/// From this length on, values are kept apart from keys.
const SEPARATED_LEN: usize = 4096;

fn options(workload: Workload) -> Options {
    let mut blocks = BlockBasedOptions::default();
    let is_cold = workload.residence != Residence::Memory;
    let cache_len = if is_cold { COLD_CACHE_LEN } else { CACHE_LEN };
    blocks.set_block_cache(&Cache::new_lru_cache(cache_len));
    blocks.set_bloom_filter(10.0, false);
    blocks.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
    blocks.set_data_block_hash_ratio(0.75);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::None);
    options.set_memtable_whole_key_filtering(true);
    options.set_memtable_prefix_bloom_ratio(0.1);
    options.increase_parallelism(2);
    if workload.value_len >= SEPARATED_LEN {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(SEPARATED_LEN as u64);
        options.set_enable_blob_gc(true);
    }
    options
}

impl Store for Rocks {
    const PROFILE: Profile = Profile {
        name: "RocksDB",
        package: "rocksdb",
        kind: Kind::Rival,
        settings: "block cache 1 GiB (cold rows: 64 MiB), Bloom filters of 10 bits, hash index in data blocks, no compression, blob files from \
            4 KiB on, its log without flushes; durable: `set_sync(true)`",
        calls: Calls {
            put: "`put`",
            put_batch: "`write` of a `WriteBatch`",
            put_durably: "`put_opt`",
            get: "`get_pinned`",
            reader: "`get_pinned_opt` of a `snapshot`",
            contains: "`get_pinned`",
            get_batch: "`batched_multi_get_cf`",
            scan: "`raw_iterator`",
            settle: "`flush`, `wait_for_compact`",
            compact: "`compact_range`",
        },
    };

    type Reader<'a> = RocksReader<'a>;

    fn open(directory: &Path, workload: Workload) -> Result<Self> {
        let options = options(workload);
        let default = ColumnFamilyDescriptor::new("default", options.clone());
        Ok(Self(DB::open_cf_descriptors(&options, directory.join("rocksdb"), [default])?))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        Ok(self.0.put(key, value)?)
    }

    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()> {
        let mut batch = WriteBatch::default();
        for (key, value) in entries {
            batch.put(key, value);
        }
        Ok(self.0.write(batch)?)
    }

    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        Ok(self.0.put_opt(key, value, &options)?)
    }

    #[inline]
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = self.0.get_pinned(key)?;
        Ok(look(value.as_deref()))
    }

    fn view<T>(&self, act: impl FnOnce(RocksReader<'_>) -> Result<T>) -> Result<T> {
        let snapshot = self.0.snapshot();
        let mut options = ReadOptions::default();
        options.set_snapshot(&snapshot);
        act(RocksReader { store: &self.0, options: &options })
    }

    #[inline]
    fn contains(&self, key: &[u8]) -> Result<bool> {
        self.get(key, |value| value.is_some())
    }

    fn get_batch(&self, keys: &[&[u8]], mut look: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
        let family = self.0.cf_handle("default").ok_or("no default column family")?;
        let values = self.0.batched_multi_get_cf(family, keys.iter().copied(), false);
        for (place, value) in values.into_iter().enumerate() {
            look(place, value?.as_deref());
        }
        Ok(())
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        Ok(self.0.delete(key)?)
    }

    fn scan(&self, mut look: impl FnMut(&[u8])) -> Result<()> {
        let mut cursor = self.0.raw_iterator();
        cursor.seek_to_first();
        while let Some(value) = cursor.value() {
            look(value);
            cursor.next();
        }
        Ok(cursor.status()?)
    }

    fn sync(&self) -> Result<()> {
        Ok(self.0.flush_wal(true)?)
    }

    fn settle(&self) -> Result<()> {
        self.0.flush()?;
        Ok(self.0.wait_for_compact(&WaitForCompactOptions::default())?)
    }

    fn compact(&mut self) -> Result<()> {
        self.0.compact_range(None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    fn close(self) -> Result<()> {
        self.settle()
    }
}

pub struct RocksReader<'a> {
    store: &'a DB,
    options: &'a ReadOptions,
}

impl Reader for RocksReader<'_> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        let value = self.store.get_pinned_opt(key, self.options)?;
        Ok(look(value.as_deref()))
    }
}
