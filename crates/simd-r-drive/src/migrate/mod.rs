//! Migration of stores written by the published 0.15 to 0.17 crates.

mod old_log;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use simd_r_drive_entry_handle::constants::MAX_FILE_LEN;
use simd_r_drive_entry_handle::{
    Alignment, Barrier, Checkpoint, Flags, Foreign, FormatError, Identity, Kind, Seal, Trailer,
};
use simd_r_drive_writer::{Access, Encoder, StoreFile, Visibility, now_10ms, read_full_at};

use self::old_log::{Broken, OldEntry, OldLog};
use crate::error::{StoreError, about};
use crate::log::{LogPosition, checkpoint_at, write_hints};
use crate::open::{copy_permissions, lock_new, new_identity, place_new, write_header};
use crate::options::OpenOptions;

/// Bytes read to tell what a file is if it is not an old store.
const HEAD_LEN: usize = 16 << 10;

/// The result of a migration. See [`Migration::run`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationReport {
    /// Values copied: the newest of each existing key.
    pub entries: u64,
    /// Deleted keys, which are not in the new store.
    pub deleted_keys: u64,
    /// Older versions and deletions, which were left out.
    pub superseded: u64,
    /// Length of the old file in bytes.
    pub old_bytes: u64,
    /// Length of the new file in bytes.
    pub new_bytes: u64,
    /// Newest values that are not as they were written, oldest first. Their keys were left out.
    pub damaged: Vec<DamagedOldEntry>,
    /// Ranges of the old file that could not be parsed, newest first, in bytes. Entries older than
    /// one of them may be outdated.
    pub unreadable: Vec<Range<u64>>,
    /// How long the migration took.
    pub duration: Duration,
}

/// A value of an older store that is not as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedOldEntry {
    /// Where its payload starts in the old file, in bytes.
    pub offset: u64,
    /// Length of its payload in bytes.
    pub len: u64,
    /// Hash of its key.
    pub key_hash: u64,
}

/// Converts a store of the published 0.15 to 0.17 crates at `old` into a new one at `new`:
/// [`Migration::run`] with the default options.
///
/// # Errors
/// See [`Migration::run`].
pub fn migrate(old: &Path, new: &Path) -> io::Result<MigrationReport> {
    Migration::new().run(old, new)
}

/// Options for migrating a store of the published 0.15 to 0.17 crates.
///
/// ```no_run
/// use std::path::Path;
/// use simd_r_drive::{DataStore, Migration};
/// use simd_r_drive::traits::DataStoreReader;
///
/// let report = Migration::new().run(Path::new("old.bin"), Path::new("new.srd"))?;
/// println!("{} entries", report.entries);
/// let store = DataStore::open_existing(Path::new("new.srd"))?;
/// let value = store.read(b"a key of the old store")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Migration {
    skip_damaged: bool,
    options: OpenOptions,
}

impl Migration {
    /// Defaults: fail on damage, and align the new store to 64 bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves out damaged entries and reports them, instead of failing. Default: no.
    ///
    /// If the newest value of a key is damaged, no older one takes its place. Where the chain of
    /// entries breaks, or if the file has lost its end, the next intact entry below is searched
    /// for. Whether something newer was lost there cannot be told.
    #[must_use]
    pub fn skip_damaged(mut self, skip_damaged: bool) -> Self {
        self.skip_damaged = skip_damaged;
        self
    }

    /// Alignment, file system and network permission for the new store. Other options have no
    /// effect.
    #[must_use]
    pub fn options(mut self, options: OpenOptions) -> Self {
        self.options = options;
        self
    }

    /// Converts the store at `old` into a new one at `new`.
    ///
    /// The old file is only read, and must not be written to meanwhile. The new file appears
    /// complete or not at all, and replaces nothing. The old format knows keys only by their hash,
    /// so the new entries are bare: `read(key)` finds them by the hash of the key, and the first
    /// write by key gives an entry its key. The newest value of each hash is copied unless it is
    /// deleted. Order is kept and CRC-32s are checked. The old format has no write times, so
    /// entries get the time of the migration.
    ///
    /// Takes about 50 bytes of memory per key; values are streamed. Costs two passes over the live
    /// values.
    ///
    /// # Errors
    /// - [`StoreError::OldEntryDamaged`] or [`StoreError::OldLogBroken`] with the offset, unless
    ///   damage is skipped;
    /// - [`StoreError::AlreadyMigrated`] if `old` is in the present format;
    /// - [`FormatError::NotAStore`] if `old` is anything else;
    /// - `AlreadyExists` if `new` exists;
    /// - any I/O error of the files.
    pub fn run(&self, old: &Path, new: &Path) -> io::Result<MigrationReport> {
        let started = Instant::now();
        let file_system = &*self.options.file_system;
        let about_old = |error| about(old, error);
        let source = file_system.locate(old).and_then(|at| at.open(Access::Read));
        let source = source.map_err(about_old)?;
        let (log, old_bytes) = self.read_old(&*source, old).map_err(about_old)?;
        let identity = new_identity(Alignment::new(self.options.alignment)?)?;
        let mut report = MigrationReport {
            entries: 0,
            deleted_keys: log.deleted_keys,
            superseded: log.superseded,
            old_bytes,
            new_bytes: 0,
            damaged: Vec::new(),
            unreadable: log.unreadable,
            duration: Duration::ZERO,
        };
        let location = file_system.locate(new).map_err(|error| about(new, error))?;
        let (file, _) = place_new(&*location, Visibility::Private, &mut |file| {
            lock_new(file, new, &self.options)?;
            self.write_new(file, &identity, &*source, &log.live, &mut report)?;
            copy_permissions(&*source, file)
        })?;
        file.unlock()?;
        report.duration = started.elapsed();
        Ok(report)
    }

