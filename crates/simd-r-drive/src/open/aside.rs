//! Saving what is about to be cut off.

use std::io;
use std::path::{Path, PathBuf};

use simd_r_drive_writer::{FileSystem, StoreFile, read_full_at, write_all_at};

/// Copies `[start, end)` of `file` to a new private file beside `path` and flushes it. Returns its path.
///
/// # Errors
/// Reading the store's, or writing the new file's; nothing may be cut off then.
pub(crate) fn save_aside(
    file_system: &dyn FileSystem,
    path: &Path,
    file: &dyn StoreFile,
    start: u64,
    end: u64,
) -> io::Result<PathBuf> {
    let (aside_path, aside) = file_system.create_aside(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = start;
    while at < end {
        let want = (end - at).min(buffer.len() as u64) as usize;
        let read = read_full_at(file, &mut buffer[..want], at)?;
        if read == 0 {
            break;
        }
        write_all_at(&*aside, &buffer[..read], at - start)?;
        at += read as u64;
    }
    aside.sync()?;
    Ok(aside_path)
}
