//! Clocks, histograms, memory and disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::store::Result;

/// Operations between two looks at the clock.
const STRIDE: u64 = 256;

/// Operations and the time that they took.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub operations: u64,
    pub time: Duration,
}

impl Rate {
    pub fn per_second(&self) -> f64 {
        self.operations as f64 / self.time.as_secs_f64()
    }

    pub fn nanoseconds_each(&self) -> f64 {
        self.time.as_secs_f64() * 1e9 / self.operations as f64
    }
}

/// Repeats an operation for about this time.
///
/// # Errors
/// Those of the operation.
#[inline]
pub fn repeat(time: Duration, mut operation: impl FnMut() -> Result<()>) -> Result<Rate> {
    let started = Instant::now();
    let mut operations = 0;
    loop {
        for _ in 0..STRIDE {
            operation()?;
        }
        operations += STRIDE;
        let elapsed = started.elapsed();
        if elapsed >= time {
            return Ok(Rate { operations, time: elapsed });
        }
    }
}

/// The same for operations that take long, of which each does `weight` of what is counted.
///
/// # Errors
/// Those of the operation.
pub fn repeat_slow(
    time: Duration,
    weight: u64,
    mut operation: impl FnMut() -> Result<()>,
) -> Result<Rate> {
    let started = Instant::now();
    let mut operations = 0;
    loop {
        operation()?;
        operations += weight;
        let elapsed = started.elapsed();
        if elapsed >= time {
            return Ok(Rate { operations, time: elapsed });
        }
    }
}

/// How long operations took, from 1 ns to an hour, with three digits.
pub struct Waits(Histogram<u64>);

/// What of a histogram is kept.
pub const QUANTILES: [f64; 9] = [0.1, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 0.99999, 1.0];

impl Default for Waits {
    fn default() -> Self {
        Self::new()
    }
}

impl Waits {
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("valid bounds"))
    }

    #[inline]
    pub fn record(&mut self, wait: Duration) {
        self.0.saturating_record(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
    }

    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("the same bounds");
    }

    /// In nanoseconds.
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64
    }

    /// Those quantiles that enough waits stand behind: with fewer, they would only repeat the longest.
    pub fn quantiles(&self) -> Vec<(f64, f64)> {
        let least = 10.0 / self.0.len().max(1) as f64;
        QUANTILES
            .into_iter()
            .filter(|quantile| *quantile == 1.0 || 1.0 - quantile >= least)
            .map(|quantile| (quantile, self.quantile(quantile)))
            .collect()
    }
}

/// Runs of an operation, each timed from the end of the one before.
///
/// # Errors
/// Those of the operation.
pub fn timed(
    time: Duration,
    limit: u64,
    mut operation: impl FnMut() -> Result<()>,
) -> Result<(Rate, Waits)> {
    let mut waits = Waits::new();
    let started = Instant::now();
    let mut before = started;
    let mut operations = 0;
    loop {
        operation()?;
        let now = Instant::now();
        waits.record(now - before);
        before = now;
        operations += 1;
        let elapsed = now - started;
        if elapsed >= time || operations == limit {
            return Ok((Rate { operations, time: elapsed }, waits));
        }
    }
}

/// Bytes of memory that belong to this process alone and to no file.
pub fn anonymous_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}

/// Bytes on the medium of all files below a directory.
///
/// # Errors
/// Those of the file system.
pub fn disk_bytes(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes +=
            if metadata.is_dir() { disk_bytes(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Waits, anonymous_bytes, disk_bytes, repeat};

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut waits = Waits::new();
        (1..=1000).for_each(|us| waits.record(Duration::from_micros(us)));
        let near = |quantile: f64, us: f64| {
            let found = waits.quantile(quantile) / 1e3;
            assert!((found / us - 1.0).abs() < 0.01, "{quantile}: {found}, not {us}");
        };
        near(0.5, 500.0);
        near(0.99, 990.0);
        near(1.0, 1000.0);
    }

    #[test]
    fn a_quantile_of_too_few_waits_is_left_out() {
        let mut waits = Waits::new();
        (0..1000).for_each(|_| waits.record(Duration::from_micros(1)));
        let kept: Vec<_> = waits.quantiles().into_iter().map(|(quantile, _)| quantile).collect();
        assert_eq!(kept, [0.1, 0.5, 0.75, 0.9, 0.99, 1.0]);
    }

    #[test]
    fn waits_of_two_threads_add_up() {
        let (mut one, mut other) = (Waits::new(), Waits::new());
        one.record(Duration::from_micros(1));
        other.record(Duration::from_micros(9));
        one.add(&other);
        assert!(one.quantile(1.0) > 8_000.0 && one.quantile(0.1) < 2_000.0);
    }

    #[test]
    fn every_repetition_is_counted() {
        let mut count = 0;
        let rate = repeat(Duration::from_millis(1), || {
            count += 1;
            Ok(())
        });
        assert_eq!(rate.unwrap().operations, count);
    }

    #[test]
    fn files_in_folders_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("inner")).unwrap();
        std::fs::write(directory.path().join("inner/file"), vec![1; 10_000]).unwrap();
        let file = std::fs::File::open(directory.path().join("inner/file")).unwrap();
        file.sync_all().unwrap();
        assert!(disk_bytes(directory.path()).unwrap() >= 10_000);
        assert!(anonymous_bytes() > 0);
    }
}
