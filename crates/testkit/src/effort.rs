//! How many cases the tests try.

/// The value of the environment variable `SIMD_R_DRIVE_TEST_EFFORT`, by which the number of
/// histories and crash states that are tried is multiplied. 1 if it is not set.
pub fn effort() -> u32 {
    std::env::var("SIMD_R_DRIVE_TEST_EFFORT")
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|effort| *effort > 0)
        .unwrap_or(1)
}

/// A configuration for `proptest!` with `cases` times [`effort`] cases.
///
/// A case of these tests runs many stores, so the steps of minimising one are limited.
pub fn cases(cases: u32) -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        cases: cases.saturating_mul(effort()),
        max_shrink_iters: 400,
        failure_persistence: None,
        ..proptest::test_runner::Config::default()
    }
}
