//! Repeats the histories of `tests/indexer/histories.rs` with fingerprints so short that keys of
//! one group collide in them too. They can be shortened only inside the crate.

use proptest::prelude::*;

use crate::fingerprint::Fingerprints;
use crate::groups::Groups;
use crate::indexer::KeyIndexer;
use crate::support::{history, strategies};
use crate::table::Table;

fn index_with_mask(mask: u64) -> KeyIndexer {
    KeyIndexer { table: Table::new(), groups: Groups::new(Fingerprints::with_mask(mask)) }
}

/// A fingerprint of zero, one or two bits, or a whole one.
fn mask() -> impl Strategy<Value = u64> {
    prop::sample::select(vec![0, 1, 3, u64::MAX])
}

proptest! {
    #[test]
    fn keys_of_equal_fingerprint_stay_apart(steps in strategies::steps(), mask in mask()) {
        history::check(&steps, || index_with_mask(mask));
    }
}
