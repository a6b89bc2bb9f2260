//! The atomics of the publication module: the standard library's, or loom's when its model checks them.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

/// A cell that is set once.
#[cfg(not(loom))]
pub(crate) type OnceSlot<T> = std::sync::OnceLock<T>;

/// A cell that is set once. Weaker than the real one on purpose: seeing it set is all that it promises, as
/// a relaxed load would, so that the model shows what orders the rest.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct OnceSlot<T> {
    is_set: loom::sync::atomic::AtomicBool,
    value: std::sync::OnceLock<T>,
}

#[cfg(loom)]
impl<T> OnceSlot<T> {
    pub(crate) fn new() -> Self {
        Self {
            is_set: loom::sync::atomic::AtomicBool::new(false),
            value: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Relaxed) { self.value.get() } else { None }
    }
}
