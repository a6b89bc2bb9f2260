//! Events for the operators of a store.
//!
//! With the feature `tracing`, each function here emits an event of that crate with the target
//! `simd_r_drive`; if the program has no subscriber, `tracing` passes it to `log`. Without the
//! feature, failures that no caller learns of go to `log`, and everything else compiles to nothing.
//!
//! A subscriber may use the store: events raised under a lock are emitted once it is released; see
//! [`QuietMutex`](crate::events::QuietMutex). Only the maintenance lock is held meanwhile, and the
//! thread of a compaction or checkpoint cannot take it again.

mod deferral;
mod quiet_mutex;

use std::fmt::Display;
use std::io;
use std::path::Path;

use simd_r_drive_entry_handle::FormatError;
use simd_r_drive_writer::PoisonCause;

pub(crate) use self::deferral::{Deferral, defer};
pub(crate) use self::quiet_mutex::{QuietGuard, QuietMutex};
use crate::compact::report::{CompactionProgress, CompactionReport};
use crate::open::report::RecoveryReport;

/// Emits an event: level and message, then fields shown as text, then numeric fields after the
/// semicolon. While this thread holds a lock, the event waits if there is anyone to receive it.
macro_rules! event {
    ($level:ident, $message:literal $(, $text:ident = $shown:expr)* $(; $($figure:ident = $value:expr),+)?) => {
        #[cfg(feature = "tracing")]
        if !deferral::is_deferring() {
            emit!($level, $message $(, $text = $shown)* $(; $($figure = $value),+)?);
        } else if is_wanted!($level) {
            $(let $text = $shown.to_string();)*
            $($(
                #[allow(clippy::redundant_locals, reason = "some figures are expressions")]
                let $figure = $value;
            )+)?
            deferral::emit_later(move || {
                emit!($level, $message $(, $text = $text)* $(; $($figure = $figure),+)?);
            });
        }
        #[cfg(not(feature = "tracing"))]
        let _ = ($(&$shown,)* $($($value,)+)?);
    };
}

#[cfg(feature = "tracing")]
macro_rules! emit {
    ($level:ident, $message:literal $(, $text:ident = $shown:expr)* $(; $($figure:ident = $value:expr),+)?) => {
        tracing::event!(
            target: "simd_r_drive",
            tracing::Level::$level,
            $($text = %$shown,)*
            $($($figure = $value,)+)?
            $message
        )
    };
}

/// Whether a subscriber wants an event, or `log`, which receives it if there is no subscriber.
#[cfg(feature = "tracing")]
macro_rules! is_wanted {
    ($level:ident) => {
        tracing::enabled!(target: "simd_r_drive", tracing::Level::$level)
            || log::log_enabled!(target: "simd_r_drive", log_level(tracing::Level::$level))
    };
}

#[cfg(feature = "tracing")]
fn log_level(level: tracing::Level) -> log::Level {
    match level {
        tracing::Level::ERROR => log::Level::Error,
        tracing::Level::WARN => log::Level::Warn,
        tracing::Level::INFO => log::Level::Info,
        tracing::Level::DEBUG => log::Level::Debug,
        tracing::Level::TRACE => log::Level::Trace,
    }
}

