//! The map of a log that is being opened.

use std::io;
use std::sync::Arc;

use simd_r_drive_entry_handle::Identity;
use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_writer::{StoreFile, read_exact_at};

use super::tail::LogBounds;
use crate::log::{LogFile, Publication, maps};
use crate::options::OpenOptions;

/// A file with a map of its log, whose totals are not known yet.
pub(super) fn map_log(
    file: Arc<dyn StoreFile>,
    identity: &Identity,
    found: &LogBounds,
    options: &OpenOptions,
) -> io::Result<LogFile> {
    let layout = identity.layout();
    let map = maps::map(&*file, layout.alignment(), found.tail.end, options.access)?;
    let publication = Publication::new(map, found.tail.end);
    Ok(LogFile::new(file, identity, publication, options))
}

/// Whether the map of a file shows the same bytes up to `tail` as reads do.
pub(super) fn shows_same(log: &LogFile, tail: u64) -> io::Result<bool> {
    if !log.file.may_maps_lag()? {
        return Ok(true);
    }
    let Some(map) = log.publication.covering(tail) else { return Ok(true) };
    // Checking the end is enough: an overlay file system copies a file as a whole, and the log is
    // never cut in the middle.
    let start = tail.saturating_sub(PAGE_SIZE as u64).max(log.layout.header_len());
    let mut bytes = vec![0; (tail - start) as usize];
    read_exact_at(&*log.file, &mut bytes, start)?;
    map.shows(start, &bytes)
}
