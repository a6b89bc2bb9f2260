//! What is asked of every store, in the manner that suits it best.

use std::error::Error;
use std::fmt;
use std::path::Path;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// What a store will be used for, so that it can choose what suits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    /// Whether each write is to survive a loss of power before it returns. Otherwise, it is to survive the death of
    /// the process, as far as the store can offer that without a flush to the medium.
    pub is_durable: bool,
    /// Length of the values, in bytes, or of the longest.
    pub value_len: usize,
    pub residence: Residence,
}

/// Where the store is when it is read, and how it is read if that is the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Residence {
    Memory,
    /// On the medium: any keys, one by one or in batches.
    Random,
    /// On the medium: all entries.
    Scanned,
}

impl Workload {
    pub fn relaxed(value_len: usize) -> Self {
        Self { is_durable: false, value_len, residence: Residence::Memory }
    }

    pub fn durable(value_len: usize) -> Self {
        Self { is_durable: true, ..Self::relaxed(value_len) }
    }

    pub fn cold(value_len: usize, residence: Residence) -> Self {
        Self { residence, ..Self::relaxed(value_len) }
    }
}

/// What a store is in this comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The store of this repository.
    Ours,
    /// Another store.
    Rival,
    /// No store, but what a store can be measured by. It has no place in "best rival".
    Floor,
}

/// How a store is used here. Printed beside the results.
pub struct Profile {
    pub name: &'static str,
    /// The package whose version is looked up in the lock file.
    pub package: &'static str,
    pub kind: Kind,
    /// Everything that differs from the defaults, and what durable means for it.
    pub settings: &'static str,
    /// The calls that answer, by what is asked.
    pub calls: Calls,
}

/// The calls of a store, as its documentation writes them.
pub struct Calls {
    pub put: &'static str,
    pub put_batch: &'static str,
    pub put_durably: &'static str,
    pub get: &'static str,
    pub reader: &'static str,
    pub contains: &'static str,
    pub get_batch: &'static str,
    pub scan: &'static str,
    pub settle: &'static str,
    pub compact: &'static str,
}

/// Says that a store has no such operation. The row is then left empty.
#[derive(Debug)]
pub struct Unsupported(pub &'static str);

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unsupported: {}", self.0)
    }
}

impl Error for Unsupported {}

/// A result that says so.
///
/// # Errors
/// Always.
pub fn unsupported<T>(why: &'static str) -> Result<T> {
    Err(Box::new(Unsupported(why)))
}

/// A store. Values are lent to a closure, so that each store can hand them out in the way that costs it least.
pub trait Store: Sized + Send + Sync + 'static {
    const PROFILE: Profile;

    /// Reads one state of the store, and keeps it.
    type Reader<'a>: Reader;

    /// Opens or creates the store in this directory, which exists.
    ///
    /// # Errors
    /// Those of the store, here and below.
    fn open(directory: &Path, workload: Workload) -> Result<Self>;

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()>;

    /// All of them in one commit, if the store has such a thing.
    fn put_batch(&self, entries: &[(&[u8], &[u8])]) -> Result<()>;

    /// Returns when the write survives a loss of power. The store was opened for that.
    fn put_durably(&self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Lends the newest value, in a call that keeps nothing from the one before.
    fn get<T>(&self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T>;

    /// Lends one state of the store.
    fn view<T>(&self, act: impl FnOnce(Self::Reader<'_>) -> Result<T>) -> Result<T>;

    /// Whether there is a value, without reading it.
    fn contains(&self, key: &[u8]) -> Result<bool>;

    /// Lends the values of all keys, with their places in `keys`, in any order.
    fn get_batch(&self, keys: &[&[u8]], look: impl FnMut(usize, Option<&[u8]>)) -> Result<()>;

    fn delete(&self, key: &[u8]) -> Result<()>;

    /// Lends every live value once, in any order.
    fn scan(&self, look: impl FnMut(&[u8])) -> Result<()>;

    /// Flushes everything to the medium.
    fn sync(&self) -> Result<()>;

    /// Does at once what the store would do sooner or later if it were left alone.
    fn settle(&self) -> Result<()>;

    /// Gives back the space of what was overwritten and deleted.
    fn compact(&mut self) -> Result<()>;

    /// Closes the store in good order: all is on the medium, and the next open is as cheap as it can be.
    fn close(self) -> Result<()>;
}

pub trait Reader {
    /// # Errors
    /// Those of the store.
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T>;
}

/// Reads the newest state each time: for stores that have nothing to keep.
pub struct Newest<'a, S>(pub &'a S);

impl<S: Store> Reader for Newest<'_, S> {
    #[inline]
    fn find<T>(&mut self, key: &[u8], look: impl FnOnce(Option<&[u8]>) -> T) -> Result<T> {
        self.0.get(key, look)
    }
}
