//! Reading an entry as a stream.

use std::io::{self, BufRead, Read};

use simd_r_drive_entry_handle::EntryHandle;

/// Adapts an entry to [`Read`] and [`BufRead`]. Bytes come straight from the map.
///
/// ```
/// use std::io::Read;
/// use simd_r_drive::{EntryHandle, EntryStream};
///
/// let entry = EntryHandle::from_owned_bytes_anon(b"some text", 1)?;
/// let mut text = String::new();
/// EntryStream::from(entry).read_to_string(&mut text)?;
/// assert_eq!(text, "some text");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct EntryStream {
    entry: EntryHandle,
    position: usize,
}

impl From<EntryHandle> for EntryStream {
    fn from(entry: EntryHandle) -> Self {
        Self { entry, position: 0 }
    }
}

impl Read for EntryStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut left = self.fill_buf()?;
        let read = left.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for EntryStream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.entry[self.position..])
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.entry.len().min(self.position + amount);
    }
}
