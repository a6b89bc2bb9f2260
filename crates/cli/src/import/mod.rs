//! Files into a store: `walk` finds them, `source` reads them, `batch` gathers the small ones.

mod batch;
mod exclude;
mod source;
mod store_files;
mod walk;

use std::io;

use anyhow::Result;
use simd_r_drive::DataStore;
use simd_r_drive::traits::DataStoreWriter as _;

use self::batch::Batch;
pub(crate) use self::exclude::Excludes;
use self::source::{CheckedReader, Source};
pub(crate) use self::walk::Walk;
use self::walk::{Found, FoundFile};
use crate::key::{Shown, key_json};
use crate::progress::Progress;

/// Up to this size, in bytes, a file is read into memory and stored with others in one commit; a larger one is
/// streamed.
const SMALL_FILE_LEN: u64 = 16 << 20;

/// What was stored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Imported {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Stores files.
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
    /// The store's. What goes wrong with a file is told to `progress`, and the file is skipped.
    pub(crate) fn run(mut self, walk: Walk<'_>, progress: &mut Progress<'_>) -> Result<Imported> {
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
    fn store_file(&mut self, file: &FoundFile) -> Result<Result<(), String>> {
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
        if let Err(error) = self.batch.add(&file.key, source) {
            return Ok(Err(error.to_string()));
        }
        self.imported.files += 1;
        self.imported.bytes += len;
        Ok(Ok(()))
    }

    fn stream(&mut self, key: &[u8], source: Source) -> Result<Result<(), String>> {
        let len = source.len();
        let mut reader = CheckedReader::new(source);
        match self.store.write_stream(key, &mut reader) {
            Ok(_) => {
                self.imported.files += 1;
                self.imported.bytes += len;
                Ok(Ok(()))
            }
            Err(error) if reader.has_failed() => Ok(Err(error.to_string())),
            Err(error) => Err(cannot_store(error, key)),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let entries = self.batch.entries();
        let Some((first, _)) = entries.first() else { return Ok(()) };
        self.store.batch_write(&entries).map_err(|error| cannot_store(error, first))?;
        drop(entries);
        self.batch.clear();
        Ok(())
    }
}

fn cannot_store(error: io::Error, key: &[u8]) -> anyhow::Error {
    anyhow::Error::from(error).context(format!("cannot store {} and what follows", Shown(key)))
}
