//! Deferral: events raised under a lock wait until it is released, because a subscriber may use the
//! store.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

/// Highest bit of [`STATE`]: whether events are waiting.
const HAS_EVENTS: u32 = 1 << 31;

thread_local! {
    /// Number of this thread's deferrals, and whether events are waiting.
    static STATE: Cell<u32> = const { Cell::new(0) };
    static WAITING: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, events of its thread wait.
#[derive(Debug)]
#[must_use = "events wait as long as it lives"]
pub(crate) struct Deferral {
    /// A deferral belongs to its thread.
    _not_send: PhantomData<*const ()>,
}

/// Defers events of this thread until the result is dropped. Take it before a lock, and drop it
/// after.
#[inline]
pub(crate) fn defer() -> Deferral {
    STATE.set(STATE.get() + 1);
    Deferral { _not_send: PhantomData }
}

/// Whether events must wait.
#[inline]
pub(super) fn is_deferring() -> bool {
    STATE.get() & !HAS_EVENTS > 0
}

/// Emits an event once this thread has released its locks.
pub(super) fn emit_later(event: impl FnOnce() + 'static) {
    // The list of an ending thread may be gone; its events are then lost.
    let _ = WAITING.try_with(|waiting| {
        waiting.borrow_mut().push(Box::new(event));
        STATE.set(STATE.get() | HAS_EVENTS);
    });
}

impl Drop for Deferral {
    #[inline]
    fn drop(&mut self) {
        let state = STATE.get() - 1;
        STATE.set(state);
        if state == HAS_EVENTS {
            emit_waiting();
        }
    }
}

#[cold]
fn emit_waiting() {
    STATE.set(0);
    let waiting = WAITING.try_with(|waiting| std::mem::take(&mut *waiting.borrow_mut()));
    for event in waiting.into_iter().flatten() {
        event();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn events_wait_for_the_outermost_deferral_and_keep_their_order() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let tell = |what: &'static str| {
            let told = Rc::clone(&told);
            emit_later(move || told.borrow_mut().push(what));
        };
        let outer = defer();
        tell("first");
        {
            let _inner = defer();
            tell("second");
        }
        assert!(is_deferring() && told.borrow().is_empty());
        drop(outer);
        assert!(!is_deferring());
        assert_eq!(*told.borrow(), ["first", "second"]);
        drop(defer());
        assert_eq!(told.borrow().len(), 2, "each is emitted once");
    }

    #[test]
    fn what_an_event_brings_about_is_told_too() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let inner = Rc::clone(&told);
        let outer = defer();
        emit_later(move || {
            let _within = defer();
            let told = Rc::clone(&inner);
            emit_later(move || told.borrow_mut().push("inner"));
            inner.borrow_mut().push("outer");
        });
        drop(outer);
        assert_eq!(*told.borrow(), ["outer", "inner"]);
    }
}
