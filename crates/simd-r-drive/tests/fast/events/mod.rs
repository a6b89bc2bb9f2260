//! Events, with the feature `tracing`. Those of background threads too go to the one subscriber of
//! a process, so each test has a process of its own.

mod lines;
mod subscribers;

use tracing::Subscriber;

use crate::own_process;

/// Whether this test has run in a process of its own. In that process: `false`, and events go to
/// `subscriber`.
#[track_caller]
fn took_over<T>(test: T, subscriber: impl Subscriber + Send + Sync) -> bool {
    let took_over = own_process::took_over(test);
    if !took_over {
        tracing::subscriber::set_global_default(subscriber).unwrap();
    }
    took_over
}
