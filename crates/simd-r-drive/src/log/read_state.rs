//! Read states: what readers load at once.

use std::ops::Deref;
use std::sync::Arc;

use simd_r_drive_indexer::LayeredIndex;

use super::current::{State, TailLimit};
use crate::log::LogFile;

/// A file with a list of the layers of its index. Handles, iterators and snapshots keep it alive.
///
/// A checkpoint replaces the list, and thus the read state, but not the file. A compaction replaces
/// both.
#[derive(Debug)]
pub(crate) struct ReadState {
    pub(crate) log: Arc<LogFile>,
    pub(crate) index: LayeredIndex,
    limit: TailLimit,
}

impl ReadState {
    /// A file with an index that answers for all of it.
    pub(crate) fn new(log: Arc<LogFile>, index: LayeredIndex) -> Self {
        Self { log, index, limit: TailLimit::default() }
    }

    /// Makes reads check each line of the index and each slot again when they next use it. For work
    /// that would make damage permanent if it trusted what was checked long ago.
    pub(crate) fn forget_checks(&self) {
        self.log.forget_checks();
        self.index.frozen().for_each(|table| table.forget_checks());
    }
}

impl Deref for ReadState {
    type Target = LogFile;

    #[inline]
    fn deref(&self) -> &LogFile {
        &self.log
    }
}

impl State for ReadState {
    #[inline]
    fn published_tail(&self) -> u64 {
        self.publication.tail()
    }

    #[inline]
    fn limit(&self) -> &TailLimit {
        &self.limit
    }
}
