//! Events, with the feature `tracing`. Those of background threads also go to the only subscriber
//! of a process, so each test has a process of its own.

mod lines;
mod subscribers;

use tracing::{Event, Metadata, Subscriber, span};

use crate::own_process;

/// Whether this test has run in a process of its own. In that process: `false`, and events of the
/// store go to `on_event`.
#[track_caller]
fn took_over<T>(test: T, on_event: fn(&Event<'_>)) -> bool {
    let took_over = own_process::took_over(test);
    if !took_over {
        tracing::subscriber::set_global_default(OnEvent(on_event)).unwrap();
    }
    took_over
}

/// A subscriber to the events of the store.
struct OnEvent(fn(&Event<'_>));

impl Subscriber for OnEvent {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "simd_r_drive"
    }

    fn event(&self, event: &Event<'_>) {
        (self.0)(event);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
