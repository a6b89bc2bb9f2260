//! The time that slots carry.

use std::time::SystemTime;

/// The current time in units of 10 ms since 1970-01-01 UTC, truncated to the 40 bits of the
/// trailer's field (enough until the year 2318). 0 if the clock is before 1970.
pub fn now_10ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    (since_1970.as_millis() / 10) as u64 & ((1 << 40) - 1)
}