/// Emits an event that must be reported even without the feature.
macro_rules! failure {
    ($level:ident, $log:ident, $message:literal $(, $text:ident = $shown:expr)*) => {
        #[cfg(feature = "tracing")]
        event!($level, $message $(, $text = $shown)*);
        #[cfg(not(feature = "tracing"))]
        if !deferral::is_deferring() {
            write_log!($log, $message $(, $text = $shown)*);
        } else if log::log_enabled!(log::Level::$log) {
            $(let $text = $shown.to_string();)*
            deferral::emit_later(move || write_log!($log, $message $(, $text = $text)*));
        }
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! write_log {
    ($log:ident, $message:literal $(, $text:ident = $shown:expr)*) => {
        log::log!(
            log::Level::$log,
            concat!($message, $(" ", stringify!($text), "={}"),*),
            $($shown),*
        )
    };
}

pub(crate) fn opened(path: &Path, is_read_only: bool, report: &RecoveryReport) {
    event!(
        INFO, "opened a store", path = path.display();
        is_read_only = is_read_only,
        is_new = report.is_new,
        was_clean = report.was_clean,
        durable_tail = report.durable_tail,
        tail = report.tail,
        slots_replayed = report.slots_replayed,
        duration_us = report.duration.as_micros() as u64
    );
    if report.is_identity_damaged {
        event!(WARN, "page 0 is damaged, a copy of the identity was used", path = path.display());
    }
    for range in &report.damaged {
        event!(
            ERROR, "a part of the log cannot be read", path = path.display();
            start = range.start, end = range.end
        );
    }
}

/// The bytes beyond the last commit have been cut off.
pub(crate) fn cut(path: &Path, saved_to: &Path, tail: u64, bytes: u64) {
    event!(
        WARN, "cut off an unfinished commit", path = path.display(), saved_to = saved_to.display();
        tail = tail, bytes = bytes
    );
}

/// The bytes beyond the last commit stay. Nothing can be written until they can be saved.
pub(crate) fn remains_not_saved(path: &Path, error: &io::Error) {
    failure!(
        WARN,
        Warn,
        "cannot save the bytes beyond the last commit, which have to be cut off before anything is written",
        path = path.display(),
        error = error
    );
}

pub(crate) fn orphans_removed(path: &Path, files: u64) {
    event!(INFO, "removed unfinished files of the store", path = path.display(); files = files);
}

pub(crate) fn orphans_not_removed(path: &Path, error: &io::Error) {
    event!(DEBUG, "cannot look for unfinished files", path = path.display(), error = error);
}

/// Everything written is lost when the store is closed.
pub(crate) fn deleted(path: &Path) {
    failure!(ERROR, Error, "the store's file has been deleted", path = path.display());
}

pub(crate) fn flushed(path: &Path, commit: u64) {
    event!(DEBUG, "flushed", path = path.display(); commit = commit);
}

pub(crate) fn checkpoint_written(path: &Path, end: u64, table_bytes: u64) {
    event!(
        DEBUG, "wrote the index to the file", path = path.display();
        end = end, table_bytes = table_bytes
    );
}

/// The index stays in memory, and the next open takes longer.
pub(crate) fn checkpoint_failed(error: &io::Error) {
    failure!(WARN, Warn, "cannot write the index to the file", error = error);
}

/// The reader keeps its index in memory.
pub(crate) fn index_not_adopted(error: &io::Error) {
    failure!(WARN, Warn, "cannot read the index that the writer has made", error = error);
}

pub(crate) fn space_not_given_back(error: &io::Error) {
    failure!(WARN, Warn, "cannot give back the space of an old index", error = error);
}

pub(crate) fn barrier_written(path: &Path, tail: u64) {
    event!(DEBUG, "wrote a barrier", path = path.display(); tail = tail);
}

/// The store is closed without a barrier.
pub(crate) fn barrier_not_written(error: &io::Error) {
    failure!(WARN, Warn, "cannot write the last barrier of a store that is closed", error = error);
}

pub(crate) fn poisoned(cause: PoisonCause) {
    event!(ERROR, "writes are refused from now on", cause = cause);
}

pub(crate) fn compaction_started(path: &Path, bytes: u64) {
    event!(INFO, "compaction starts", path = path.display(); bytes = bytes);
}

pub(crate) fn compaction_progressed(progress: CompactionProgress) {
    event!(
        TRACE, "compaction goes on";
        done_bytes = progress.done_bytes, total_bytes = progress.total_bytes
    );
}

/// Emitted for any outcome.
pub(crate) fn compaction_ended(path: &Path, result: &io::Result<CompactionReport>) {
    match result {
        Ok(report) => {
            event!(
                INFO, "compaction ends", path = path.display();
                bytes_before = report.bytes_before, bytes_after = report.bytes_after,
                locked_bytes = report.locked_bytes
            );
        }
        Err(error) => {
            event!(WARN, "compaction fails", path = path.display(), error = error);
        }
    }
}

/// Data that was read is not as it was written. Other format errors are results, not events.
#[cold]
pub(crate) fn damage_found(error: &FormatError) {
    if matches!(error, FormatError::Damaged { .. }) {
        event!(ERROR, "damage found", error = error);
    }
}

/// Raised in the background, or by a writer that has filled the space between two barriers. No
/// caller waits for the result.
pub(crate) fn background_flush_failed(path: &Path, error: &io::Error) {
    failure!(
        ERROR,
        Error,
        "a flush that nobody waits for failed",
        path = path.display(),
        error = error
    );
}

pub(crate) fn thread_not_started(error: &io::Error) {
    failure!(WARN, Warn, "a thread that flushes stores cannot be started", error = error);
}

/// Raised in `drop`, which cannot return the error.
pub(crate) fn close_failed(path: &Path, error: &io::Error) {
    failure!(ERROR, Error, "closing a store failed", path = path.display(), error = error);
}

/// Raised in an iterator, whose `next` cannot return the error.
pub(crate) fn iteration_failed(error: &dyn Display) {
    failure!(ERROR, Error, "an iteration ends early", error = error);
}
