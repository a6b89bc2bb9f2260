//! Building blocks of publication: the standard library's atomics and `arc-swap`, or loom's in its
//! models.

#[cfg(not(loom))]
pub(crate) use arc_swap::ArcSwap as SwapCell;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU64, Ordering, fence};

/// A cell that is set once.
#[cfg(not(loom))]
pub(crate) type OnceSlot<T> = std::sync::OnceLock<T>;

/// A cell that is set once. Deliberately weaker than the real one: like a relaxed load, it promises
/// only that the value is seen, so that the model shows what orders the rest.
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

/// The contents of a [`SwapCell`], loaded without counting a reference.
#[cfg(not(loom))]
pub(crate) type Loaded<T> = arc_swap::Guard<std::sync::Arc<T>>;

/// The contents of a [`SwapCell`].
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Loaded<T>(std::sync::Arc<T>);

#[cfg(loom)]
impl<T> std::ops::Deref for Loaded<T> {
    type Target = std::sync::Arc<T>;

    fn deref(&self) -> &std::sync::Arc<T> {
        &self.0
    }
}

/// A cell whose value can be replaced. As strong as `arc-swap` promises and no stronger: a thread
/// that loads a value sees what was done before it was stored.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct SwapCell<T> {
    newest: loom::sync::atomic::AtomicUsize,
    values: std::sync::Mutex<Vec<std::sync::Arc<T>>>,
}

#[cfg(loom)]
impl<T> SwapCell<T> {
    pub(crate) fn new(value: std::sync::Arc<T>) -> Self {
        Self {
            newest: loom::sync::atomic::AtomicUsize::new(0),
            values: std::sync::Mutex::new(vec![value]),
        }
    }

    pub(crate) fn load_full(&self) -> std::sync::Arc<T> {
        let number = self.newest.load(Ordering::Acquire);
        std::sync::Arc::clone(&self.values.lock().unwrap()[number])
    }

    pub(crate) fn load(&self) -> Loaded<T> {
        Loaded(self.load_full())
    }

    /// Only one thread may swap.
    pub(crate) fn swap(&self, value: std::sync::Arc<T>) -> std::sync::Arc<T> {
        let before = self.load_full();
        let mut values = self.values.lock().unwrap();
        values.push(value);
        self.newest.store(values.len() - 1, Ordering::Release);
        before
    }
}
