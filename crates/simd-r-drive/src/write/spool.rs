//! Spools: a stream is read to its end before the writer's lock is taken.

use std::io::{self, Read};
use std::sync::Arc;

use simd_r_drive_writer::{Location, StoreFile, write_all_at};

use crate::write::{CommitBuilder, Writer};

/// Streams up to this many bytes are kept in memory; longer ones go to a file without a name.
pub(crate) const MEMORY_LEN: usize = 1 << 20;

/// Bytes requested from a stream's reader at a time.
pub const WRITE_STREAM_BUFFER_SIZE: usize = 64 * 1024;

/// A stream that has been read to its end, with its CRC-32.
#[derive(Debug)]
pub(crate) struct Spool {
    /// Holds the bytes that precede those in `memory`.
    file: Option<Arc<dyn StoreFile>>,
    file_len: u64,
    /// The last bytes.
    memory: Vec<u8>,
    crc: u32,
}

impl Spool {
    /// Reads `reader` to its end. No lock is held, so the reader may block, panic, or use the
    /// store. What does not fit into memory goes to a file beside the store. If none can be created
    /// there, the system's directory for temporary files is used; if there is no room for a file
    /// anywhere, memory is.
    ///
    /// # Errors
    /// Any error of the reader except `Interrupted`, which is retried; any I/O error of the file.
    pub(crate) fn fill(
        reader: &mut impl Read,
        location: Option<&dyn Location>,
    ) -> io::Result<Self> {
        let mut spool = Self { file: None, file_len: 0, memory: Vec::new(), crc: 0 };
        let mut may_use_file = true;
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; WRITE_STREAM_BUFFER_SIZE];
        loop {
            let read = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            // A reader that claims more bytes than it had room for is broken.
            let piece = buffer.get(..read).ok_or(io::ErrorKind::InvalidData)?;
            hasher.update(piece);
            spool.memory.extend_from_slice(piece);
            if spool.memory.len() > MEMORY_LEN && may_use_file {
                may_use_file = spool.write_out(location)?;
            }
        }
        spool.crc = hasher.finalize();
        Ok(spool)
    }

    /// Moves the bytes in memory to the file. Returns `false` if no file can be created.
    fn write_out(&mut self, location: Option<&dyn Location>) -> io::Result<bool> {
        let file = match &self.file {
            Some(file) => file,
            None => match location.map(Location::create_spool) {
                Some(Ok(file)) => self.file.insert(file),
                Some(Err(_)) | None => return Ok(false),
            },
        };
        write_all_at(&**file, &self.memory, self.file_len)?;
        self.file_len += self.memory.len() as u64;
        self.memory.clear();
        Ok(true)
    }

    /// Commits the entries of a commit builder, the last of which takes this payload.
    ///
    /// # Errors
    /// See [`Writer::commit_from`].
    pub(crate) fn commit(&self, writer: &mut Writer, plan: &CommitBuilder<'_>) -> io::Result<u64> {
        let mut reader = SpoolReader { spool: self, at: 0 };
        let len = self.file_len + self.memory.len() as u64;
        writer.commit_from(plan, &mut reader, len, Some(self.crc))
    }
}

/// Reads a spool from its beginning.
struct SpoolReader<'a> {
    spool: &'a Spool,
    at: u64,
}

impl Read for SpoolReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Spool { file, file_len, memory, .. } = self.spool;
        let read = match file {
            Some(file) if self.at < *file_len => {
                let len = (*file_len - self.at).min(buffer.len() as u64) as usize;
                file.read_at(&mut buffer[..len], self.at)?
            }
            _ => {
                let from = (self.at - file_len) as usize;
                (&memory[from.min(memory.len())..]).read(buffer)?
            }
        };
        self.at += read as u64;
        Ok(read)
    }
}
