//! A file that is being imported, with checks that it does not change meanwhile.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

/// An open regular file, with its length and time as of when it was opened.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    len: u64,
    modified: Option<SystemTime>,
}

impl Source {
    /// Opens a regular file. If a symbolic link or a named pipe has taken its place, does not
    /// follow the link or wait for the pipe.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        {
            use rustix::fs::OFlags;
            use std::os::unix::fs::OpenOptionsExt as _;
            let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            options.custom_flags(flags.bits().cast_signed());
        }
        let file = options.open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(changed());
        }
        Ok(Self { file, len: metadata.len(), modified: modified(&metadata) })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Appends the whole file to `bytes`.
    pub(super) fn read_to(self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let start = bytes.len();
        bytes.reserve(usize::try_from(self.len).map_err(|_| io::ErrorKind::OutOfMemory)?);
        // One byte more than expected shows that the file has grown.
        (&self.file).take(self.len.saturating_add(1)).read_to_end(bytes)?;
        self.check(bytes.len() as u64 - start as u64)
    }

    /// Fails if the file has changed since it was opened, or if it is not `read` bytes long.
    fn check(&self, read: u64) -> io::Result<()> {
        let now = self.file.metadata()?;
        if read == self.len && now.len() == self.len && modified(&now) == self.modified {
            Ok(())
        } else {
            Err(changed())
        }
    }
}

impl From<Source> for File {
    fn from(source: Source) -> Self {
        source.file
    }
}

/// A stream of a file's bytes that ends with an error if the file has changed meanwhile.
#[derive(Debug)]
pub(super) struct CheckedReader {
    source: Source,
    read: u64,
    has_failed: bool,
}

impl CheckedReader {
    pub(super) fn new(source: Source) -> Self {
        Self { source, read: 0, has_failed: false }
    }

    /// Whether this reader has returned an error.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed
    }

    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.file.read(buffer)?;
        self.read += read as u64;
        // Without this, a file that grows faster than it is read would never end.
        if self.read > self.source.len {
            return Err(changed());
        }
        // This is checked with the last byte, too, since the caller may not read beyond it.
        if self.read == self.source.len || read == 0 && !buffer.is_empty() {
            self.source.check(self.read)?;
        }
        Ok(read)
    }
}

impl Read for CheckedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.try_read(buffer);
        if let Err(error) = &result {
            self.has_failed |= error.kind() != io::ErrorKind::Interrupted;
        }
        result
    }
}

fn modified(metadata: &Metadata) -> Option<SystemTime> {
    metadata.modified().ok()
}

fn changed() -> io::Error {
    io::Error::other("it changed while it was read")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_that_grows_or_shrinks_is_not_taken() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("file");
        fs::write(&path, [7; 1000])?;

        let mut bytes = b"before".to_vec();
        Source::open(&path)?.read_to(&mut bytes)?;
        assert_eq!(bytes.len(), 1006);

        let source = Source::open(&path)?;
        fs::OpenOptions::new().append(true).open(&path)?.write_all(b"more")?;
        assert!(source.read_to(&mut Vec::new()).is_err());

        let mut reader = CheckedReader::new(Source::open(&path)?);
        fs::OpenOptions::new().write(true).open(&path)?.set_len(10)?;
        assert!(io::copy(&mut reader, &mut io::sink()).is_err());
        assert!(reader.has_failed());

        let mut reader = CheckedReader::new(Source::open(&path)?);
        assert_eq!(io::copy(&mut reader, &mut io::sink())?, 10);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed_and_a_pipe_not_waited_for() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, b"secret")?;
        std::os::unix::fs::symlink(&file, &link)?;
        assert!(Source::open(&link).is_err());
        assert!(Source::open(directory.path()).is_err());
        Ok(())
    }
}
