//! Storing files: `walk` finds them, `source` reads them, `batch` collects the small ones.

mod batch;
mod exclude;
mod source;
mod store_files;
mod walk;

use std::io;

use simd_r_drive::DataStore;
use simd_r_drive::traits::DataStoreWriter as _;

use self::batch::Batch;
pub(crate) use self::exclude::Excludes;
use self::source::{CheckedReader, Source};
pub(crate) use self::walk::Walk;
use self::walk::{Found, FoundFile};
use crate::key::{Shown, key_json};
use crate::progress::Progress;

/// Largest file, in bytes, that is read into memory and stored with others in one commit. Larger
/// files are streamed.
const SMALL_FILE_LEN: u64 = 16 << 20;

/// How much has been stored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Imported {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Why an import ended early. Files are stored in the order in which they are found: those before
/// `key` are in the store, that file and those after it are not.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) imported: Imported,
    pub(crate) key: Vec<u8>,
    pub(crate) error: io::Error,
}

/// Stores files in batches.
#[derive(Debug)]
pub(crate) struct Importer<'s> {
    store: &'s DataStore,
    batch: Batch,
    imported: Imported,
}

impl<'s> Importer<'s> {
    pub(crate) fn new(store: &'s DataStore) -> Self {
        Self { store, batch: Batch::default(), imported: Imported::default() }
    }

    /// Stores everything that `walk` finds.
    ///
    /// # Errors
    /// Any error of the store. A file that cannot be read is skipped and reported to `progress`.
    pub(crate) fn run(
        mut self,
        walk: Walk<'_>,
        progress: &mut Progress<'_>,
    ) -> Result<Imported, Stopped> {
        for found in walk {
            match found {
                Found::File(file) => match self.store_file(&file)? {
                    Ok(()) => progress.advance(1),
                    Err(reason) => {
                        progress.skip(&Shown(&file.key).to_string(), key_json(&file.key), &reason);
                    }
                },
                Found::Skipped { name, reason } => {
                    progress.skip(&Shown(&name).to_string(), key_json(&name), &reason);
                }
            }
        }
        self.flush()?;
        Ok(self.imported)
    }

    /// Stores one file, now or with the next batch. The inner error says why it was skipped.
    fn store_file(&mut self, file: &FoundFile) -> Result<Result<(), String>, Stopped> {
        let source = match Source::open(&file.path) {
            Ok(source) => source,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let len = source.len();
        if len > SMALL_FILE_LEN {
            return self.stream(&file.key, source);
        }
        if !self.batch.has_room_for(&file.key, len) {
            self.flush()?;
        }
        Ok(self.batch.add(&file.key, source).map_err(|error| error.to_string()))
    }

    fn stream(&mut self, key: &[u8], source: Source) -> Result<Result<(), String>, Stopped> {
        // Files are stored in the order in which they were found.
        self.flush()?;
        let len = source.len();
        let mut reader = CheckedReader::new(source);
        match self.store.write_stream_sized(key, &mut reader, len) {
            Ok(_) => {
                self.imported.count(len);
                Ok(Ok(()))
            }
            Err(error) if reader.has_failed() => Ok(Err(error.to_string())),
            Err(error) => Err(self.stopped(key, error)),
        }
    }

    /// Stores the batch in one commit. If that fails, stores its files one by one, up to the first
    /// failure.
    fn flush(&mut self) -> Result<(), Stopped> {
        let entries = self.batch.entries();
        if entries.is_empty() {
            return Ok(());
        }
        let is_stored = self.store.batch_write(&entries).is_ok();
        for (key, content) in entries {
            if !is_stored && let Err(error) = self.store.write(key, content) {
                return Err(self.stopped(key, error));
            }
            self.imported.count(content.len() as u64);
        }
        self.batch.clear();
        Ok(())
    }

    fn stopped(&self, key: &[u8], error: io::Error) -> Stopped {
        Stopped { imported: self.imported, key: key.to_owned(), error }
    }
}

impl Imported {
    fn count(&mut self, len: u64) {
        self.files += 1;
        self.bytes += len;
    }
}
