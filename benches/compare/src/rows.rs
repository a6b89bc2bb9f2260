//! The rows of the tables: what each measures, in which unit, and by which call.

use crate::stats::Better::{self, Higher, Lower};
use crate::store::Calls;

pub struct Row {
    pub name: &'static str,
    pub title: &'static str,
    pub unit: Unit,
    pub better: Better,
    /// The call of a store that is measured.
    pub call: fn(&Calls) -> &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    PerSecond,
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    MegabytesPerSecond,
    GigabytesPerSecond,
    Bytes,
    Mebibytes,
    Times,
    Percent,
}

impl Unit {
    pub fn name(self) -> &'static str {
        match self {
            Self::PerSecond => "per s",
            Self::Nanoseconds => "ns",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::MegabytesPerSecond => "MB/s",
            Self::GigabytesPerSecond => "GB/s",
            Self::Bytes => "B",
            Self::Mebibytes => "MiB",
            Self::Times => "times",
            Self::Percent => "%",
        }
    }
}

const fn row(
    name: &'static str,
    title: &'static str,
    unit: Unit,
    better: Better,
    call: fn(&Calls) -> &'static str,
) -> Row {
    Row { name, title, unit, better, call }
}

use Unit::{
    Bytes, GigabytesPerSecond, Mebibytes, MegabytesPerSecond, Microseconds, Milliseconds,
    Nanoseconds, PerSecond, Percent, Seconds, Times,
};

/// All rows of one value, in the order of the tables.
pub const ROWS: &[Row] = &[
    row("get-hot", "get of 1,000 hot keys", Nanoseconds, Lower, |calls| calls.get),
    row("get-hot-live", "… just loaded", Nanoseconds, Lower, |calls| calls.get),
    row("view-hot", "get of 1,000 hot keys, one snapshot", Nanoseconds, Lower, |calls| {
        calls.reader
    }),
    row("view-hot-live", "… just loaded", Nanoseconds, Lower, |calls| calls.reader),
    row("get", "random get", PerSecond, Higher, |calls| calls.get),
    row("get-live", "… just loaded", PerSecond, Higher, |calls| calls.get),
    row("view", "random get, one snapshot", PerSecond, Higher, |calls| calls.reader),
    row("view-live", "… just loaded", PerSecond, Higher, |calls| calls.reader),
    row("get-2", "random get, two threads", PerSecond, Higher, |calls| calls.get),
    row("get-2-live", "… just loaded", PerSecond, Higher, |calls| calls.get),
    row("get-wait", "get that depends on the one before, median", Nanoseconds, Lower, |calls| {
        calls.get
    }),
    row("get-wait-live", "… just loaded", Nanoseconds, Lower, |calls| calls.get),
    row("absent", "absent key", PerSecond, Higher, |calls| calls.contains),
    row("absent-live", "… just loaded", PerSecond, Higher, |calls| calls.contains),
    row("batch", "get in batches of 1,024, keys", PerSecond, Higher, |calls| calls.get_batch),
    row("batch-live", "… just loaded", PerSecond, Higher, |calls| calls.get_batch),
    row("scan", "scan, entries", PerSecond, Higher, |calls| calls.scan),
    row("scan-live", "… just loaded", PerSecond, Higher, |calls| calls.scan),
    row("load-8", "load of 8 B in batches of 1,024, entries", PerSecond, Higher, |calls| {
        calls.put_batch
    }),
    row("load-256", "load of 256 B in batches of 1,024", MegabytesPerSecond, Higher, |calls| {
        calls.put_batch
    }),
    row("load-4096", "load of 4 KiB in batches of 1,024", MegabytesPerSecond, Higher, |calls| {
        calls.put_batch
    }),
    row(
        "overwrite-1024",
        "overwrite of 1 KiB in batches of 1,024, entries",
        PerSecond,
        Higher,
        |calls| calls.put_batch,
    ),
    row("put-256", "single put of 256 B", PerSecond, Higher, |calls| calls.put),
    row("put-256-999", "… 99.9 % within", Microseconds, Lower, |calls| calls.put),
    row("put-256-longest", "… longest", Milliseconds, Lower, |calls| calls.put),
    row("durable-1", "durable put of 256 B, 1 thread", PerSecond, Higher, |calls| {
        calls.put_durably
    }),
    row("durable-8", "durable put of 256 B, 8 threads", PerSecond, Higher, |calls| {
        calls.put_durably
    }),
    row(
        "beside-reads",
        "random get beside a writer of batches of 64",
        PerSecond,
        Higher,
        |calls| calls.get,
    ),
    row("beside-999", "… 99.9 % within", Microseconds, Lower, |calls| calls.get),
    row("beside-longest", "… longest", Milliseconds, Lower, |calls| calls.get),
    row("beside-writes", "… and that writer, entries", PerSecond, Higher, |calls| {
        calls.put_batch
    }),
    row(
        "aged-batches",
        "random overwrites of 100 B, batches of 64, entries",
        PerSecond,
        Higher,
        |calls| calls.put_batch,
    ),
    row("aged-batches-longest", "… longest", Milliseconds, Lower, |calls| calls.put_batch),
    row("aged-puts", "random overwrites of 100 B, one by one", PerSecond, Higher, |calls| {
        calls.put
    }),
    row("aged-puts-longest", "… longest", Milliseconds, Lower, |calls| calls.put),
    row("aged-compact", "compaction of that store", Seconds, Lower, |calls| calls.compact),
    row("aged-compact-size", "… size, relative to keys and values", Times, Lower, |calls| {
        calls.compact
    }),
    row("compact", "compaction of 1 KiB values overwritten twice", Seconds, Lower, |calls| {
        calls.compact
    }),
    row("compact-size", "… size, relative to keys and values", Times, Lower, |calls| {
        calls.compact
    }),
    row("put-1m", "single put of 1 MiB", GigabytesPerSecond, Higher, |calls| calls.put),
    row("get-1m", "get of 1 MiB, all bytes, first touch", GigabytesPerSecond, Higher, |calls| {
        calls.get
    }),
    row("cold-get", "random get of 1,000 B, not in the cache", PerSecond, Higher, |calls| {
        calls.get
    }),
    row("cold-batch", "… in batches of 1,024, keys", PerSecond, Higher, |calls| calls.get_batch),
    row("cold-scan", "… scan, entries", PerSecond, Higher, |calls| calls.scan),
    row("open-8", "open after close, to the first get", Milliseconds, Lower, |calls| calls.get),
    row("open-memory", "… anonymous memory that it takes", Mebibytes, Lower, |calls| calls.get),
    row(
        "killed-open",
        "open after kill -9 in a load, to the first get",
        Milliseconds,
        Lower,
        |calls| calls.get,
    ),
    row("killed-lost", "… acknowledged entries that are lost", Percent, Lower, |calls| {
        calls.put_batch
    }),
    row("space-8", "disk an entry of 8 B, closed", Bytes, Lower, |_| "its files"),
];

