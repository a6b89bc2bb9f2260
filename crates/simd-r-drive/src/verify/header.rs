//! Checks of the header's pages.

use std::io;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Checkpoint, Damage, FORMAT_MINOR, Identity, PublishedTail};
use simd_r_drive_writer::{StoreFile, read_exact_at};

use super::{Check, DamagedPlace};
use crate::log::LogFile;
use crate::store::DataStore;

/// How often to reread a page that another process may be writing.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(2);

/// Length of the identity, with its checksum, in bytes.
const IDENTITY_LEN: usize = 120;

/// Where a checkpoint stands in its page, including its checksum.
const CHECKPOINT: Range<usize> = 128..176;

/// Only a file whose checkpoint numbers are no larger than this, a new one, may lack a published
/// tail.
const NEWEST_OF_NEW_FILE: u64 = 1;

impl DataStore {
    pub(super) fn check_header(&self, check: &mut Check<'_>) -> io::Result<()> {
        let log = &check.state.log;
        let key = log.file.key().ok();
        // A reader may hold a file that a compaction has replaced.
        let named = self.shared.location.as_ref().and_then(|location| location.key().ok());
        let is_current = key.is_some() && key == named;
        // No one writes hints while this lock is held. A forked child may not take it, and reads
        // the pages repeatedly like any reader.
        let writer = self.shared.lock_writer().ok();
        let attempts = if writer.is_some() { 1 } else { ATTEMPTS };
        let mut damaged = check_pages(log, is_current)?;
        for _ in 1..attempts {
            if damaged.is_empty() {
                break;
            }
            thread::sleep(PAUSE);
            damaged = check_pages(log, is_current)?;
        }
        check.report.damaged.extend(damaged);
        Ok(())
    }
}

/// Damaged places of the header in its present state. `is_current` says that the file is the one at
/// the store's path.
fn check_pages(log: &LogFile, is_current: bool) -> io::Result<Vec<DamagedPlace>> {
    let header = read_header(&*log.file, log.layout.header_len())?;
    let identity = &log.identity;
    // What a later minor version keeps in unused bytes is unknown here.
    let knows_all = identity.minor_version == FORMAT_MINOR
        && identity.read_only_compatible_features == 0
        && identity.compatible_features == 0;
    let mut pages = Pages { damaged: Vec::new(), knows_all };
    let page = |number: usize| header.get(number * PAGE_SIZE..).unwrap_or_default();
    let page = |number: usize| page(number).get(..PAGE_SIZE).unwrap_or_default();

    pages.compare_identity(0, page(0), identity);
    pages.check_padding(0, page(0), IDENTITY_LEN..PAGE_SIZE);
    let mut newest = None;
    for number in [1, 2] {
        let page = page(number);
        match Checkpoint::decode(page, identity) {
            Some(checkpoint) if checkpoint.page() == number => {
                newest = newest.max(Some(checkpoint.sequence));
                pages.compare_identity(number, page, identity);
                pages.check_padding(number, page, IDENTITY_LEN..CHECKPOINT.start);
                pages.check_padding(number, page, CHECKPOINT.end..PAGE_SIZE);
            }
            _ => pages.push(number, 0..PAGE_SIZE, Damage::Checkpoint),
        }
    }
    let page = page(3);
    let is_new = newest.is_some_and(|sequence| sequence <= NEWEST_OF_NEW_FILE)
        && page.iter().all(|byte| *byte == 0);
    let published = PublishedTail::decode(page);
    if is_new || published.is_some_and(|published| !(published.is_moved && is_current)) {
        pages.check_padding(3, page, PublishedTail::LEN..PAGE_SIZE);
    } else {
        pages.push(3, 0..PAGE_SIZE, Damage::PublishedTail);
    }
    let rest = header.get(4 * PAGE_SIZE..).unwrap_or_default();
    pages.check_padding(4, rest, 0..rest.len());
    Ok(pages.damaged)
}

fn read_header(file: &dyn StoreFile, len: u64) -> io::Result<Vec<u8>> {
    // At most 64 KiB.
    let mut header = vec![0; len as usize];
    read_exact_at(file, &mut header, 0)?;
    Ok(header)
}

struct Pages {
    damaged: Vec<DamagedPlace>,
    knows_all: bool,
}

impl Pages {
    fn push(&mut self, page: usize, range: Range<usize>, what: Damage) {
        let at = |offset: usize| (page * PAGE_SIZE + offset) as u64;
        self.damaged.push(DamagedPlace::new(at(range.start)..at(range.end), what));
    }

    fn compare_identity(&mut self, number: usize, page: &[u8], identity: &Identity) {
        if !matches!(Identity::decode(page), Ok(Some(found)) if found == *identity) {
            self.push(number, 0..IDENTITY_LEN, Damage::Identity);
        }
    }

    /// Makes sure that the unused bytes of a page are zero.
    fn check_padding(&mut self, number: usize, page: &[u8], unused: Range<usize>) {
        let is_set = |byte: &u8| *byte != 0;
        let from = unused.start;
        let unused = page.get(unused).unwrap_or_default();
        if self.knows_all
            && let Some(first) = unused.iter().position(is_set)
            && let Some(last) = unused.iter().rposition(is_set)
        {
            self.push(number, from + first..from + last + 1, Damage::Padding);
        }
    }
}
