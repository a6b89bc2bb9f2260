//! Which calls fail, and how.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The kinds of calls to the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named after the methods of the file traits")]
pub enum CallKind {
    Locate,
    Open,
    Place,
    SyncDirectory,
    KeyOf,
    CreateAside,
    CreateReplacement,
    CreatePending,
    CreateSpool,
    RemoveOrphans,
    Len,
    Read,
    Write,
    SetLen,
    Allocate,
    PunchHole,
    Sync,
    Map,
    NextData,
    NextHole,
    Status,
    SetPermissions,
    Lock,
    Unlock,
    Key,
    IsOnNetwork,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the numbers of errno(3)")]
pub enum Errno {
    Eio,
    Enospc,
    Edquot,
    Efbig,
    Eintr,
}

impl Errno {
    /// All but `EINTR`, which means that the call should be repeated.
    pub const FAILURES: [Self; 4] = [Self::Eio, Self::Enospc, Self::Edquot, Self::Efbig];

    /// The error that the standard library would return.
    pub fn error(self) -> io::Error {
        match self {
            // No `ErrorKind` corresponds to it. Its number is 5 on every Unix.
            Self::Eio => io::Error::from_raw_os_error(5),
            Self::Enospc => io::ErrorKind::StorageFull.into(),
            Self::Edquot => io::ErrorKind::QuotaExceeded.into(),
            Self::Efbig => io::ErrorKind::FileTooLarge.into(),
            Self::Eintr => io::ErrorKind::Interrupted.into(),
        }
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call fails and does nothing.
    Error(Errno),
    /// A read or write transfers at most this many bytes and succeeds. Other calls are not
    /// affected.
    Short(usize),
    /// A write transfers at most this many bytes, and the next write fails, as when a disk fills
    /// up. Other calls fail at once.
    ShortThenError(usize, Errno),
}

/// When a fault occurs.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Which calls count; `None` for all.
    pub kind: Option<CallKind>,
    /// How many of these calls succeed before the fault.
    pub after: u64,
    /// Whether all later ones fail as well, until [`Faults::heal`].
    pub is_lasting: bool,
    /// What happens then.
    pub fault: Fault,
}

/// Decides which calls of a [`FaultyFileSystem`](crate::FaultyFileSystem) fail, and counts the
/// calls. Clones share the state.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rule: Option<Rule>,
    is_dead: bool,
    /// How many calls the rule has counted.
    passed: u64,
    /// The error that the next write returns.
    next_write: Option<Errno>,
    struck: Vec<CallKind>,
    counts: BTreeMap<CallKind, u64>,
}

/// What is to happen to a call.
#[derive(Debug)]
pub(crate) enum Verdict {
    Go,
    Fail(io::Error),
    AtMost(usize),
}

impl Faults {
    /// Applies `rule` from now on, instead of an earlier one.
    pub fn arm(&self, rule: Rule) {
        let mut state = self.state();
        state.rule = Some(rule);
        state.passed = 0;
        state.next_write = None;
        state.struck.clear();
    }

    /// Removes the rule: no call fails any more. [`Faults::struck`] is kept.
    pub fn heal(&self) {
        let mut state = self.state();
        state.rule = None;
        state.next_write = None;
    }

    /// Makes all calls fail without an effect from now on, as if the process had died. A store that
    /// is dropped now leaves its file as `SIGKILL` would. If it tries to flush, that counts as a
    /// failed flush. The rule is kept.
    pub fn kill(&self) {
        self.state().is_dead = true;
    }

    /// Ends [`Faults::kill`], as if a new process had started. The rule applies again.
    pub fn revive(&self) {
        self.state().is_dead = false;
    }

    /// The calls that have been affected since the rule was set.
    pub fn struck(&self) -> Vec<CallKind> {
        self.state().struck.clone()
    }

    /// How many calls of `kind` there have been; `None` counts all kinds.
    pub fn count(&self, kind: Option<CallKind>) -> u64 {
        let state = self.state();
        match kind {
            Some(kind) => state.counts.get(&kind).copied().unwrap_or(0),
            None => state.counts.values().sum(),
        }
    }

    /// How many calls there have been, by kind.
    pub fn counts(&self) -> BTreeMap<CallKind, u64> {
        self.state().counts.clone()
    }

    pub(crate) fn call(&self, kind: CallKind) -> Verdict {
        let mut state = self.state();
        if state.is_dead {
            return Verdict::Fail(Errno::Eio.error());
        }
        *state.counts.entry(kind).or_default() += 1;
        if kind == CallKind::Write
            && let Some(errno) = state.next_write.take()
        {
            return Verdict::Fail(errno.error());
        }
        let Some(rule) = state.rule else { return Verdict::Go };
        if rule.kind.is_some_and(|only| only != kind) {
            return Verdict::Go;
        }
        state.passed += 1;
        let is_struck = match state.passed - 1 {
            number if rule.is_lasting => number >= rule.after,
            number => number == rule.after,
        };
        if !is_struck {
            return Verdict::Go;
        }
        let can_be_short = matches!(kind, CallKind::Read | CallKind::Write);
        let verdict = match rule.fault {
            Fault::Error(errno) => Verdict::Fail(errno.error()),
            Fault::Short(len) if can_be_short => Verdict::AtMost(len),
            Fault::Short(_) => return Verdict::Go,
            Fault::ShortThenError(len, errno) if kind == CallKind::Write => {
                state.next_write = Some(errno);
                Verdict::AtMost(len)
            }
            Fault::ShortThenError(_, errno) => Verdict::Fail(errno.error()),
        };
        state.struck.push(kind);
        verdict
    }

    /// Fails if the call is to fail.
    pub(crate) fn pass(&self, kind: CallKind) -> io::Result<()> {
        match self.call(kind) {
            Verdict::Go | Verdict::AtMost(_) => Ok(()),
            Verdict::Fail(error) => Err(error),
        }
    }

    /// How many of `len` bytes the call is to transfer.
    pub(crate) fn transfer(&self, kind: CallKind, len: usize) -> io::Result<usize> {
        match self.call(kind) {
            Verdict::Go => Ok(len),
            Verdict::AtMost(most) => Ok(len.min(most)),
            Verdict::Fail(error) => Err(error),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
