//! What can be wrong with the bytes of a store.

use std::io;

use crate::foreign::Foreign;
use crate::subject::Subject;

/// Why bytes do not conform to the format.
///
/// It converts into [`std::io::Error`] with a matching kind. Use [`std::io::Error::get_ref`] and
/// `downcast_ref::<FormatError>()` to get it back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is not a store. It was not changed.
    #[error("{subject}not a simd-r-drive store: {found}; the file was left as it is")]
    NotAStore {
        /// What the file looks like.
        found: Foreign,
        /// The file.
        subject: Subject,
    },
    /// A store of the published 0.15 to 0.17 crates.
    #[error(
        "{subject}a store in the headerless format of simd-r-drive 0.15 to 0.17, which this version does not \
         read in place; convert it with `simd-r-drive NEW migrate OLD`, which leaves the old file as it is"
    )]
    OlderFormat {
        /// The file.
        subject: Subject,
    },
    /// The file was written by a newer version of the format.
    #[error(
        "{subject}store has format version {major}.{minor}, this library reads up to {supported}.x; \
         open it with a newer simd-r-drive"
    )]
    NewerVersion {
        /// The store.
        subject: Subject,
        /// Major version found in the file.
        major: u16,
        /// Minor version found in the file.
        minor: u16,
        /// Newest major version that this library reads.
        supported: u16,
    },
    /// The file uses format features that this library does not know.
    #[error(
        "{subject}store uses unknown format features {bits:#018x}; open it with a newer simd-r-drive"
    )]
    UnknownFeatures {
        /// The store.
        subject: Subject,
        /// The unknown incompatible (or, for a writable open, read-only-compatible) feature bits.
        bits: u64,
    },
    /// The file ends before bytes that are known to have been written.
    #[error(
        "{subject}store is truncated: {len} bytes long, but data up to byte {expected} was written durably; \
         restore it from a backup, or save what is left with repair"
    )]
    Truncated {
        /// The store.
        subject: Subject,
        /// Length of the file in bytes.
        len: u64,
        /// Offset up to which data was durable, in bytes.
        expected: u64,
    },
    /// Bytes that were written correctly have changed.
    #[error("{subject}store is damaged at byte {offset}: {what}{}", figures(*.expected, *.got))]
    Damaged {
        /// The store, or the key whose entry is damaged.
        subject: Subject,
        /// Offset of the damaged structure in bytes.
        offset: u64,
        /// Which check failed.
        what: Damage,
        /// The value that the rest of the store requires.
        expected: u64,
        /// The value found.
        got: u64,
    },
    /// An alignment that the format does not allow.
    #[error("alignment of {0} bytes is not a power of two from 64 to 65536")]
    BadAlignment(u64),
    /// A nested store needs a larger alignment than the store that holds it provides.
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
    #[error("{subject}byte {offset} is not the end of a slot of this store")]
    NoSuchSlot {
        /// The store, or the key whose entry should be there.
        subject: Subject,
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
    /// A slot is not linked to the one before it.
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
    /// The header page with the published tail is malformed.
    #[error("published tail is malformed")]
    PublishedTail,
    /// Lines of the index in the file fail their checks, or the index cannot be used.
    #[error("index does not match its checks")]
    Index,
    /// The index and the log hold different entries.
    #[error("index does not agree with the log")]
    Counts,
    /// A special slot holds a value that no writer stores.
    #[error("special slot is malformed")]
    Special,
    /// No durable point can be found: all checkpoints and barriers are unreadable.
    #[error("no valid durable point")]
    DurablePoint,
    /// A key may have a newer version than the one found: a slot that may hold it cannot be read.
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
            Self::NotAStore { .. } | Self::Damaged { .. } => io::ErrorKind::InvalidData,
            Self::OlderFormat { .. }
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

    /// Damage at `offset`, without values to compare.
    pub fn damaged(offset: u64, what: Damage) -> Self {
        Self::mismatch(offset, what, 0, 0)
    }

    /// Damage at `offset`: `got` was found instead of `expected`.
    pub fn mismatch(offset: u64, what: Damage, expected: u64, got: u64) -> Self {
        Self::Damaged { subject: Subject::UNKNOWN, offset, what, expected, got }
    }

    /// The error for a file that is `found` instead of a store.
    pub fn not_a_store(found: Foreign) -> Self {
        Self::NotAStore { found, subject: Subject::UNKNOWN }
    }

    /// The error for an `offset` where no slot ends.
    pub fn no_such_slot(offset: u64) -> Self {
        Self::NoSuchSlot { offset, subject: Subject::UNKNOWN }
    }

    /// Format features that this library does not know.
    pub(crate) fn unknown_features(bits: u64) -> Self {
        Self::UnknownFeatures { bits, subject: Subject::UNKNOWN }
    }

    /// A version of the format that this library does not know.
    pub fn newer_version(major: u16, minor: u16) -> Self {
        Self::NewerVersion {
            major,
            minor,
            supported: crate::constants::FORMAT_MAJOR,
            subject: Subject::UNKNOWN,
        }
    }

    /// A store of the published crates.
    pub fn older_format() -> Self {
        Self::OlderFormat { subject: Subject::UNKNOWN }
    }

    /// The error for a file of `len` bytes that should have at least `expected`.
    pub fn truncated(len: u64, expected: u64) -> Self {
        Self::Truncated { len, expected, subject: Subject::UNKNOWN }
    }

    /// What the error is about; unknown if it has no subject.
    pub fn subject(&self) -> &Subject {
        match self {
            Self::NotAStore { subject, .. }
            | Self::OlderFormat { subject }
            | Self::NewerVersion { subject, .. }
            | Self::UnknownFeatures { subject, .. }
            | Self::Truncated { subject, .. }
            | Self::Damaged { subject, .. }
            | Self::NoSuchSlot { subject, .. } => subject,
            Self::BadAlignment(_)
            | Self::NestedAlignment { .. }
            | Self::KeyTooLong { .. }
            | Self::StoreFull { .. } => &Subject::UNKNOWN,
        }
    }

    /// The same error with the subject `about`. Errors about the caller's arguments are unchanged.
    #[must_use]
    pub fn about(mut self, about: impl Into<Subject>) -> Self {
        match &mut self {
            Self::NotAStore { subject, .. }
            | Self::OlderFormat { subject }
            | Self::NewerVersion { subject, .. }
            | Self::UnknownFeatures { subject, .. }
            | Self::Truncated { subject, .. }
            | Self::Damaged { subject, .. }
            | Self::NoSuchSlot { subject, .. } => {
                *subject = about.into();
            }
            Self::BadAlignment(_)
            | Self::NestedAlignment { .. }
            | Self::KeyTooLong { .. }
            | Self::StoreFull { .. } => {}
        }
        self
    }
}

/// Empty if there are no values to compare.
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
        let error = FormatError::mismatch(64, Damage::Payload, 1, 2);
        assert!(error.to_string().ends_with("(expected 0x1, got 0x2)"));
    }

    /// These errors also reach readers, which have already opened the store read-only.
    #[test]
    fn nobody_is_told_to_open_a_store_in_the_way_that_has_just_failed() {
        let truncated = FormatError::truncated(100, 200);
        let unconfirmed = FormatError::damaged(64, Damage::Unconfirmed);
        for error in [truncated, unconfirmed] {
            let text = error.to_string();
            assert!(!text.contains("open"), "{text}");
        }
    }
}
