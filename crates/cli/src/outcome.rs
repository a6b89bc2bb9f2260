//! How a command ends.

use std::process::ExitCode;

/// Exit status of a command that failed. clap uses the same one for a command line that it cannot
/// parse.
pub(crate) const FAILED: u8 = 2;

/// How a command that did not fail has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything that was asked for is done. Exit status 0.
    Complete,
    /// Done, except for what was reported: a key does not exist, something was skipped, damage was
    /// found. Exit status 1.
    Partial,
}

impl Outcome {
    pub(crate) fn complete_if(is_complete: bool) -> Self {
        if is_complete { Self::Complete } else { Self::Partial }
    }

    /// The worse of the two.
    pub(crate) fn and(self, other: Self) -> Self {
        Self::complete_if(self == Self::Complete && other == Self::Complete)
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Complete => Self::SUCCESS,
            Outcome::Partial => Self::from(1),
        }
    }
}