/// What is measured along an axis.
pub struct Series {
    pub name: &'static str,
    pub title: &'static str,
    pub axis: &'static str,
    pub unit: Unit,
    pub better: Better,
}

const fn series(
    name: &'static str,
    title: &'static str,
    axis: &'static str,
    unit: Unit,
    better: Better,
) -> Series {
    Series { name, title, axis, unit, better }
}

const ENTRIES: &str = "entries";
const LENGTH: &str = "bytes a value";

pub const SERIES: &[Series] = &[
    series("size-get", "random get", ENTRIES, Nanoseconds, Lower),
    series("size-batch", "get in batches of 1,024, a key", ENTRIES, Nanoseconds, Lower),
    series("size-load", "load of 8 B in batches of 1,024, entries", ENTRIES, PerSecond, Higher),
    series("size-open", "open after close, to the first get", ENTRIES, Milliseconds, Lower),
    series("size-memory", "anonymous memory after that", ENTRIES, Mebibytes, Lower),
    series("size-space", "disk an entry, closed", ENTRIES, Bytes, Lower),
    series("length-write", "writes in batches", LENGTH, MegabytesPerSecond, Higher),
    series("length-read", "random reads, all bytes", LENGTH, MegabytesPerSecond, Higher),
];

/// Rows whose latencies are drawn.
pub const LATENCIES: &[&str] =
    &["get-wait", "put-256", "beside-reads", "durable-1", "durable-8", "aged-batches"];

pub fn row_by_name(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{LATENCIES, ROWS, SERIES, row_by_name};

    #[test]
    fn names_are_unique() {
        let rows = ROWS.iter().map(|row| row.name);
        let names: HashSet<_> = rows.chain(SERIES.iter().map(|series| series.name)).collect();
        assert_eq!(names.len(), ROWS.len() + SERIES.len());
        assert!(LATENCIES.iter().all(|name| row_by_name(name).is_some()));
    }
}
