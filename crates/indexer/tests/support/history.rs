//! Random histories of a store, checked at every tail.

use proptest::collection::vec;
use proptest::prelude::*;
use simd_r_drive_indexer::{ChainKey, KeyIndexer};

use super::log::end_of;
use super::naive::Chains;
use super::store::Store;

pub const HASHES: [u64; 3] = [0, 1, u64::MAX];
pub const KEYS: [&[u8]; 5] = [b"", b"a", b"b", b"c", b"never written"];
const WRITTEN_KEYS: usize = 4;

#[derive(Clone, Debug)]
pub enum Op {
    Put(u64, usize),
    PutBare(u64),
    Delete(u64, usize),
    DeleteHash(u64),
}

#[derive(Clone, Debug)]
pub enum Step {
    Commit(Vec<Op>),
    /// A commit during which the log fails after this many calls, if there are as many.
    Fault(Vec<Op>, usize),
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    let hash = || prop::sample::select(&HASHES[..]);
    prop_oneof![
        8 => (hash(), 0..WRITTEN_KEYS).prop_map(|(hash, key)| Op::Put(hash, key)),
        2 => hash().prop_map(Op::PutBare),
        3 => (hash(), 0..WRITTEN_KEYS).prop_map(|(hash, key)| Op::Delete(hash, key)),
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

fn apply(store: &mut Store, ops: &[Op]) {
    for op in ops {
        match *op {
            Op::Put(hash, key) => store.put(hash, KEYS[key]),
            Op::PutBare(hash) => store.put_bare(hash),
            Op::Delete(hash, key) => store.delete(hash, KEYS[key]),
            Op::DeleteHash(hash) => store.delete_hash(hash),
        }
    }
}

/// Runs a history and compares all answers with the naive ones.
pub fn check(steps: &[Step], new_index: impl Fn() -> KeyIndexer) {
    let mut store = Store::new(new_index());
    for step in steps {
        match step {
            Step::Commit(ops) => {
                apply(&mut store, ops);
                store.commit().unwrap();
            }
            Step::Fault(ops, calls) => {
                apply(&mut store, ops);
                store.log.fail_after(*calls);
                let result = store.commit();
                store.log.heal();
                if result.is_err() {
                    check_all_tails(&store);
                    // A rejected commit must not stand in the way of the next.
                    apply(&mut store, ops);
                    store.commit().unwrap();
                }
            }
            Step::Reopen => store.reopen(new_index()),
        }
        check_writer_view(&store);
    }
    check_all_tails(&store);
    store.reopen(new_index());
    check_writer_view(&store);
    check_all_tails(&store);
}

/// Compares what a writer is told.
fn check_writer_view(store: &Store) {
    let Store { log, index, .. } = store;
    for hash in HASHES {
        let chains = Chains::newest(log, hash);
        assert_eq!(index.live_chains(hash), chains.live_ends(), "live chains of {hash}");
        let keyed = KEYS.map(ChainKey::Keyed);
        for identity in keyed.into_iter().chain([ChainKey::Bare]) {
            let current = index.current(hash, identity, log).unwrap();
            assert_eq!(current, chains.current(identity), "current {identity:?} of {hash}");
        }
    }
}

/// Compares what readers are told, at every tail the log ever had and at those between.
fn check_all_tails(store: &Store) {
    let Store { log, index, .. } = store;
    let mut locations = Vec::new();
    index.locate_batch(&HASHES, &mut locations);
    for (hash, location) in HASHES.into_iter().zip(locations) {
        assert_eq!(location, index.locate(hash));
        for tail in [0].into_iter().chain(log.iter().map(|(end, _)| end)) {
            check_tail(store, hash, tail);
        }
    }
}

fn check_tail(store: &Store, hash: u64, tail: u64) {
    let Store { log, index, .. } = store;
    let chains = Chains::at(log, hash, tail);

    let found = index.find_by_hash(hash, tail, log).unwrap();
    assert_eq!(found, chains.live_ends().last().copied(), "newest of {hash} at {tail}");
    for key in KEYS {
        let found = end_of(index.find(hash, key, tail, log)).unwrap();
        assert_eq!(found, chains.find(key), "{key:?} of {hash} at {tail}");
    }
    for (end, slot) in log.iter().filter(|(_, slot)| slot.hash == hash) {
        let is_current = index.is_current(hash, end, slot.identity(), tail, log).unwrap();
        let live_end = chains.live_end(slot.key.as_deref());
        assert_eq!(is_current, live_end == Some(end), "slot {end} at {tail}");
    }
}
