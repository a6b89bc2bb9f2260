//! The maintenance lock: one compaction or checkpoint at a time.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, ThreadId};

use crate::error::StoreError;

/// Held by the running compaction or checkpoint.
///
/// Foreign code runs meanwhile: the callback of a compaction, and subscribers to events. It may use
/// the store, but must not wait for the operation that its own thread is running.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    lock: Mutex<()>,
    holder: Mutex<Option<ThreadId>>,
}

/// The maintenance lock, held.
#[derive(Debug)]
pub(crate) struct Maintaining<'a> {
    maintenance: &'a Maintenance,
    _lock: MutexGuard<'a, ()>,
}

impl Maintenance {
    /// Waits for the lock.
    ///
    /// # Errors
    /// [`StoreError::WithinMaintenance`] if this thread holds it already.
    pub(crate) fn begin(&self) -> Result<Maintaining<'_>, StoreError> {
        if *self.holder() == Some(thread::current().id()) {
            return Err(StoreError::WithinMaintenance);
        }
        Ok(self.held(self.lock.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Takes the lock; `None` if it is held.
    pub(crate) fn try_begin(&self) -> Option<Maintaining<'_>> {
        match self.lock.try_lock() {
            Ok(lock) => Some(self.held(lock)),
            Err(TryLockError::Poisoned(lock)) => Some(self.held(lock.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn held<'a>(&'a self, lock: MutexGuard<'a, ()>) -> Maintaining<'a> {
        *self.holder() = Some(thread::current().id());
        Maintaining { maintenance: self, _lock: lock }
    }

    fn holder(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Maintaining<'_> {
    fn drop(&mut self) {
        // Cleared before the lock is free, because the next holder records itself.
        *self.maintenance.holder() = None;
    }
}
