//! Opening a store. `docs/format.md` states the rules.

mod advance;
mod aside;
mod create;
mod identify;
mod nested;
mod new_file;
mod newer;
pub(crate) mod report;
mod sound;
mod table;
mod tail;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Alignment, Foreign, FormatError, Identity, LogSlot};
use simd_r_drive_indexer::{KeyIndexer, LayeredIndex};
use simd_r_drive_writer::{Access, Location, Placed, StoreFile, WriteError, read_exact_at};

use crate::error::StoreError;
use crate::events;
use crate::log::{
    Counts, DamageMap, LogFile, LogPosition, Publication, ReadState, Totals, maps, replay,
};
use crate::options::OpenOptions;

pub(crate) use self::advance::{Advanced, advance};
pub(crate) use self::aside::{Remains, save_aside};
pub(crate) use self::create::{new_identity, next_identity, write_header};
pub(crate) use self::identify::{Found, Header, identify, read_checkpoints};
use self::new_file::create_file;
pub(crate) use self::new_file::{
    copy_permissions, lock_new, new_file, place_durably, place_new, refuse_network,
};
use self::newer::NewerSlots;
pub use self::report::RecoveryReport;
pub(crate) use self::sound::{Sound, check_sound, index_in};
pub(crate) use self::table::{named_tables, newer_index};
pub(crate) use self::tail::{LogBounds, find_tail};

/// Attempts at opening a path that exists and yet leads to no file.
const MAX_DANGLING_ATTEMPTS: usize = 3;

/// Attempts at opening a path that keeps changing.
const MAX_ATTEMPTS: usize = 32;

/// A store that has been opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) state: ReadState,
    pub(crate) report: RecoveryReport,
    pub(crate) tail: LogPosition,
    /// The file, if this open created it.
    pub(crate) created: Option<Placed>,
    /// Where the writer resumes; `None` for a store that is open read-only.
    pub(crate) writable: Option<Resume>,
}

/// Where writing resumes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resume {
    pub(crate) durable: LogPosition,
    pub(crate) tail: LogPosition,
    /// Sequence number of the newest checkpoint.
    pub(crate) checkpoint_sequence: u64,
    /// Whether `[durable, tail)` must be rewritten before it can be called durable.
    pub(crate) must_rewrite: bool,
    /// Whether `[durable, tail)` came with an interrupted copy. Until it is durable, its barriers
    /// must not be believed.
    pub(crate) is_copying: bool,
    /// End of the barrier that names the tables in use; 0 if there is none.
    pub(crate) barrier_end: u64,
    /// End of the newest index slot, whose table may be incomplete; 0 if there is none.
    pub(crate) newest_index_end: u64,
    /// Bytes beyond the tail that could not be saved yet.
    pub(crate) remains: Option<Remains>,
}

/// Opens the store at `path`, which `location` represents.
pub(crate) fn open(
    path: &Path,
    location: &Arc<dyn Location>,
    options: &OpenOptions,
) -> io::Result<Opened> {
    let started = Instant::now();
    let alignment = Alignment::new(options.alignment)?;
    let can_create = options.create || options.create_new;
    if options.read_only && can_create {
        return Err(StoreError::BadOptions("a store cannot be created read-only").into());
    }
    if options.salvage && !options.read_only {
        let advice = "salvage only reads: set read_only too, or repair the store into a new file";
        return Err(StoreError::BadOptions(advice).into());
    }
    let mut dangling_attempts = 0;
    for _ in 0..MAX_ATTEMPTS {
        let (file, access) = match open_file(&**location, options) {
            Ok((_, _)) if options.create_new => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound && can_create => {
                match create_file(&**location, alignment, options) {
                    // Another process was faster: open its file.
                    Err(error)
                        if error.kind() == io::ErrorKind::AlreadyExists && !options.create_new =>
                    {
                        if is_absent(&**location) {
                            dangling_attempts += 1;
                        }
                        if dangling_attempts == MAX_DANGLING_ATTEMPTS {
                            return Err(StoreError::DanglingLink { path: path.to_owned() }.into());
                        }
                        continue;
                    }
                    created => {
                        let (file, placed) = created?;
                        let loaded = load(path, Some(location), file, Access::ReadWrite, options);
                        let mut opened = match loaded {
                            Ok(Some(opened)) => opened,
                            result => {
                                // The file is ours alone, and nothing else knows of it yet.
                                let _ = placed.remove();
                                result?;
                                continue;
                            }
                        };
                        opened.created = Some(placed);
                        opened.report.is_new = true;
                        opened.report.duration = started.elapsed();
                        return Ok(opened);
                    }
                }
            }
            Err(error) => return Err(error),
        };
        refuse_network(&*file, path, options)?;
        if access == Access::ReadWrite {
            if !file.try_lock()? {
                return Err(locked(&*file, path));
            }
            // A compaction or a restore may have replaced the file between opening and locking it.
            if location.key().ok() != Some(file.key()?) {
                continue;
            }
        }
        let Some(mut opened) = load(path, Some(location), file, access, options)? else { continue };
        opened.report.duration = started.elapsed();
        return Ok(opened);
    }
    Err(StoreError::PathUnstable { path: path.to_owned() }.into())
}