    fn read_old(&self, source: &dyn StoreFile, path: &Path) -> io::Result<(OldLog, u64)> {
        let len = source.len()?;
        let mut head = vec![0; HEAD_LEN];
        let read = read_full_at(source, &mut head, 0)?;
        head.truncate(read);
        if Identity::claimed_version(&head).is_some() {
            return Err(StoreError::AlreadyMigrated { path: path.to_owned() }.into());
        }
        let foreign = Foreign::guess(&head);
        let not_a_store = || Err(FormatError::not_a_store(foreign).into());
        if foreign == Foreign::Zeros {
            return not_a_store();
        }
        match OldLog::read(source, len, self.skip_damaged) {
            // Nothing in the file looks like an entry.
            Ok(log) if len > 0 && log.unreadable.first() == Some(&(0..len)) => not_a_store(),
            Ok(log) => Ok((log, len)),
            Err(Broken::At(offset)) if offset == len && foreign != Foreign::Unknown => {
                not_a_store()
            }
            Err(Broken::At(offset)) => Err(StoreError::OldLogBroken { offset }.into()),
            Err(Broken::Io(error)) => Err(error),
        }
    }

    /// Writes header and log of the new store.
    fn write_new(
        &self,
        file: &dyn StoreFile,
        identity: &Identity,
        source: &dyn StoreFile,
        live: &[OldEntry],
        report: &mut MigrationReport,
    ) -> io::Result<()> {
        write_header(file, identity)?;
        let layout = identity.layout();
        let mut end = layout.header_len();
        let mut encoder =
            Encoder::new(file, &layout, end, Seal(identity.checksum()), report.old_bytes);
        let written_at = now_10ms();
        for entry in live.iter().rev() {
            if !entry.is_sound(source)? {
                self.note_damage(entry, report)?;
                continue;
            }
            let key = entry.key_hash.to_le_bytes();
            let too_large = FormatError::StoreFull { max: MAX_FILE_LEN };
            let slot_len = layout.alignment().slot_len(entry.len, 8).ok_or(too_large)?;
            end += slot_len;
            let trailer = |payload_crc| Trailer {
                payload_len: entry.len,
                key_len: 8,
                previous_end: 0,
                kind: Kind::Value,
                flags: Flags::BARE_HASH.with(Flags::COMMIT),
                written_at,
                payload_crc,
            };
            let reader = &mut entry.reader(source);
            encoder.push_from(&key, reader, entry.len, slot_len, |crc| {
                // It was intact a moment ago.
                let OldEntry { start: offset, key_hash, .. } = *entry;
                let changed = StoreError::OldEntryDamaged { offset, key_hash };
                if crc == entry.crc { Ok(trailer(crc)) } else { Err(changed.into()) }
            })?;
            report.entries += 1;
        }
        let seal = encoder.finish()?;
        file.sync()?;
        let tail = write_barrier(file, identity, LogPosition { end, seal }, report.entries)?;
        report.new_bytes = tail.end;
        file.sync()?;
        // The header has the checkpoints 0 and 1.
        let checkpoint = Checkpoint { is_clean: true, ..checkpoint_at(2, tail, 0) };
        write_hints(file, identity, &checkpoint, tail.end)
    }

    fn note_damage(&self, entry: &OldEntry, report: &mut MigrationReport) -> io::Result<()> {
        let OldEntry { start: offset, len, key_hash, .. } = *entry;
        if !self.skip_damaged {
            return Err(StoreError::OldEntryDamaged { offset, key_hash }.into());
        }
        report.damaged.push(DamagedOldEntry { offset, len, key_hash });
        Ok(())
    }
}

/// Writes a barrier that declares everything up to `durable` to be on the medium. Returns its end.
fn write_barrier(
    file: &dyn StoreFile,
    identity: &Identity,
    durable: LogPosition,
    live_keys: u64,
) -> io::Result<LogPosition> {
    let layout = identity.layout();
    let barrier = Barrier {
        durable_tail: durable.end,
        durable_seal: durable.seal.0,
        live_keys,
        ..Barrier::default()
    };
    let len = layout.slot_len(barrier.payload_len(), 0)?;
    let mut encoder = Encoder::new(file, &layout, durable.end, durable.seal, len);
    encoder.push(&[], &barrier.encode(), len, |payload_crc| Trailer {
        payload_len: barrier.payload_len() as u64,
        key_len: 0,
        previous_end: 0,
        kind: Kind::Barrier,
        flags: Flags::COMMIT,
        written_at: now_10ms(),
        payload_crc,
    })?;
    Ok(LogPosition { end: durable.end + len, seal: encoder.finish()? })
}
