//! Tests that have a process of their own.

use std::path::Path;

use crate::support::child::{orders, run};

/// Runs this test once more, in a process of its own, for what it does to the whole process, or
/// asks about it. Returns whether it has, so that nothing is left to do here; in that process,
/// `false`.
#[track_caller]
pub(crate) fn took_over<T>(test: T) -> bool {
    if orders().is_some() {
        return false;
    }
    run(test, Path::new(""), "");
    true
}
