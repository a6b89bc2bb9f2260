//! Reading: look-ups, iteration, history, and following a writer.

mod api;
mod entries;
mod entry_stream;
mod history;
mod iter;
mod keys;
mod lookup;
#[cfg(feature = "parallel")]
mod par_iter;
mod refresh;
mod snapshot;
mod view;
mod walk;

pub use self::entries::Entries;
pub use self::entry_stream::EntryStream;
pub use self::history::{Changes, Cursor, History, Version};
pub use self::iter::EntryIterator;
pub use self::keys::{KeyInfo, Keys};
pub(crate) use self::lookup::{about_hash, about_key};
#[cfg(feature = "parallel")]
pub(crate) use self::par_iter::par_entries;
pub(crate) use self::refresh::Follower;
pub use self::snapshot::Snapshot;
pub use self::view::{View, ViewEntries, ViewEntry};
