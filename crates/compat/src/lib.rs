//! Tests against the published 0.17 crate; see `tests/`.
