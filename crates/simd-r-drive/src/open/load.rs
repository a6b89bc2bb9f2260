//! Loads a store from an open file: the steps of "Opening" in `docs/format.md`, in their order.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use simd_r_drive_entry_handle::{Alignment, LogSlot};
use simd_r_drive_indexer::{KeyIndexer, LayeredIndex};
use simd_r_drive_writer::{Access, Location, Placed, StoreFile};

use super::aside::Remains;
use super::create;
use super::identify::{Found, Header, identify, nothing_in_it};
use super::map::{map_log, shows_same};
use super::names::{keep_name, remove_orphans};
use super::newer::NewerSlots;
use super::report::RecoveryReport;
use super::table::{OpenedIndex, open_through_tables};
use super::tail::{LogBounds, find_tail};
use crate::error::StoreError;
use crate::events;
use crate::log::{Counts, DamageMap, LogFile, LogPosition, ReadState, Totals, replay};
use crate::options::OpenOptions;

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

/// An open file from which a store is to be read. It must be locked if it is to be written.
pub(super) struct Loading<'a> {
    pub(super) path: &'a Path,
    /// `None` for a store without a path to it.
    pub(super) location: Option<&'a Arc<dyn Location>>,
    pub(super) file: Arc<dyn StoreFile>,
    pub(super) access: Access,
    pub(super) options: &'a OpenOptions,
}

