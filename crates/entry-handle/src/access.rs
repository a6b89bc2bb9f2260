//! How a store is going to be read.

/// How a store is going to be read: advice to the system for the pages of its file that are not in
/// memory. It changes what reads cost, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Access {
    /// Nothing is known. When a page is missing, the system reads what lies around it too: on Linux
    /// as much as the device's `read_ahead_kb`, until it notices that this does not help. Suits
    /// stores that fit the memory, and scans.
    #[default]
    Normal,
    /// Single values, anywhere in a store that is larger than the memory. When a page is missing,
    /// it alone is read, so that memory is not filled with neighbours that nobody asked for. A
    /// value of many pages, a scan and a compaction wait for each missing page, and are slower.
    /// Linux takes such pages for unused sooner, however often they are read.
    Random,
    /// Everything once. The system reads ahead further, and takes pages for unused sooner, so that
    /// other pages stay in memory.
    Sequential,
}
