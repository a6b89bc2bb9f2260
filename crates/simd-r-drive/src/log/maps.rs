//! The engine's use of memory maps: how far they reach, and when their bytes become readable.

#![expect(unsafe_code, reason = "making mapped bytes readable promises that they never change")]

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::{Access, Alignment, Map};
use simd_r_drive_writer::StoreFile;

use crate::log::publication::Window;

/// Minimum address space that a map reserves where address space is not limited, in bytes (4 GiB;
/// address space is not memory).
const MIN_RESERVATION: u64 = 4 << 30;

/// Size of a map as a multiple of the file's.
const GROWTH: u64 = 4;

/// Where address space is limited, a map reserves this fraction of the limit, or more for a large
/// file.
const LIMITED_SHARE: u64 = 4096;

/// Size of a map as a multiple of the file's where address space is limited.
const LIMITED_GROWTH: u64 = 2;

/// A map exceeds the file by at least this many bytes, or by an eighth.
const MIN_ROOM: u64 = 1 << 20;

/// Maps `file` so that slots up to `end` can be read, with room to grow.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn map(
    file: &dyn StoreFile,
    alignment: Alignment,
    end: u64,
    access: Access,
) -> io::Result<Arc<Map>> {
    let map = file.map(alignment, need(end), wish(end, address_space_limit())).or_else(|_| {
        // Some files cannot be mapped beyond their end: a value in another store, and on some
        // systems any file that is open for reading only.
        file.map(alignment, end, end)
    })?;
    // A nested store shares the map of the outer one, which may have been told something else.
    if access != Access::Normal {
        map.advise(access);
    }
    Ok(Arc::new(map))
}

/// The minimum that a map reserves. Even where address space is short, each map is at least an
/// eighth larger than the one before.
fn need(end: u64) -> u64 {
    end.saturating_add((end / 8).max(MIN_ROOM))
}

/// What a map should reserve if the process may use `limit` bytes of address space, or any amount.
fn wish(end: u64, limit: Option<u64>) -> u64 {
    match limit {
        None => end.saturating_mul(GROWTH).max(MIN_RESERVATION),
        // The process may hold a thousand stores and more. Each starts small and grows as needed.
        Some(limit) => end.saturating_mul(LIMITED_GROWTH).max(limit / LIMITED_SHARE),
    }
}

/// The address space that the process may use, in bytes; `None` without an effective limit.
fn address_space_limit() -> Option<u64> {
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    let limit = rustix::process::getrlimit(rustix::process::Resource::As).current;
    #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
    let limit: Option<u64> = None;
    let of_pointers = (usize::BITS < u64::BITS).then_some(usize::MAX as u64);
    limit.into_iter().chain(of_pointers).min()
}

/// The error for a store that has grown more often than it can be remapped.
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
        // SAFETY: `publication` is private to this crate, and its callers pass only ends of slots
        // that stand in the file: slots that recovery has verified, or slots of a commit that the
        // appender has written in full. The appender never writes below its tail and never shortens
        // the file below it, and the writer's lock keeps other writers away.
        unsafe { self.make_readable(end) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use simd_r_drive_entry_handle::constants::MAX_FILE_LEN;

    use super::*;
    use crate::log::publication::MAX_MAPS;

    /// Number of maps that a store takes to grow from nothing to its largest size, if `len` gives
    /// the length of each.
    fn maps_of_a_life(len: impl Fn(u64) -> u64) -> usize {
        let (mut maps, mut reserved) = (0, 0);
        while reserved < MAX_FILE_LEN {
            // The first commit that does not fit.
            reserved = len(reserved + 64);
            maps += 1;
        }
        maps
    }

    #[test]
    fn a_store_can_grow_to_its_largest_size_in_the_maps_that_it_can_have() {
        for limit in [None, Some(64 << 20), Some(4 << 30), Some(1 << 40), Some(u64::MAX)] {
            let maps = maps_of_a_life(|end| wish(end, limit).max(need(end)));
            assert!(maps <= MAX_MAPS, "{maps} maps with a limit of {limit:?}");
        }
    }

    #[test]
    fn a_small_store_takes_a_small_share_of_limited_address_space() {
        let limit = 4 << 30;
        let of_each = wish(16 << 10, Some(limit)).max(need(16 << 10));
        assert!(of_each * 1000 <= limit / 3, "{of_each} bytes");
    }
}
