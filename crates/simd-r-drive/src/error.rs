//! Errors of the engine itself.

use std::io;
use std::path::PathBuf;

use simd_r_drive_entry_handle::{FormatError, Subject};
use simd_r_drive_writer::WriteError;

/// An error raised by the engine itself. Errors of the format and of the append path are
/// [`FormatError`](crate::FormatError) and [`WriteError`](crate::WriteError).
///
/// It converts into [`std::io::Error`] with a fitting kind. To get it back, use
/// [`std::io::Error::get_ref`] and `downcast_ref::<StoreError>()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store was opened for reading only, or its file or medium is read-only.
    #[error(
        "the store {path} cannot be changed: it was opened read-only, or its file or medium is read-only"
    )]
    ReadOnly {
        /// The store's path.
        path: PathBuf,
    },
    /// The key to rename, copy or transfer does not exist.
    #[error("no such key")]
    NoSuchKey,
    /// A key was to be renamed to itself.
    #[error("old and new key are the same")]
    SameKey,
    /// A value was to be copied or transferred to the store it is already in.
    #[error(
        "Cannot copy entry to the same storage; rename the key, or write the value under another one"
    )]
    SameStore,
    /// Two parallel lists differ in length.
    #[error("{hashes} hashes were given for {keys} keys; each key needs its hash")]
    LengthMismatch {
        /// How many hashes were given.
        hashes: usize,
        /// How many keys were given.
        keys: usize,
    },
    /// A write by hash alone would replace the values of several keys.
    #[error(
        "{keys} live keys share the hash {hash:#018x}, and a write by hash alone would replace them all; \
         write by key, or delete the hash first"
    )]
    AmbiguousHash {
        /// The hash.
        hash: u64,
        /// How many live keys have it.
        keys: usize,
    },
    /// The store aligns payloads to less than the options ask for.
    #[error(
        "the store {path} aligns values to {alignment} bytes, but {wanted} were asked for; the alignment is fixed \
         when a store is created: ask for less, or copy the values into a new store"
    )]
    AlignmentTooSmall {
        /// The store's path.
        path: PathBuf,
        /// The store's alignment in bytes.
        alignment: u64,
        /// The alignment that the options ask for, in bytes.
        wanted: u64,
    },
    /// The path kept changing while the store was being opened.
    #[error("the file {path} was replaced again and again while it was being opened; try again")]
    PathUnstable {
        /// The path.
        path: PathBuf,
    },
    /// A cursor refers to a file that the store no longer uses.
    #[error(
        "the store has been compacted since the cursor was taken; start again from the beginning"
    )]
    CursorExpired,
    /// The path is a symbolic link to a file that does not exist.
    #[error(
        "{path} is a symbolic link to a file that does not exist; remove the link, or create an empty file where \
         it leads"
    )]
    DanglingLink {
        /// The link's path.
        path: PathBuf,
    },
    /// The target of a backup is the store's own file.
    #[error("{path} is the file of the store itself; back up to another path")]
    BackupOntoItself {
        /// The path.
        path: PathBuf,
    },
    /// The file at the backup's path belongs to another store.
    #[error(
        "{path} is another store, not a backup of this one; it was left as it is: back up to another path"
    )]
    BackupOfOtherStore {
        /// The backup's path.
        path: PathBuf,
    },
    /// The backup was made from an earlier file of the store.
    #[error(
        "{path} is a backup of another file of this store, which has been compacted or repaired since; it was \
         left as it is: back up to a new path, then remove the old backup"
    )]
    BackupOutdated {
        /// The backup's path.
        path: PathBuf,
    },
    /// A backup holds entries that the store does not have.
    #[error(
        "the backup {path}, which ends at byte {tail}, holds entries that the store does not have; it was left \
         as it is: back up to a new path"
    )]
    BackupDiverged {
        /// The backup's path.
        path: PathBuf,
        /// Tail of the backup in bytes.
        tail: u64,
    },
    /// A backup that was to be extended is damaged.
    #[error(
        "the backup {path} is damaged, and was left as it is: back up to a new path, and check the medium of the \
         old one ({damage})"
    )]
    BackupDamaged {
        /// The backup's path.
        path: PathBuf,
        /// What is damaged.
        damage: FormatError,
    },
    /// The store to migrate is already in the present format.
    #[error("{path} is in the present format already; open it as it is")]
    AlreadyMigrated {
        /// The path.
        path: PathBuf,
    },
    /// An entry of an older store does not match its CRC-32.
    #[error(
        "the entry at byte {offset} of the older store does not match its CRC-32; restore the file, or leave \
         out what is damaged (Migration::skip_damaged, migrate --skip-damaged)"
    )]
    OldEntryDamaged {
        /// Where its payload starts, in bytes.
        offset: u64,
        /// Hash of its key.
        key_hash: u64,
    },
    /// An entry of an older store is missing where one should end.
    #[error(
        "no entry of a store of simd-r-drive 0.15 to 0.17 ends at byte {offset}; if the file is such a store \
         and lost its end, or is damaged, save the rest by leaving out what is damaged \
         (Migration::skip_damaged, migrate --skip-damaged)"
    )]
    OldLogBroken {
        /// Where an entry should end, in bytes.
        offset: u64,
    },
    /// The reader passed to `write_stream_sized` tried to use the store being written to.
    #[error(
        "the reader of write_stream_sized uses the store that it is written to; use write_stream"
    )]
    ReaderUsesStore,
    /// The file has been deleted while the store was open.
    #[error(
        "the file of the store {path} has been deleted: what is written to it is gone when the store is closed; \
         back up to another path what is needed"
    )]
    Deleted {
        /// The path by which the store was opened.
        path: PathBuf,
    },
    /// The follower's path now leads to another store.
    #[error(
        "{path} is another store now than the one that was opened; this one shows what it has; open the path \
         again to read the other"
    )]
    ReplacedByOther {
        /// The path by which the store was opened.
        path: PathBuf,
    },
    /// The follower's path now leads to an older state of the store.
    #[error(
        "{path} is an older state of this store now, or a copy that has gone another way; this one shows what \
         it has; open the path again to read the other"
    )]
    ReplacedByOlder {
        /// The path by which the store was opened.
        path: PathBuf,
    },
    /// Another program has overwritten or cut the open file.
    #[error(
        "the file {path} has been overwritten or cut by another program while it was open; what was read from \
         it may be wrong: open it again, and replace it by renaming another file over it from now on"
    )]
    Overwritten {
        /// The path by which the store was opened.
        path: PathBuf,
    },
    /// Bytes left by a crash beyond the last commit must be saved before anything is written, but
    /// cannot be.
    #[error(
        "{bytes} bytes beyond the last commit of {path} cannot be saved to a file beside it ({source}), which must be \
         done before anything is written; make room, or let the directory be written to, and try again"
    )]
    RemainsNotSaved {
        /// The store's path.
        path: PathBuf,
        /// Number of bytes to save.
        bytes: u64,
        /// Why they cannot be saved.
        source: io::Error,
    },
    /// A compaction or a checkpoint was requested from within one: by its callback, or by a
    /// subscriber to its events.
    #[error(
        "this thread is at a compaction or a checkpoint of the store; ask for another when that is over"
    )]
    WithinMaintenance,
    /// The thread that a store with [`Durability::Interval`](crate::Durability::Interval) needs for
    /// its flushes could not be started.
    #[error(
        "the thread that flushes the store in time cannot be started: {source}; raise the limits on threads and \
         address space, or choose another durability"
    )]
    NoFlushThread {
        /// Why it could not be started.
        source: io::Error,
    },
    /// An I/O error of a store's file, or of a read.
    #[error("{subject}{source}")]
    Io {
        /// The store, or the key that was looked up.
        subject: Subject,
        /// The operating system's error.
        source: io::Error,
    },
    /// Options that exclude each other, or an argument that cannot be.
    #[error("{0}")]
    BadOptions(&'static str),
}

