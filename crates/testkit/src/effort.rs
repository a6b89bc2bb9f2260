//! How long the tests look for trouble.

/// Value of the environment variable `SIMD_R_DRIVE_TEST_EFFORT`: how many times as many histories and crash
/// states are tried as by default. 1 if it is not set.
pub fn effort() -> u32 {
    std::env::var("SIMD_R_DRIVE_TEST_EFFORT")
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|effort| *effort > 0)
        .unwrap_or(1)
}

/// A configuration for `proptest!` with `cases` cases, times [`effort`].
///
/// A case of these tests runs many stores, so that minimising one is cut short.
pub fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases: cases.saturating_mul(effort()),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
