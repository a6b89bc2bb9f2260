//! Why a store does not take writes.

use std::io;
use std::path::PathBuf;

/// An error of the append path.
///
/// It converts into [`std::io::Error`] with a matching kind. Use [`std::io::Error::get_ref`] and
/// `downcast_ref::<WriteError>()` to get it back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// After an earlier failure it is unknown what is on the medium.
    #[error("writing is refused since {cause}; reads go on; reopen the store to write again")]
    Poisoned {
        /// What happened.
        cause: PoisonCause,
    },
    /// The handle was inherited by a forked child, which must not write.
    #[error(
        "this handle was opened by process {owner}, not by this one; a forked child must open the store \
         for itself once its parent has closed it"
    )]
    ForeignProcess {
        /// The process that opened the store.
        owner: u32,
    },
    /// Another process or handle is writing to the store.
    #[error(
        "the store {path} is open for writing elsewhere, and only one can write at a time; close it there, or try \
         again later (opening it read-only needs no lock)"
    )]
    Locked {
        /// The store's path.
        path: PathBuf,
    },
    /// The file has several names, and after compaction the others would still name the old file.
    #[error(
        "the file {path} has {links} hard links, and compaction would give only one of them the new file; \
         remove the others first"
    )]
    HardLinked {
        /// The store's path.
        path: PathBuf,
        /// How many names the file has.
        links: u64,
    },
    /// The path no longer leads to the store's file.
    #[error(
        "{path} {}: the store's file was moved, removed or replaced; the store goes on in its own file, which \
         can be compacted once it is opened by its present path", if *is_taken { "is another file now" } else { "is gone" }
    )]
    NameLost {
        /// The path by which the store was opened, links resolved.
        path: PathBuf,
        /// Whether the name now belongs to another file.
        is_taken: bool,
    },
    /// The file itself is a mount point, so it cannot be replaced.
    #[error(
        "{path} is a mount point of its own, as when a single file is mounted into a container; a new file cannot \
         take its place: mount its directory instead"
    )]
    MountPoint {
        /// The file's path.
        path: PathBuf,
    },
    /// It is unknown whether a file has been given its name.
    #[error(
        "it is unknown which file {path} is now ({source}); look at it before anything is written"
    )]
    PlacementUnknown {
        /// The path.
        path: PathBuf,
        /// The error that left this unknown.
        source: io::Error,
    },
    /// The process may not make a file that long.
    #[error(
        "the process may not make files longer than {limit} bytes; raise its limit (ulimit -f), or compact the \
         store"
    )]
    FileSizeLimit {
        /// The limit in bytes.
        limit: u64,
    },
    /// The directory of a path does not exist.
    #[error("the directory {path} does not exist")]
    NoDirectory {
        /// The directory's path.
        path: PathBuf,
    },
    /// The store lies on a network file system.
    #[error(
        "the store {path} lies on a network file system, where locks and memory maps are not reliable; move it \
         to a local disk (a program can allow it with OpenOptions::allow_network_file_system)"
    )]
    NetworkFileSystem {
        /// The store's path.
        path: PathBuf,
    },
}

/// What makes further writes unsafe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoisonCause {
    /// A flush failed: the system may have dropped the data it could not write.
    #[error("a flush to the medium failed, so that unflushed commits may be lost")]
    SyncFailed,
    /// A failed append could not be undone.
    #[error("a failed write could not be undone")]
    RollbackFailed,
    /// A commit is in the file, but the index does not show it.
    #[error("a commit could not be made visible")]
    PublishFailed,
    /// It is unknown whether the new file of a compaction has replaced the old one.
    #[error("it is unknown which file has the store's name")]
    NameUnknown,
    /// The store has been closed.
    #[error("the store was closed")]
    Closed,
}

impl WriteError {
    /// The kind under which [`std::io::Error`] carries this error.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Poisoned { .. } => io::ErrorKind::Other,
            Self::ForeignProcess { .. } => io::ErrorKind::PermissionDenied,
            Self::HardLinked { .. } => io::ErrorKind::InvalidInput,
            Self::NameLost { .. } | Self::NoDirectory { .. } => io::ErrorKind::NotFound,
            Self::MountPoint { .. } => io::ErrorKind::Unsupported,
            Self::PlacementUnknown { .. } => io::ErrorKind::Other,
            Self::FileSizeLimit { .. } => io::ErrorKind::FileTooLarge,
            Self::Locked { .. } => io::ErrorKind::ResourceBusy,
            Self::NetworkFileSystem { .. } => io::ErrorKind::Unsupported,
        }
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        Self::new(error.kind(), error)
    }
}
