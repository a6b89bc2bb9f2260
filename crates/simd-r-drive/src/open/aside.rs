//! Saving what is about to be cut off.

use std::io;
use std::path::{Path, PathBuf};

use simd_r_drive_writer::{FileSystem, StoreFile, read_full_at, write_all_at};

/// Copies `[start, end)` of `file` to a new private file beside `path` and flushes it. Returns its path.
///
/// # Errors
/// Reading the store's, or writing the new file's; nothing may be cut off then. The new file is removed.
pub(crate) fn save_aside(
    file_system: &dyn FileSystem,
    path: &Path,
    file: &dyn StoreFile,
    start: u64,
    end: u64,
) -> io::Result<PathBuf> {
    let (aside_path, aside) = file_system.create_aside(path)?;
    let result = copy(file, &*aside, start, end).and_then(|()| aside.sync());
    if let Err(error) = result {
        // A part of what is still in the store is of no use, and would be one more with every try.
        let _ = file_system.remove(&aside_path);
        return Err(error);
    }
    Ok(aside_path)
}

fn copy(file: &dyn StoreFile, aside: &dyn StoreFile, start: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let mut at = start;
    while at < end {
        let want = (end - at).min(buffer.len() as u64) as usize;
        let read = read_full_at(file, &mut buffer[..want], at)?;
        if read == 0 {
            break;
        }
        write_all_at(aside, &buffer[..read], at - start)?;
        at += read as u64;
    }
    Ok(())
}
