//! The steps of a thread of a writing process. A step follows from its number, so that another
//! process knows what must be there.

use std::collections::BTreeMap;
use std::io::{self, Read};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, EntryIterator};

/// One step. Every key belongs to one thread.
pub(crate) enum Step {
    /// Keys and lengths of values, in one commit.
    Write(Vec<(Vec<u8>, usize)>),
    Stream(Vec<u8>, usize),
    Delete(Vec<Vec<u8>>),
    Sync,
}

/// What a thread does as its step of some number.
pub(crate) type Script = fn(thread: u64, number: u64) -> Step;

/// Who wrote a value, as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) thread: u64,
    pub(crate) number: u64,
    pub(crate) len: usize,
}

/// What a store holds.
pub(crate) type Contents = BTreeMap<Vec<u8>, Written>;

impl Written {
    const HEAD_LEN: usize = 24;

    /// The value, which tells all this itself.
    pub(crate) fn value(self) -> Vec<u8> {
        let Self { thread, number, len } = self;
        let mut value = Vec::with_capacity(Self::HEAD_LEN + len);
        for field in [thread, number, len as u64] {
            value.extend(field.to_le_bytes());
        }
        let seed = (number << 3 ^ thread) as usize;
        value.extend((0..len).map(|at| (at ^ (at >> 8) ^ seed) as u8));
        value
    }

    /// Who wrote `value`; fails if nobody did.
    #[track_caller]
    pub(crate) fn of(value: &[u8]) -> Self {
        let field = |number: usize| {
            let bytes = value.get(8 * number..8 * number + 8).expect("shorter than any value");
            u64::from_le_bytes(bytes.try_into().unwrap())
        };
        let written = Self { thread: field(0), number: field(1), len: field(2) as usize };
        assert_eq!(value.len(), Self::HEAD_LEN + written.len, "cut off: {written:?}");
        assert!(*value == written.value(), "a value that nobody wrote: {written:?}");
        written
    }
}

/// What a store holds; every value must be whole, and one that was once written.
#[track_caller]
pub(crate) fn contents(store: &DataStore) -> Contents {
    let contents = contents_of(store.iter_entries());
    assert_eq!(store.len().unwrap(), contents.len());
    contents
}

/// As [`contents`], of what an iteration shows.
#[track_caller]
pub(crate) fn contents_of(mut entries: EntryIterator) -> Contents {
    let each = entries.by_ref().map(|entry| (entry.key().unwrap().to_vec(), Written::of(&entry)));
    let contents = each.collect();
    entries.finish().unwrap();
    contents
}

/// What one thread has in a store.
pub(crate) fn of_thread(contents: &Contents, thread: u64) -> Contents {
    let own = contents.iter().filter(|(_, written)| written.thread == thread);
    own.map(|(key, written)| (key.clone(), *written)).collect()
}

impl Step {
    /// What the step makes of `contents`.
    pub(crate) fn apply(self, contents: &mut Contents, thread: u64, number: u64) {
        let written = |len| Written { thread, number, len };
        match self {
            Self::Write(entries) => {
                contents.extend(entries.into_iter().map(|(key, len)| (key, written(len))));
            }
            Self::Stream(key, len) => contents.extend([(key, written(len))]),
            Self::Delete(keys) => contents.retain(|key, _| !keys.contains(key)),
            Self::Sync => {}
        }
    }

    /// Performs the step. Calls `at_end` when a stream has been read to its end, so that its commit
    /// follows.
    pub(crate) fn perform(
        self,
        store: &DataStore,
        thread: u64,
        number: u64,
        at_end: &dyn Fn(),
    ) -> io::Result<()> {
        let value = |len| Written { thread, number, len }.value();
        match self {
            Self::Write(entries) => {
                let entries: Vec<(Vec<u8>, Vec<u8>)> =
                    entries.into_iter().map(|(key, len)| (key, value(len))).collect();
                match &*entries {
                    [(key, value)] => store.write(key, value)?,
                    many => {
                        let batch: Vec<(&[u8], &[u8])> =
                            many.iter().map(|(key, value)| (&key[..], &value[..])).collect();
                        store.batch_write(&batch)?
                    }
                }
            }
            Self::Stream(key, len) => {
                let value = value(len);
                store.write_stream(&key, &mut Told { rest: &value, at_end })?
            }
            Self::Delete(keys) => {
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                store.batch_delete(&keys)?
            }
            Self::Sync => return store.sync(),
        };
        Ok(())
    }
}

/// A stream that tells when it has been read to its end.
struct Told<'a> {
    rest: &'a [u8],
    at_end: &'a dyn Fn(),
}

impl Read for Told<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            (self.at_end)();
        }
        self.rest.read(buffer)
    }
}
