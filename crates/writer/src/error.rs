//! Why a store does not take writes.

use std::io;

/// An error of the append path.
///
/// It converts into [`std::io::Error`] with a fitting kind; from there it is reached again through
/// [`std::io::Error::get_ref`] and `downcast_ref::<WriteError>()`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// An earlier failure left it unknown what is on the medium.
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
    /// Somebody else writes to the store.
    #[error(
        "the store is open for writing elsewhere, and only one can write at a time; close it there, or try \
         again later (opening it read-only needs no lock)"
    )]
    Locked,
    /// The file has several names, and compaction would leave the others with the old one.
    #[error(
        "the store's file has {links} hard links, and compaction would give only one of them the new file; \
         remove the others first"
    )]
    HardLinked {
        /// How many names the file has.
        links: u64,
    },
    /// The store lies on a network file system.
    #[error(
        "the store lies on a network file system, where locks and memory maps are not reliable; move it \
         to a local disk (a program can allow it with OpenOptions::allow_network_file_system)"
    )]
    NetworkFileSystem,
}

/// What makes further writes unsafe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PoisonCause {
    /// A flush failed: the system may have dropped the data that it could not write.
    #[error("a flush to the medium failed, so that unflushed commits may be lost")]
    SyncFailed,
    /// A failed append could not be undone.
    #[error("a failed write could not be undone")]
    RollbackFailed,
    /// A commit is in the file, but the index does not show it.
    #[error("a commit could not be made visible")]
    PublishFailed,
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
            Self::Locked => io::ErrorKind::ResourceBusy,
            Self::NetworkFileSystem => io::ErrorKind::Unsupported,
        }
    }
}

impl From<WriteError> for io::Error {
    fn from(error: WriteError) -> Self {
        Self::new(error.kind(), error)
    }
}