impl Loading<'_> {
    /// Reads the store. `None` if the file must be opened again because its map shows a different
    /// one.
    pub(super) fn run(&self) -> io::Result<Option<Opened>> {
        let (header, is_new) = self.header()?;
        if self.access == Access::ReadWrite {
            header.identity.check_writable()?;
        }
        self.check_alignment(header.identity.alignment)?;
        // Read again: a writer may have continued between the first read and the checkpoints.
        let len = self.file.len()?;
        let (found, walked) = self.find_tail(&header, len)?;
        let mut report = new_report(&header, &found, is_new);
        let file = Arc::clone(&self.file);
        let mut log = map_log(file, &header.identity, &found, self.options)?;
        if !shows_same(&log, found.tail.end)? {
            return Ok(None);
        }
        let opened = self.index(&mut log, &header, &found, walked, &mut report)?;
        let state = ReadState::new(Arc::new(log), opened.index);
        let mut writable = None;
        if self.access == Access::ReadWrite {
            // Changes are made only now that everything else has been read without an error.
            let remains = self.recover(&header, &found, len, &mut report)?;
            let newest = header.checkpoints.first();
            writable = Some(Resume {
                durable: found.durable,
                tail: found.tail,
                checkpoint_sequence: newest.map_or(0, |newest| newest.sequence),
                must_rewrite: !report.was_clean,
                is_copying: newest.is_some_and(|newest| newest.is_copying),
                barrier_end: opened.barrier_end,
                newest_index_end: opened.newest_index_end,
                remains,
            });
        }
        Ok(Some(Opened { state, report, tail: found.tail, created: None, writable }))
    }

    /// Whether payloads are aligned as the options ask.
    fn check_alignment(&self, alignment: Alignment) -> io::Result<()> {
        let (alignment, wanted) = (alignment.bytes(), self.options.alignment);
        if alignment >= wanted {
            return Ok(());
        }
        Err(StoreError::AlignmentTooSmall { path: self.path.to_owned(), alignment, wanted }.into())
    }

    /// A damaged store is never written to. A repair writes a new one.
    fn tolerates_damage(&self) -> bool {
        self.access == Access::Read
    }

    /// Whose file it is. An empty file gets a header if it may become a store; returns whether it
    /// did.
    fn header(&self) -> io::Result<(Header, bool)> {
        let len = self.file.len()?;
        if let Found::Store(header) = identify(&*self.file, len)? {
            return Ok((*header, false));
        }
        if self.access == Access::Read || !self.options.create {
            return Err(nothing_in_it(len));
        }
        let identity = create::new_identity(Alignment::new(self.options.alignment)?)?;
        create::write_header(&*self.file, &identity)?;
        let len = self.file.len()?;
        match identify(&*self.file, len)? {
            Found::Store(header) => Ok((*header, true)),
            Found::Nothing => Err(nothing_in_it(len)),
        }
    }

    /// Where the log ends, in a file of `len` bytes, and the slots that the search has seen, if
    /// they may help with the index.
    fn find_tail(&self, header: &Header, len: u64) -> io::Result<(LogBounds, Option<NewerSlots>)> {
        let Header { identity, checkpoints, .. } = header;
        let is_index_named = checkpoints.iter().any(|checkpoint| checkpoint.barrier_end > 0);
        let mut newer = (is_index_named && !self.options.salvage).then(NewerSlots::default);
        let mut visit = |slot: &LogSlot<'_>| {
            if let Some(newer) = &mut newer {
                newer.push(slot);
            }
        };
        let tolerate_damage = self.tolerates_damage();
        let found =
            find_tail(&*self.file, identity, checkpoints, len, tolerate_damage, &mut visit)?;
        if let Some(newer) = &mut newer {
            newer.drop_uncommitted();
        }
        Ok((found, newer))
    }

    /// The index, and with it the totals and the damaged places: through the tables in the log, or
    /// by reading all of it.
    fn index(
        &self,
        log: &mut LogFile,
        header: &Header,
        found: &LogBounds,
        walked: Option<NewerSlots>,
        report: &mut RecoveryReport,
    ) -> io::Result<OpenedIndex> {
        // The index may not know what a salvage looks for.
        let through_tables = if self.options.salvage {
            None
        } else {
            open_through_tables(log, &header.checkpoints, found, walked)?
        };
        report.is_index_used = through_tables.is_some();
        let mut damaged_root_link = None;
        let opened = match through_tables {
            Some(opened) => opened,
            None => {
                let index = KeyIndexer::with_capacity(guess_entries(log, found.tail.end));
                let replayed = replay(log, &index, found.tail, self.tolerates_damage())?;
                report.damaged = replayed.damaged;
                damaged_root_link = replayed.damaged_root_link;
                OpenedIndex {
                    index: LayeredIndex::new(&log.layout, index),
                    totals: Totals {
                        tail: found.tail.end,
                        live_keys: replayed.live_keys,
                        dead_slots: replayed.dead_slots,
                        dead_bytes: replayed.dead_bytes,
                    },
                    slots: replayed.slots,
                    barrier_end: 0,
                    newest_index_end: replayed.newest_index_end,
                }
            }
        };
        report.slots_replayed = opened.slots;
        log.counts = Counts::new(opened.totals);
        // The end of a truncated file is missing.
        if found.expected_end > found.tail.end {
            report.damaged.insert(0, found.tail.end..found.expected_end);
        }
        log.damage = DamageMap::new(report.damaged.clone(), self.options.salvage);
        if let Some(link) = damaged_root_link {
            report.damaged.retain(|extent| !extent.is_empty());
            report.damaged.push(link);
        }
        Ok(opened)
    }

    /// Makes the file what the log says: saves what is beyond the tail, cuts it off, and makes
    /// durable what an earlier process may not have. Returns what could not be saved yet.
    fn recover(
        &self,
        header: &Header,
        found: &LogBounds,
        len: u64,
        report: &mut RecoveryReport,
    ) -> io::Result<Option<Remains>> {
        let Some(location) = self.location else { return Ok(None) };
        let is_cut_off = report.uncommitted_bytes > 0;
        let is_empty = found.tail.end == header.identity.layout().header_len();
        if !report.was_clean || is_empty {
            // Whoever created the file or put it in place may have died before its name was on the
            // medium.
            keep_name(&**location)?;
        }
        if !report.was_clean {
            remove_orphans(&**location, &header.identity);
        }
        if !report.was_clean && !is_cut_off && len == found.tail.end {
            // A recovery that cut the file here may have died before it could flush that.
            self.file.sync()?;
        }
        if !is_cut_off {
            return Ok(None);
        }
        let range = Remains { start: found.tail.end, end: found.data_end };
        match range.cut(self.path, &**location, &*self.file)? {
            Ok(saved_to) => {
                report.saved_to = Some(saved_to);
                Ok(None)
            }
            Err(error) => {
                events::remains_not_saved(self.path, &error);
                Ok(Some(range))
            }
        }
    }
}

/// What is known of a store once its tail is found.
fn new_report(header: &Header, found: &LogBounds, is_new: bool) -> RecoveryReport {
    let newest = header.checkpoints.first();
    RecoveryReport {
        is_new,
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
        duration: Duration::ZERO,
    }
}

/// A rough estimate of the number of entries, which saves many growth steps of the index. It need
/// not be accurate.
fn guess_entries(log: &LogFile, tail: u64) -> usize {
    let entries = (tail - log.layout.header_len()) / (8 * log.layout.alignment().bytes());
    usize::try_from(entries.min(1 << 24)).unwrap_or(0)
}
