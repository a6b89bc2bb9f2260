//! How much is measured, and for how long.

use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// Within a minute: shows that everything works, and measures nothing.
    Quick,
    Full,
    /// With stores of 10^8 entries, and every figure in several rounds.
    Large,
}

impl Size {
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
            Self::Large => "large",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Quick, Self::Full, Self::Large].into_iter().find(|size| size.name() == name)
    }
}

/// Entries of a batch.
pub const BATCH: usize = 1024;

/// Entries of a batch of the writer beside which is read, and of the one that ages a store.
pub const SMALL_BATCH: usize = 64;

/// Keys that fit a first-level cache with their values.
pub const HOT_KEYS: u64 = 1000;

#[derive(Debug, Clone)]
pub struct Scale {
    pub size: Size,
    /// Entries of the store of small values.
    pub entries: u64,
    /// Time for one row of reads.
    pub read_time: Duration,
    /// Time for one row of writes, and for what is measured beside a writer.
    pub write_time: Duration,
    /// Value lengths and entries of the loads.
    pub loads: [(usize, u64); 2],
    /// Entries of 1 KiB that are overwritten twice.
    pub overwritten: u64,
    /// Entries of 100 B that are overwritten at random, ten times, ...
    pub aged: u64,
    /// ... unless that takes longer.
    pub aged_time: Duration,
    /// Values of 1 MiB.
    pub large_values: u64,
    /// Entries of 1,000 bytes that are read from the medium, and the time for random reads.
    pub cold_entries: u64,
    pub cold_time: Duration,
    /// Store sizes of the series, in entries.
    pub sizes: Vec<u64>,
    /// Value lengths of the series, and the bytes that are written of each, unless those are too many entries.
    pub lengths: Vec<usize>,
    pub length_bytes: u64,
    pub length_entries: u64,
    /// A store that takes longer to load than this is left out of a size.
    pub load_time: Duration,
    /// A process that takes longer than this is killed.
    pub patience: Duration,
    /// Rounds of most measurements, and of those that take long.
    pub rounds: usize,
    pub long_rounds: usize,
}

impl Scale {
    pub fn new(size: Size) -> Self {
        let lengths = vec![8, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
        match size {
            Size::Quick => Self {
                size,
                entries: 4_000,
                read_time: Duration::from_millis(2),
                write_time: Duration::from_millis(20),
                loads: [(256, 1_000), (4096, 500)],
                overwritten: 500,
                aged: 1_000,
                aged_time: Duration::from_millis(50),
                large_values: 2,
                cold_entries: 1_000,
                cold_time: Duration::from_millis(2),
                sizes: vec![1_000, 4_000],
                lengths: vec![8, 1 << 10, 64 << 10, 1 << 20],
                length_bytes: 1 << 20,
                length_entries: 1000,
                load_time: Duration::from_secs(10),
                patience: Duration::from_secs(60),
                rounds: 1,
                long_rounds: 1,
            },
            Size::Full => Self {
                size,
                entries: 1_000_000,
                read_time: Duration::from_millis(250),
                write_time: Duration::from_secs(1),
                loads: [(256, 200_000), (4096, 100_000)],
                overwritten: 200_000,
                aged: 1_000_000,
                aged_time: Duration::from_secs(8),
                large_values: 256,
                cold_entries: 1_000_000,
                cold_time: Duration::from_secs(2),
                sizes: vec![10_000, 100_000, 1_000_000, 10_000_000],
                lengths: [&lengths[..], &[4 << 20, 16 << 20]].concat(),
                length_bytes: 64 << 20,
                length_entries: 200_000,
                load_time: Duration::from_secs(25),
                patience: Duration::from_secs(240),
                rounds: 3,
                long_rounds: 1,
            },
            Size::Large => {
                let full = Self::new(Size::Full);
                Self {
                    size,
                    read_time: Duration::from_secs(1),
                    write_time: Duration::from_secs(3),
                    aged_time: Duration::from_secs(120),
                    cold_entries: 10_000_000,
                    sizes: [&full.sizes[..], &[100_000_000]].concat(),
                    length_bytes: 256 << 20,
                    load_time: Duration::from_secs(300),
                    patience: Duration::from_secs(1800),
                    rounds: 5,
                    long_rounds: 3,
                    ..full
                }
            }
        }
    }
}
