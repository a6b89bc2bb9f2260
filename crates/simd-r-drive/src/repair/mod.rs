//! Repair: everything that is left of a damaged store goes to a new one.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use simd_r_drive_entry_handle::{FormatError, compute_hash, verify_slot};
use simd_r_drive_writer::Visibility;

use crate::compact::FLUSH_DISTANCE;
use crate::error::about;
use crate::log::ReadState;
use crate::open::{copy_permissions, new_file, new_identity, place_durably};
use crate::options::OpenOptions;
use crate::read::EntryIterator;
use crate::write::{CommitBuilder, Writer};

/// Entries copied per commit.
const COPY_ENTRIES: usize = 1024;

/// The result of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Values copied, each after a check of its seal and its CRC-32.
    pub copied_entries: u64,
    /// Those of them that may be outdated: something newer may have stood in a damaged part.
    pub unconfirmed_entries: u64,
    /// Values left out because their bytes are not as they were written.
    pub damaged_entries: Vec<DamagedEntry>,
    /// Ranges of the old log that cannot be read, newest first, in bytes.
    pub damaged_ranges: Vec<Range<u64>>,
}

/// A value that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedEntry {
    /// The key's bytes; `None` if it was written by hash alone.
    pub key: Option<Vec<u8>>,
    /// Hash of the key.
    pub key_hash: u64,
    /// Where the slot starts in the old file, in bytes.
    pub offset: u64,
}

/// Writes everything that is left of the store at `old` to a new store at `new`, which must not
/// exist.
///
/// The old file is only read. The new one appears complete or not at all, with the permissions of
/// the old one. Of each key, the newest value that can be found is copied, in write order and with
/// its write time. The report says which values are missing and how many may be outdated.
///
/// ```
/// use simd_r_drive::{DataStore, repair};
/// use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
///
/// # let directory = tempfile::tempdir()?;
/// # let (old, new) = (directory.path().join("old.srd"), directory.path().join("new.srd"));
/// # DataStore::open(&old)?.write(b"key", b"value")?;
/// let report = repair(&old, &new)?;
/// assert!(report.damaged_entries.is_empty() && report.damaged_ranges.is_empty());
/// assert!(DataStore::open_existing(&new)?.exists(b"key")?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Takes 8 bytes of memory per entry.
///
/// # Errors
/// - `AlreadyExists` if `new` exists;
/// - [`FormatError::NotAStore`] or another [`FormatError`] if `old` is not a store, or if its
///   identity and both copies of it are lost;
/// - any I/O error of the files.
///
/// After an error, `new` does not exist.
pub fn repair(old: &Path, new: &Path) -> io::Result<RepairReport> {
    repair_with(old, new, &OpenOptions::new())
}

/// [`repair`] with options for both stores: `durability`, `file_system` and
/// `allow_network_file_system` apply, others are ignored.
///
/// # Errors
/// As [`repair`].
pub fn repair_with(old: &Path, new: &Path, options: &OpenOptions) -> io::Result<RepairReport> {
    let options = OpenOptions::new()
        .durability(options.durability)
        .file_system(Arc::clone(&options.file_system))
        .allow_network_file_system(options.allow_network_file_system);
    let source = options.clone().read_only(true).salvage(true).open(old)?;
    let state = source.shared.current.load_full();
    let location = options.file_system.locate(new).map_err(|error| about(new, error))?;
    let pending =
        location.create_pending(Visibility::Private).map_err(|error| about(new, error))?;
    let file = pending.file();
    // A new store id: backups and readers of the old store may have seen more than what is left.
    let identity = new_identity(state.layout.alignment())?;
    let (target, resume) = new_file(Arc::clone(&file), new, &identity, &options)?;
    let mut target = Writer::of_new_file(target, resume)?;

    let mut report = RepairReport {
        copied_entries: 0,
        unconfirmed_entries: 0,
        damaged_entries: Vec::new(),
        damaged_ranges: source.recovery_report().damaged.clone(),
    };
    let ends = whole_entries(&state, &mut report.damaged_entries)?;
    for chunk in ends.chunks(COPY_ENTRIES) {
        copy_values(&state, chunk, &mut target)?;
        if target.unflushed() >= FLUSH_DISTANCE {
            target.flush()?;
        }
    }
    let newest_damage = report.damaged_ranges.first().map_or(0, |range| range.end);
    report.copied_entries = ends.len() as u64;
    report.unconfirmed_entries = ends.iter().take_while(|end| **end < newest_damage).count() as u64;
    target.close(options.automatic_checkpoints)?;
    // For the hints that closing wrote last.
    copy_permissions(&*state.file, &*file)?;
    file.sync()?;
    place_durably(&*location, pending).map_err(|error| about(new, error))?;
    Ok(report)
}

/// Ends of the newest intact entry of each key, oldest first.
fn whole_entries(state: &Arc<ReadState>, damaged: &mut Vec<DamagedEntry>) -> io::Result<Vec<u64>> {
    let mut ends = Vec::new();
    let mut entries = EntryIterator::new(Arc::clone(state), state.totals());
    while let Some(entry) = entries.next_entry()? {
        let slot = state.slot_at(entry.slot_end())?;
        match verify_slot(&slot, &state.layout) {
            Ok(()) => ends.push(entry.slot_end()),
            Err(FormatError::Damaged { .. }) => damaged.push(DamagedEntry {
                key: entry.key().map(<[u8]>::to_vec),
                key_hash: entry.key_hash(),
                offset: slot.start,
            }),
            Err(error) => return Err(error.into()),
        }
    }
    ends.reverse();
    Ok(ends)
}

/// Writes the values whose slots end at `ends` to the new file as one commit. Checks them again
/// first, because they get new checksums. They keep their write times.
fn copy_values(source: &ReadState, ends: &[u64], target: &mut Writer) -> io::Result<()> {
    let state = target.state();
    let mut commit = CommitBuilder::new(&state, ends.len());
    let slots: Result<Vec<_>, _> = ends.iter().map(|end| source.slot_at(*end)).collect();
    let slots = slots?;
    for slot in &slots {
        verify_slot(slot, &source.layout)?;
        commit.stamp(slot.fields().written_at);
        match slot.key().first_chunk::<8>() {
            Some(hash_bytes) if slot.fields().is_bare() => {
                commit.put_bare(u64::from_le_bytes(*hash_bytes), hash_bytes, slot.payload())?;
            }
            _ => commit.put(compute_hash(slot.key()), slot.key(), slot.payload())?,
        }
    }
    target.commit(&commit).map(drop)
}
