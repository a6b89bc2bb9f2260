//! Why a table could not be built.

use std::fmt;
use std::io;

use super::LineDamaged;

/// Why a table could not be built. What was written of it is not a table, and does no harm.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError<E> {
    /// An older table is damaged: it must be rebuilt from the log first.
    Damaged,
    /// There were more entries than the table was sized for.
    Overfull,
    /// The log could not be read.
    Source(E),
    /// The table could not be written.
    Write(io::Error),
}

impl<E: fmt::Display> fmt::Display for BuildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("the index in the file is damaged"),
            Self::Overfull => f.write_str("the index does not fit the space that was set aside"),
            Self::Source(error) => write!(f, "reading the log for the index: {error}"),
            Self::Write(error) => write!(f, "writing the index: {error}"),
        }
    }
}

impl<E> From<LineDamaged> for BuildError<E> {
    fn from(_: LineDamaged) -> Self {
        Self::Damaged
    }
}