/// The error for a file that is locked elsewhere. If the file is not a store, that is the better
/// answer. A file that looks damaged or truncated does not count as such: its owner may be creating
/// it.
fn locked(file: &dyn StoreFile, path: &Path) -> io::Error {
    let found = file.len().and_then(|len| identify(file, len));
    match found {
        Err(error) if !is_damage(&error) => error,
        _ => WriteError::Locked { path: path.to_owned() }.into(),
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.get_ref().and_then(|inner| inner.downcast_ref()),
        Some(FormatError::Damaged { .. } | FormatError::Truncated { .. })
    )
}

/// Opens the file for writing, or for reading if the file or its medium is read-only.
fn open_file(
    location: &dyn Location,
    options: &OpenOptions,
) -> io::Result<(Arc<dyn StoreFile>, Access)> {
    if options.read_only {
        return Ok((location.open(Access::Read)?, Access::Read));
    }
    match location.open(Access::ReadWrite) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            ) =>
        {
            match location.open(Access::Read) {
                Ok(file) => Ok((file, Access::Read)),
                Err(_) => Err(error),
            }
        }
        result => Ok((result?, Access::ReadWrite)),
    }
}

/// Opens the store in `file` for reading, without a path to it.
pub(crate) fn open_without_path(
    file: Arc<dyn StoreFile>,
    options: &OpenOptions,
) -> io::Result<Opened> {
    let started = Instant::now();
    let opened = load(Path::new(""), None, file, Access::Read, options)?;
    let mut opened = opened.ok_or(io::ErrorKind::UnexpectedEof)?;
    opened.report.duration = started.elapsed();
    Ok(opened)
}

/// Reads a store from an open file, which must be locked for writing if it is to be written. `None`
/// if the file must be opened again because its map shows a different one.
fn load(
    path: &Path,
    location: Option<&Arc<dyn Location>>,
    file: Arc<dyn StoreFile>,
    access: Access,
    options: &OpenOptions,
) -> io::Result<Option<Opened>> {
    let len = file.len()?;
    let header = match identify(&*file, len)? {
        Found::Store(header) => *header,
        Found::Nothing if access == Access::ReadWrite && options.create => {
            let identity = create::new_identity(Alignment::new(options.alignment)?)?;
            create::write_header(&*file, &identity)?;
            let options = OpenOptions { create: false, ..options.clone() };
            let opened = load(path, location, file, access, &options)?;
            return Ok(opened.map(|mut opened| {
                opened.report.is_new = true;
                opened
            }));
        }
        Found::Nothing => return Err(nothing_in_it(len)),
    };
    if access == Access::ReadWrite {
        header.identity.check_writable()?;
    }
    // Read again: a writer may have continued between the first read and the checkpoints.
    let len = file.len()?;
    // A damaged store is never written to. A repair writes a new one.
    let tolerate_damage = access == Access::Read;
    // The index may not know what a salvage looks for.
    let wants_index = !options.salvage;
    let is_index_named = header.checkpoints.iter().any(|checkpoint| checkpoint.barrier_end > 0);
    let mut newer = NewerSlots::default();
    let mut visit = |slot: &LogSlot<'_>| {
        if wants_index && is_index_named {
            newer.push(slot);
        }
    };
    let (identity, checkpoints) = (&header.identity, &header.checkpoints);
    let found = find_tail(&*file, identity, checkpoints, len, tolerate_damage, &mut visit)?;
    newer.drop_uncommitted();
    let newest = header.checkpoints.first();
    let is_copying = newest.is_some_and(|newest| newest.is_copying);
    let mut report = RecoveryReport {
        is_new: false,
        was_clean: newest.is_some_and(|newest| newest.is_clean && !newest.is_copying)
            && found.durable == found.tail
            && found.data_end == found.tail.end,
        durable_tail: found.durable.end,
        tail: found.tail.end,
        is_index_used: false,
        slots_replayed: 0,
        uncommitted_bytes: found.data_end - found.tail.end,
        saved_to: None,
        is_identity_damaged: !header.is_identity_sound,
        damaged: Vec::new(),
        duration: std::time::Duration::ZERO,
    };
    let mut log = map_log(Arc::clone(&file), &header.identity, &found, options)?;
    if !shows_same(&log, found.tail.end)? {
        return Ok(None);
    }
    let through_table = if wants_index {
        let walked = is_index_named.then_some(newer);
        table::open_through_tables(&log, &header.checkpoints, &found, walked)?
    } else {
        None
    };
    let (barrier_end, newest_index_end);
    let mut damaged_root_link = None;
    let index = match through_table {
        Some(opened) => {
            (barrier_end, newest_index_end) = (opened.barrier_end, opened.newest_index_end);
            report.slots_replayed = opened.slots;
            report.is_index_used = true;
            log.counts = Counts::new(opened.totals);
            opened.index
        }
        None => {
            let index = KeyIndexer::with_capacity(guess_entries(&log, found.tail.end));
            let replayed = replay(&log, &index, found.tail, tolerate_damage)?;
            (barrier_end, newest_index_end) = (0, replayed.newest_index_end);
            report.slots_replayed = replayed.slots;
            report.damaged = replayed.damaged;
            damaged_root_link = replayed.damaged_root_link;
            log.counts = Counts::new(Totals {
                tail: found.tail.end,
                live_keys: replayed.live_keys,
                dead_slots: replayed.dead_slots,
                dead_bytes: replayed.dead_bytes,
            });
            LayeredIndex::new(&log.layout, index)
        }
    };
    // The end of a truncated file is missing.
    if found.expected_end > found.tail.end {
        report.damaged.insert(0, found.tail.end..found.expected_end);
    }
    log.damage = DamageMap::new(report.damaged.clone(), options.salvage);
    if let Some(link) = damaged_root_link {
        report.damaged.retain(|extent| !extent.is_empty());
        report.damaged.push(link);
    }
    let state = ReadState::new(Arc::new(log), index);
    let root_end = header.identity.layout().header_len();
    let mut remains = None;
    // Changes are made only now that everything else has been read without an error.
    if access == Access::ReadWrite
        && let Some(location) = location
    {
        let is_cut_off = report.uncommitted_bytes > 0;
        if !report.was_clean || found.tail.end == root_end {
            // Whoever created the file or put it in place may have died before its name was on the
            // medium.
            keep_name(&**location)?;
        }
        if !report.was_clean {
            remove_orphans(&**location, &header.identity);
        }
        if !report.was_clean && !is_cut_off && len == found.tail.end {
            // A recovery that cut the file here may have died before it could flush that.
            file.sync()?;
        }
        if is_cut_off {
            let range = Remains { start: found.tail.end, end: found.data_end };
            match range.cut(path, &**location, &*file)? {
                Ok(saved_to) => report.saved_to = Some(saved_to),
                Err(error) => {
                    events::remains_not_saved(path, &error);
                    remains = Some(range);
                }
            }
        }
    }
    let writable = (access == Access::ReadWrite).then(|| Resume {
        durable: found.durable,
        tail: found.tail,
        checkpoint_sequence: newest.map_or(0, |newest| newest.sequence),
        must_rewrite: !report.was_clean,
        is_copying,
        barrier_end,
        newest_index_end,
        remains,
    });
    Ok(Some(Opened { state, report, tail: found.tail, created: None, writable }))
}

