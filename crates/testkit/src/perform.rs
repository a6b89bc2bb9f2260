//! Operations on a real store.

use std::io::{self, Read};
use std::ops::ControlFlow;

use simd_r_drive::DataStore;
use simd_r_drive::traits::DataStoreWriter;

use crate::case::{KeyId, Value, hash, key};
use crate::operation::Operation;

/// Performs `operation` on `store`, and returns the tail. Events that need more than a store, such
/// as opening and killing, are left to the caller and do nothing here.
///
/// # Errors
/// Any error of the store.
pub fn perform(store: &DataStore, operation: &Operation) -> io::Result<u64> {
    use simd_r_drive::traits::DataStoreReader as _;
    match operation {
        Operation::Write(id, value) => store.write(key(*id), &value.bytes()),
        Operation::WriteHash(id, value) => store.write_with_key_hash(hash(*id), &value.bytes()),
        Operation::BatchWrite(entries) => {
            let values: Vec<_> = entries.iter().map(|(_, value)| value.bytes()).collect();
            let entries: Vec<_> =
                entries.iter().zip(&values).map(|((id, _), value)| (key(*id), &**value)).collect();
            store.batch_write(&entries)
        }
        Operation::BatchWriteHashes(entries) => {
            let values: Vec<_> = entries.iter().map(|(_, value)| value.bytes()).collect();
            let entries: Vec<_> =
                entries.iter().zip(&values).map(|((id, _), value)| (hash(*id), &**value)).collect();
            store.batch_write_with_key_hashes(entries, false)
        }
        Operation::Stream(id, value) => {
            store.write_stream(key(*id), &mut Halting::new(&value.bytes(), false))
        }
        Operation::StreamHash(id, value) => {
            store.write_stream_with_key_hash(hash(*id), &mut Halting::new(&value.bytes(), false))
        }
        Operation::FailingStream(id, value) => {
            store.write_stream(key(*id), &mut Halting::new(&value.bytes(), true))
        }
        Operation::TooLongKey(id, value) => {
            let too_long = vec![b'x'; usize::from(u16::MAX) + 1];
            let value = value.bytes();
            store.batch_write(&[(key(*id), &value), (&too_long, b"value")])
        }
        Operation::Rename(old, new) => store.rename(key(*old), key(*new)),
        Operation::Delete(id) => store.delete(key(*id)),
        Operation::BatchDelete(ids) => {
            let keys: Vec<_> = ids.iter().map(|id| key(*id)).collect();
            store.batch_delete(&keys)
        }
        Operation::BatchDeleteHashes(ids) => {
            let hashes: Vec<_> = ids.iter().map(|id| hash(*id)).collect();
            store.batch_delete_key_hashes(&hashes)
        }
        Operation::Compact(entries) => {
            compact(store, entries, &mut |_, _| {}).and_then(|()| store.file_size())
        }
        Operation::Sync => store.sync().and_then(|()| store.file_size()),
        Operation::Checkpoint => store.checkpoint().and_then(|()| store.file_size()),
        Operation::CloseAndReopen
        | Operation::DropAndReopen
        | Operation::KillAndReopen
        | Operation::ReadBeside => store.file_size(),
    }
}

/// Compacts `store`, and writes `entries` during the compaction. If there was nothing to copy,
/// writes them afterwards and compacts again. Calls `done` after each write.
///
/// # Errors
/// The first error of a write, else that of the compaction.
pub(crate) fn compact(
    store: &DataStore,
    entries: &[(KeyId, Value)],
    done: &mut dyn FnMut(KeyId, Value),
) -> io::Result<()> {
    let mut left = entries.iter();
    let mut write_left = |left: &mut std::slice::Iter<'_, (KeyId, Value)>| -> io::Result<()> {
        for (id, value) in left {
            store.write(key(*id), &value.bytes())?;
            done(*id, *value);
        }
        Ok(())
    };
    let mut written = Ok(());
    let compacted = store.compact_with(|_| {
        if written.is_ok() {
            written = write_left(&mut left);
        }
        ControlFlow::Continue(())
    });
    written?;
    compacted?;
    if left.as_slice().is_empty() {
        return Ok(());
    }
    write_left(&mut left)?;
    store.compact()
}

/// A reader that is interrupted before every piece, and fails at the end if `fails`.
struct Halting<'a> {
    left: &'a [u8],
    fails: bool,
    is_interrupted: bool,
}

impl<'a> Halting<'a> {
    fn new(left: &'a [u8], fails: bool) -> Self {
        Self { left, fails, is_interrupted: false }
    }
}

impl Read for Halting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_interrupted = !self.is_interrupted;
        if self.is_interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.left.is_empty() && self.fails {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let len = buffer.len().min(10_000);
        self.left.read(&mut buffer[..len])
    }
}
