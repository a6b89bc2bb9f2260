//! The store under test: all 23 methods as plain calls, synchronous or not.

use std::future::Future;
use std::io::{Read, Result};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::OnceLock;

use simd_r_drive::traits::{
    AsyncDataStoreReader, AsyncDataStoreWriter, DataStoreReader, DataStoreWriter,
};
use simd_r_drive::{AsyncDataStore, DataStore, EntryHandle, EntryMetadata};

pub(crate) type Stream<'a> = &'a mut (dyn Read + Send);

/// The methods but for those that take another store.
macro_rules! methods {
    ($generate:ident) => {
        $generate! {
            exists(key: &[u8]) -> bool;
            exists_with_key_hash(hash: u64) -> bool;
            read(key: &[u8]) -> Option<EntryHandle>;
            read_with_key_hash(hash: u64) -> Option<EntryHandle>;
            read_last_entry() -> Option<EntryHandle>;
            batch_read(keys: &[&[u8]]) -> Vec<Option<EntryHandle>>;
            batch_read_hashed_keys(hashes: &[u64], keys: Option<&[&[u8]]>) -> Vec<Option<EntryHandle>>;
            read_metadata(key: &[u8]) -> Option<EntryMetadata>;
            len() -> usize;
            is_empty() -> bool;
            file_size() -> u64;
            write(key: &[u8], payload: &[u8]) -> u64;
            write_with_key_hash(hash: u64, payload: &[u8]) -> u64;
            batch_write(entries: &[(&[u8], &[u8])]) -> u64;
            batch_write_with_key_hashes(entries: Vec<(u64, &[u8])>, allow_null_bytes: bool) -> u64;
            rename(old: &[u8], new: &[u8]) -> u64;
            delete(key: &[u8]) -> u64;
            batch_delete(keys: &[&[u8]]) -> u64;
            batch_delete_key_hashes(hashes: &[u64]) -> u64;
        }
    };
}

macro_rules! declare {
    ($($name:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        pub(crate) trait Subject: Sized {
            fn open(path: &Path) -> Self;
            fn store(&self) -> &DataStore;
            fn write_stream(&self, key: &[u8], reader: Stream<'_>) -> Result<u64>;
            fn write_stream_with_key_hash(&self, hash: u64, reader: Stream<'_>) -> Result<u64>;
            fn copy(&self, key: &[u8], target: &Self) -> Result<u64>;
            fn transfer(&self, key: &[u8], target: &Self) -> Result<u64>;
            $(fn $name(&self, $($argument: $type),*) -> Result<$out>;)*
        }
    };
}

methods!(declare);

/// The store itself.
pub(crate) struct Sync(DataStore);

macro_rules! call {
    ($($name:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        impl Subject for Sync {
            fn open(path: &Path) -> Self {
                Self(DataStore::open(path).unwrap())
            }
            fn store(&self) -> &DataStore {
                &self.0
            }
            fn write_stream(&self, key: &[u8], mut reader: Stream<'_>) -> Result<u64> {
                self.0.write_stream(key, &mut reader)
            }
            fn write_stream_with_key_hash(&self, hash: u64, mut reader: Stream<'_>) -> Result<u64> {
                self.0.write_stream_with_key_hash(hash, &mut reader)
            }
            fn copy(&self, key: &[u8], target: &Self) -> Result<u64> {
                self.0.copy(key, &target.0)
            }
            fn transfer(&self, key: &[u8], target: &Self) -> Result<u64> {
                self.0.transfer(key, &target.0)
            }
            $(fn $name(&self, $($argument: $type),*) -> Result<$out> {
                self.0.$name($($argument),*)
            })*
        }
    };
}

methods!(call);

/// What runs futures.
pub(crate) trait Executor {
    fn run<F: Future>(future: F) -> F::Output;
}

/// A store behind its asynchronous face.
pub(crate) struct Async<E>(AsyncDataStore, PhantomData<E>);

macro_rules! call_and_await {
    ($($name:ident($($argument:ident: $type:ty),*) -> $out:ty;)*) => {
        impl<E: Executor> Subject for Async<E> {
            fn open(path: &Path) -> Self {
                Self(DataStore::open(path).unwrap().into_async(), PhantomData)
            }
            fn store(&self) -> &DataStore {
                self.0.store()
            }
            fn write_stream(&self, key: &[u8], mut reader: Stream<'_>) -> Result<u64> {
                E::run(self.0.write_stream(key, &mut reader))
            }
            fn write_stream_with_key_hash(&self, hash: u64, mut reader: Stream<'_>) -> Result<u64> {
                E::run(self.0.write_stream_with_key_hash(hash, &mut reader))
            }
            fn copy(&self, key: &[u8], target: &Self) -> Result<u64> {
                E::run(self.0.copy(key, &target.0))
            }
            fn transfer(&self, key: &[u8], target: &Self) -> Result<u64> {
                E::run(self.0.transfer(key, &target.0))
            }
            $(fn $name(&self, $($argument: $type),*) -> Result<$out> {
                E::run(self.0.$name($($argument),*))
            })*
        }
    };
}

methods!(call_and_await);

pub(crate) struct Pollster;

impl Executor for Pollster {
    fn run<F: Future>(future: F) -> F::Output {
        pollster::block_on(future)
    }
}

pub(crate) struct TokioMultiThread;

impl Executor for TokioMultiThread {
    fn run<F: Future>(future: F) -> F::Output {
        static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
        let build =
            || tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        RUNTIME.get_or_init(build).block_on(future)
    }
}

pub(crate) struct TokioCurrentThread;

impl Executor for TokioCurrentThread {
    fn run<F: Future>(future: F) -> F::Output {
        static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
        let build = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        RUNTIME.get_or_init(build).block_on(future)
    }
}
