//! At every tail of every history, the index gives the same answers as a scan of the log.

use proptest::prelude::*;
use simd_r_drive_indexer::KeyIndexer;

use crate::support::{history, strategies};

proptest! {
    #[test]
    fn answers_like_a_scan_of_the_log(steps in strategies::steps()) {
        history::check(&steps, KeyIndexer::new);
    }
}
