//! Random histories of a few hashes and keys.

use proptest::collection::vec;
use proptest::prelude::*;

use super::history::{Op, Step};

fn op() -> impl Strategy<Value = Op> {
    let (hash, key) = (|| 0_u8..3, || 0_u8..4);
    prop_oneof![
        8 => (hash(), key()).prop_map(|(hash, key)| Op::Put(hash, key)),
        2 => hash().prop_map(Op::PutBare),
        3 => (hash(), key()).prop_map(|(hash, key)| Op::Delete(hash, key)),
        1 => hash().prop_map(Op::DeleteHash),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(op(), 1..4).prop_map(Step::Commit),
        4 => vec(op(), 4..16).prop_map(Step::Commit),
        3 => (vec(op(), 1..16), 0_usize..6).prop_map(|(ops, calls)| Step::Fault(ops, calls)),
        1 => Just(Step::Reopen),
    ]
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..12)
}
