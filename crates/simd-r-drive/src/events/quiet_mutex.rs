//! Locks under which no events are emitted.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::events::{self, Deferral};

/// A lock that defers its holder's events until it is released. Otherwise, a subscriber that uses
/// the store would wait for the lock that its own thread holds.
///
/// A panic of another thread does not poison it.
#[derive(Debug, Default)]
pub(crate) struct QuietMutex<T>(Mutex<T>);

/// The lock, held.
#[derive(Debug)]
pub(crate) struct QuietGuard<'a, T> {
    // Dropped in this order, so that events are emitted once the lock is free.
    value: MutexGuard<'a, T>,
    _events: Deferral,
}

impl<T> QuietMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for the lock.
    #[inline]
    pub(crate) fn lock(&self) -> QuietGuard<'_, T> {
        let events = events::defer();
        QuietGuard { value: self.0.lock().unwrap_or_else(PoisonError::into_inner), _events: events }
    }
}

impl<T> Deref for QuietGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for QuietGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
