//! Streams on their way into the store: read to their end before anybody waits for them.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::plan::Plan;
use crate::writer::Writer;

/// Up to here a stream is kept in memory, in bytes; beyond, in an unnamed temporary file beside the store.
const MEMORY_LEN: usize = 1 << 20;

/// How many bytes are asked of a stream's reader at a time.
pub const WRITE_STREAM_BUFFER_SIZE: usize = 64 * 1024;

/// A stream that has been read to its end, with its length and CRC-32. Reading it starts at its beginning.
#[derive(Debug)]
pub(crate) struct Spool {
    bytes: SpooledTempFile,
    len: u64,
    crc: u32,
}

impl Spool {
    /// Reads `reader` to its end. No lock is held: the reader may take its time, panic, or use the store.
    ///
    /// # Errors
    /// The reader's, but for `Interrupted`, which is retried; and those of writing the temporary file.
    pub(crate) fn fill(reader: &mut impl Read, store: &Path) -> io::Result<Self> {
        let directory = match store.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let mut bytes = tempfile::spooled_tempfile_in(MEMORY_LEN, directory);
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; WRITE_STREAM_BUFFER_SIZE];
        let mut len = 0;
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // A reader that claims more than it was given room for is broken.
            let piece = buffer.get(..read).ok_or(io::ErrorKind::InvalidData)?;
            hasher.update(piece);
            bytes.write_all(piece)?;
            len += read as u64;
        }
        bytes.rewind()?;
        Ok(Self { bytes, len, crc: hasher.finalize() })
    }

    /// Commits a plan whose last entry is to get this payload.
    ///
    /// # Errors
    /// See [`Writer::commit_from`].
    pub(crate) fn commit(&mut self, writer: &mut Writer, plan: &Plan<'_>) -> io::Result<u64> {
        writer.commit_from(plan, &mut self.bytes, self.len, self.crc)
    }
}
