//! The engine's use of memory maps: how far they reach, and when their bytes become readable.

#![expect(unsafe_code, reason = "making mapped bytes readable promises that they never change")]

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Alignment, Map};
use simd_r_drive_writer::StoreFile;

use crate::publication::Window;

/// Least address space that a map reserves, in bytes (4 GiB; address space is not memory).
const MIN_RESERVATION: u64 = 4 << 30;

/// How many times larger than the file a map is.
const GROWTH: u64 = 4;

/// Maps `file` so that slots up to `end` can be read, with room to grow.
///
/// # Errors
/// The file's.
pub(crate) fn map(file: &dyn StoreFile, alignment: Alignment, end: u64) -> io::Result<Arc<Map>> {
    // Even where address space is short, each map is at least an eighth larger than the one before.
    let need = end.saturating_add((end / 8).max(1 << 20));
    let wish = end.saturating_mul(GROWTH).max(MIN_RESERVATION);
    let map = file.map(alignment, need, wish).or_else(|_| {
        // Some files cannot be mapped beyond their end: a value in another store, or on some systems any that is
        // open for reading only.
        file.map(alignment, end, end)
    })?;
    Ok(Arc::new(map))
}

/// That a store has grown more often than it can be mapped again.
pub(crate) fn too_many() -> io::Error {
    io::Error::new(
        io::ErrorKind::OutOfMemory,
        "address space is too short to map the growing store; reopen it, or raise the limit",
    )
}

impl Window for Arc<Map> {
    #[inline]
    fn reserved(&self) -> u64 {
        Map::reserved(self)
    }

    fn reveal(&self, end: u64) {
        // SAFETY: `publication` is private to this crate, and it is told only ends of slots that stand in the
        // file: those that recovery has verified, and those of a commit that the appender has written in
        // full. The appender never writes below its tail and never shortens the file below it, and the
        // writer's lock keeps other writers away.
        unsafe { self.make_readable(end) };
    }
}
