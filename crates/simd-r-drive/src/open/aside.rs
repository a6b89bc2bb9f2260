//! Saving bytes before they are cut off.

use std::io;
use std::path::{Path, PathBuf};

use simd_r_drive_writer::{Location, Placed, StoreFile, read_full_at, write_all_at};

use crate::events;

/// Bytes beyond the last commit: remains of a commit that was not acknowledged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remains {
    /// The tail.
    pub(crate) start: u64,
    /// End of the last nonzero byte.
    pub(crate) end: u64,
}

impl Remains {
    /// Saves the bytes to a file of their own, cuts them off, and flushes the cut. Returns where
    /// they are, or why they cannot be saved at the moment, for instance because the disk is full.
    /// The bytes then stay, and nothing may be appended.
    ///
    /// # Errors
    /// Any I/O error of the store's file.
    pub(crate) fn cut(
        self,
        path: &Path,
        location: &dyn Location,
        file: &dyn StoreFile,
    ) -> io::Result<Result<PathBuf, io::Error>> {
        let saved = match save_aside(location, file, self.start, self.end) {
            Ok(saved) => saved,
            Err(SaveError::Read(error)) => return Err(error),
            Err(SaveError::Write(error)) => return Ok(Err(error)),
        };
        let saved_to = saved.path().to_owned();
        if let Err(error) = file.set_len(self.start) {
            // Nothing has been cut off: the next attempt saves it again.
            let _ = saved.remove();
            return Err(error);
        }
        file.sync()?;
        events::cut(path, &saved_to, self.start, self.end - self.start);
        Ok(Ok(saved_to))
    }
}

/// Why bytes could not be saved.
#[derive(Debug)]
pub(crate) enum SaveError {
    /// They cannot be read.
    Read(io::Error),
    /// They cannot be written elsewhere.
    Write(io::Error),
}

impl From<SaveError> for io::Error {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Read(error) | SaveError::Write(error) => error,
        }
    }
}

/// Copies `[start, end)` of `file` to a new private file, flushes it, and gives it a durable name
/// beside the store.
///
/// # Errors
/// Any I/O error of either file. Nothing may be cut off then, and there is no new file.
pub(crate) fn save_aside(
    location: &dyn Location,
    file: &dyn StoreFile,
    start: u64,
    end: u64,
) -> Result<Placed, SaveError> {
    let pending = location.create_aside().map_err(SaveError::Write)?;
    let aside = pending.file();
    copy(file, &*aside, start, end)?;
    aside.sync().map_err(SaveError::Write)?;
    let placed = pending.place().map_err(SaveError::Write)?;
    match location.sync_directory() {
        // Entering a directory needs fewer permissions than reading it.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
            let _ = placed.remove();
            Err(SaveError::Write(error))
        }
        _ => Ok(placed),
    }
}

fn copy(
    file: &dyn StoreFile,
    aside: &dyn StoreFile,
    start: u64,
    end: u64,
) -> Result<(), SaveError> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = start;
    while at < end {
        let want = (end - at).min(buffer.len() as u64) as usize;
        let read = read_full_at(file, &mut buffer[..want], at).map_err(SaveError::Read)?;
        if read == 0 {
            break;
        }
        write_all_at(aside, &buffer[..read], at - start).map_err(SaveError::Write)?;
        at += read as u64;
    }
    Ok(())
}
