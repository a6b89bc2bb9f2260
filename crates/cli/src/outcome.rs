//! How a run ends.

use std::process::ExitCode;

/// Exit status of a command that could not be carried out. Also clap's for a command line it cannot read.
pub(crate) const FAILED: u8 = 2;

/// How a command that was carried out ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All that was asked is done. Exit status 0.
    Complete,
    /// Done but for what was told: a key does not exist, something was skipped, damage was found. Exit
    /// status 1.
    Partial,
}

impl Outcome {
    pub(crate) fn complete_if(is_complete: bool) -> Self {
        if is_complete { Self::Complete } else { Self::Partial }
    }

    /// The worse of two.
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