/// Whether the name leads to no file. It may still be taken, by a dangling link.
fn is_absent(location: &dyn Location) -> bool {
    location.key().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Flushes the store's directory, if this process may read it.
fn keep_name(location: &dyn Location) -> io::Result<()> {
    match location.sync_directory() {
        // Entering a directory needs fewer permissions than reading it. A store in a directory that
        // cannot be read works without this flush.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// Removes what a killed process left of a new or an old file of this store. A failure only costs
/// space.
pub(crate) fn remove_orphans(location: &dyn Location, identity: &Identity) {
    let is_ours = |file: &dyn StoreFile| {
        let found = file.len().and_then(|len| identify(file, len));
        matches!(found, Ok(Found::Store(header)) if header.identity.store_id == identity.store_id)
    };
    match location.remove_orphans(&is_ours) {
        Ok(0) => {}
        Ok(count) => events::orphans_removed(location.path(), count),
        Err(error) => events::orphans_not_removed(location.path(), &error),
    }
}

/// Whether the map of a file shows the same bytes up to `tail` as reads do.
pub(crate) fn shows_same(log: &LogFile, tail: u64) -> io::Result<bool> {
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

/// The error for a file of `len` bytes that has no contents where a store is expected.
pub(crate) fn nothing_in_it(len: u64) -> io::Error {
    FormatError::not_a_store(if len == 0 { Foreign::Empty } else { Foreign::Zeros }).into()
}

/// A file with a map of its log, whose totals are not known yet.
fn map_log(
    file: Arc<dyn StoreFile>,
    identity: &Identity,
    found: &LogBounds,
    options: &OpenOptions,
) -> io::Result<LogFile> {
    let layout = identity.layout();
    let map = maps::map(&*file, layout.alignment(), found.tail.end)?;
    let publication = Publication::new(map, found.tail.end);
    Ok(LogFile::new(file, identity, publication, options.verify_reads))
}

/// A rough estimate of the number of entries, which saves many growth steps of the index. It need
/// not be accurate.
fn guess_entries(log: &LogFile, tail: u64) -> usize {
    let entries = (tail - log.layout.header_len()) / (8 * log.layout.alignment().bytes());
    usize::try_from(entries.min(1 << 24)).unwrap_or(0)
}
