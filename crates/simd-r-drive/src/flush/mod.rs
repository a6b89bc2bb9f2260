//! Flushing: group commit, and flushing in the background.

mod background;
mod flusher;
mod group;

pub(crate) use self::background::Background;
pub(crate) use self::flusher::{Flushed, Flusher, KeptThread, Place};
pub(crate) use self::group::{Flush, FlushCounts, Progress};
