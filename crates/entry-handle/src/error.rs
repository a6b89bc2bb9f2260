//! What can be wrong with bytes that claim to be a store.

use std::io;

use crate::foreign::Foreign;

/// Why bytes are not what the format asks for.
///
/// It converts into [`std::io::Error`] with a fitting kind; from there it is reached again through
/// [`std::io::Error::get_ref`] and `downcast_ref::<FormatError>()`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is something else. It was not changed.
    #[error("not a simd-r-drive store: {0}; the file was left as it is")]
    NotAStore(Foreign),
    /// A store of the published 0.15 to 0.17 crates.
    #[error(
        "a store in the headerless format of simd-r-drive 0.15 to 0.17, which this version does not \
         read in place; convert it with `simd-r-drive NEW migrate OLD`, which leaves the old file as it is"
    )]
    OlderFormat,
    /// The file was written by a newer version of the format.
    #[error(
        "store has format version {major}.{minor}, this library reads up to {supported}.x; \
         open it with a newer simd-r-drive"
    )]
    NewerVersion {
        /// Major version found in the file.
        major: u16,
        /// Minor version found in the file.
        minor: u16,
        /// Newest major version that this library reads.
        supported: u16,
    },
    /// The file uses format features that this library does not know.
    #[error("store uses unknown format features {bits:#018x}; open it with a newer simd-r-drive")]
    UnknownFeatures {
        /// The unknown incompatible (or, for a writable open, read-only-compatible) feature bits.
        bits: u64,
    },
    /// The file ends before bytes that are known to have been written.
    #[error(
        "store is truncated: {len} bytes long, but data up to byte {expected} was written durably; \
         restore it from a backup, or save what is left with repair"
    )]
    Truncated {
        /// Length of the file in bytes.
        len: u64,
        /// Offset up to which data was durable, in bytes.
        expected: u64,
    },
    /// Bytes that were written correctly have changed.
    #[error("store is damaged at byte {offset}: {what}{}", figures(*.expected, *.got))]
    Damaged {
        /// Offset of the damaged structure in bytes.
        offset: u64,
        /// What does not fit.
        what: Damage,
        /// The value that the rest of the store calls for.
        expected: u64,
        /// The value found.
        got: u64,
    },
    /// An alignment that the format does not allow.
    #[error("alignment of {0} bytes is not a power of two from 64 to 65536")]
    BadAlignment(u64),
    /// A store that is kept as a value asks for more alignment than the store that holds it gives.
    #[error(
        "the nested store aligns its payloads to {inner} bytes, the store that holds it only to {outer}; \
         write it to a file of its own, or keep it in a store of the larger alignment"
    )]
    NestedAlignment {
        /// Alignment of the inner store in bytes.
        inner: u64,
        /// Alignment of the outer store in bytes.
        outer: u64,
    },
    /// A key longer than the format can hold.
    #[error(
        "key of {len} bytes is longer than the limit of {max} bytes; store a hash or a shorter name"
    )]
    KeyTooLong {
        /// Length of the key in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The entry does not fit into the largest possible file.
    #[error("entry does not fit: the store would grow beyond {max} bytes")]
    StoreFull {
        /// Largest possible file in bytes.
        max: u64,
    },
    /// An offset that does not name a slot of this store.
    #[error("byte {offset} is not the end of a slot of this store")]
    NoSuchSlot {
        /// The offset that was asked for.
        offset: u64,
    },
}

/// Which check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The store's identity and both of its copies are unreadable.
    #[error("identity page and both copies fail their checksum")]
    Identity,
    /// A field of a trailer holds a value that no writer stores.
    #[error("trailer is malformed")]
    Trailer,
    /// Key and trailer do not match their seal.
    #[error("seal of key and trailer does not match")]
    Seal,
    /// A slot does not follow the one before it.
    #[error("slot does not link to its predecessor")]
    Link,
    /// The payload does not match its CRC-32.
    #[error("payload does not match its CRC-32")]
    Payload,
    /// Bytes between payload and key, or unused ones of the header, are not zero.
    #[error("padding is not zero")]
    Padding,
    /// A page of the header that holds a checkpoint fails its checksum.
    #[error("checkpoint does not match its checksum")]
    Checkpoint,
    /// The page of the header that holds the published tail is not as it was written.
    #[error("published tail is malformed")]
    PublishedTail,
    /// Lines of the index in the file fail their checks, or the index cannot be used.
    #[error("index does not match its checks")]
    Index,
    /// The index knows other entries than the log holds.
    #[error("index does not agree with the log")]
    Counts,
    /// A special slot holds a value that no writer stores.
    #[error("special slot is malformed")]
    Special,
    /// No durable point can be found: all checkpoints and barriers are unreadable.
    #[error("no valid durable point")]
    DurablePoint,
    /// What is known of a key may be outdated: a slot that may hold something newer cannot be read.
    #[error(
        "a slot that may hold a newer version cannot be read; salvage gives what is left, outdated or not"
    )]
    Unconfirmed,
    /// A previous-version link names a slot that is not an older version of the same key.
    #[error("previous-version link is wrong")]
    Version,
}

impl FormatError {
    /// The kind under which [`std::io::Error`] carries this error.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::NotAStore(_) | Self::Damaged { .. } => io::ErrorKind::InvalidData,
            Self::OlderFormat
            | Self::NewerVersion { .. }
            | Self::UnknownFeatures { .. }
            | Self::NestedAlignment { .. } => io::ErrorKind::Unsupported,
            Self::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            Self::BadAlignment(_) | Self::KeyTooLong { .. } | Self::NoSuchSlot { .. } => {
                io::ErrorKind::InvalidInput
            }
            Self::StoreFull { .. } => io::ErrorKind::FileTooLarge,
        }
    }

    /// Damage found at `offset`, with no figures to compare.
    pub fn damaged(offset: u64, what: Damage) -> Self {
        Self::Damaged { offset, what, expected: 0, got: 0 }
    }
}

/// Nothing if there are no figures to compare.
fn figures(expected: u64, got: u64) -> String {
    if expected == got {
        return String::new();
    }
    format!(" (expected {expected:#x}, got {got:#x})")
}

impl From<FormatError> for io::Error {
    fn from(error: FormatError) -> Self {
        Self::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_the_message_only_if_they_tell_something() {
        let error = FormatError::damaged(64, Damage::Link);
        let text = "store is damaged at byte 64: slot does not link to its predecessor";
        assert_eq!(error.to_string(), text);
        let error = FormatError::Damaged { offset: 64, what: Damage::Payload, expected: 1, got: 2 };
        assert!(error.to_string().ends_with("(expected 0x1, got 0x2)"));
    }

    /// A reader meets these as a writer does, and has opened the store read-only already.
    #[test]
    fn nobody_is_told_to_open_a_store_in_the_way_that_has_just_failed() {
        let truncated = FormatError::Truncated { len: 100, expected: 200 };
        let unconfirmed = FormatError::damaged(64, Damage::Unconfirmed);
        for error in [truncated, unconfirmed] {
            let text = error.to_string();
            assert!(!text.contains("open"), "{text}");
        }
    }
}
