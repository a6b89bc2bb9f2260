//! Histories of a store, checked at every tail.

use simd_r_drive_indexer::{ChainKey, KeyIndexer};

use super::log::end_of;
use super::naive::Chains;
use super::store::Store;

const HASHES: [u64; 5] = [0, 1, u64::MAX, 2, 1 << 63];
const KEYS: [&[u8]; 7] = [b"", b"a", b"b", b"c", b"d", b"e", b"never written"];
const WRITTEN_KEYS: usize = KEYS.len() - 1;

/// Any number of a hash, and of a key, stands for one of the few.
#[derive(Clone, Debug)]
pub enum Op {
    Put(u8, u8),
    PutBare(u8),
    Delete(u8, u8),
    DeleteHash(u8),
}

#[derive(Clone, Debug)]
pub enum Step {
    Commit(Vec<Op>),
    /// A commit during which the log fails after this many calls, if there are as many.
    Fault(Vec<Op>, usize),
    Reopen,
}

fn apply(store: &mut Store, ops: &[Op]) {
    let hash = |number: u8| HASHES[usize::from(number) % HASHES.len()];
    let key = |number: u8| KEYS[usize::from(number) % WRITTEN_KEYS];
    for op in ops {
        match *op {
            Op::Put(h, k) => store.put(hash(h), key(k)),
            Op::PutBare(h) => store.put_bare(hash(h)),
            Op::Delete(h, k) => store.delete(hash(h), key(k)),
            Op::DeleteHash(h) => store.delete_hash(hash(h)),
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
    for hash in HASHES {
        for tail in [0].into_iter().chain(store.log.iter().map(|(end, _)| end)) {
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