impl StoreError {
    /// The [`std::io::ErrorKind`] under which [`std::io::Error`] carries this error.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::ReadOnly { .. } => io::ErrorKind::PermissionDenied,
            Self::NoSuchKey | Self::DanglingLink { .. } => io::ErrorKind::NotFound,
            Self::SameKey
            | Self::SameStore
            | Self::LengthMismatch { .. }
            | Self::AmbiguousHash { .. }
            | Self::BackupOntoItself { .. }
            | Self::AlreadyMigrated { .. }
            | Self::AlignmentTooSmall { .. }
            | Self::BadOptions(_) => io::ErrorKind::InvalidInput,
            Self::OldEntryDamaged { .. } | Self::OldLogBroken { .. } => io::ErrorKind::InvalidData,
            Self::BackupOfOtherStore { .. }
            | Self::BackupOutdated { .. }
            | Self::BackupDiverged { .. } => io::ErrorKind::AlreadyExists,
            Self::BackupDamaged { damage, .. } => damage.kind(),
            Self::CursorExpired | Self::Deleted { .. } => io::ErrorKind::NotFound,
            Self::ReplacedByOther { .. }
            | Self::ReplacedByOlder { .. }
            | Self::Overwritten { .. } => io::ErrorKind::InvalidData,
            Self::ReaderUsesStore => io::ErrorKind::Deadlock,
            Self::RemainsNotSaved { source, .. } | Self::Io { source, .. } => source.kind(),
            Self::PathUnstable { .. } => io::ErrorKind::ResourceBusy,
            Self::WithinMaintenance => io::ErrorKind::Deadlock,
            Self::NoFlushThread { source } => source.kind(),
        }
    }
}

/// Adds to the error what it is about.
///
/// Errors of the engine and of the append path already say so.
#[cold]
pub(crate) fn about(subject: impl Into<Subject>, error: io::Error) -> io::Error {
    let error = match error.downcast::<FormatError>() {
        Ok(error) => return error.about(subject).into(),
        Err(error) => error,
    };
    match error.get_ref() {
        Some(inner) if inner.is::<StoreError>() || inner.is::<WriteError>() => error,
        _ => StoreError::Io { subject: subject.into(), source: error }.into(),
    }
}

/// Whether `error` means that the bytes do not form a slot, rather than that reading them failed.
pub(crate) fn is_format_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<FormatError>)
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        Self::new(error.kind(), error)
    }
}
