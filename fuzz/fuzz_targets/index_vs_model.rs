//! The index gives the same answers as a scan of the log, at every tail that the log has had, also
//! after it has been rebuilt and after commits that failed halfway.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use simd_r_drive_indexer::{ChainKey, KeyIndexer};

/// The log in memory and the naive model of the indexer's own tests.
#[allow(dead_code, unreachable_pub)]
#[path = "../../crates/indexer/tests/support"]
mod support {
    pub mod log;
    pub mod naive;
    pub mod store;
}

use support::log::end_of;
use support::naive::Chains;
use support::store::Store;

const HASHES: [u64; 5] = [0, 1, 2, 1 << 63, u64::MAX];
const KEYS: [&[u8]; 7] = [b"", b"a", b"b", b"c", b"d", b"e", b"never written"];
const WRITTEN_KEYS: u8 = 6;

/// The most operations in one run. Each answer costs a scan of the log.
const MAX_OPS: usize = 64;

#[derive(Debug, Arbitrary)]
enum Step {
    Commit(Vec<Op>),
    /// A commit during which the log fails after this many calls, if there are more.
    Fault(Vec<Op>, u8),
    Reopen,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Op {
    Put(u8, u8),
    PutBare(u8),
    Delete(u8, u8),
    DeleteHash(u8),
}

fuzz_target!(|steps: Vec<Step>| {
    let mut store = Store::new(KeyIndexer::new());
    let mut left = MAX_OPS;
    for step in &steps {
        match step {
            Step::Commit(ops) => {
                apply(&mut store, ops, &mut left);
                store.commit().expect("the log does not fail");
            }
            Step::Fault(ops, calls) => {
                apply(&mut store, ops, &mut left);
                store.log.fail_after(usize::from(*calls));
                let result = store.commit();
                store.log.heal();
                if result.is_err() {
                    check_readers(&store);
                    // A rejected commit must not prevent the next one.
                    left = left.saturating_add(ops.len()).min(MAX_OPS);
                    apply(&mut store, ops, &mut left);
                    store.commit().expect("the log does not fail");
                }
            }
            Step::Reopen => store.reopen(KeyIndexer::new()),
        }
        check_writer(&store);
        if left == 0 {
            break;
        }
        left -= 1;
    }
    check_readers(&store);
    store.reopen(KeyIndexer::new());
    check_writer(&store);
    check_readers(&store);
});

fn apply(store: &mut Store, ops: &[Op], left: &mut usize) {
    let hash = |number: u8| HASHES[usize::from(number) % HASHES.len()];
    let key = |number: u8| KEYS[usize::from(number % WRITTEN_KEYS)];
    for op in ops.iter().take(*left) {
        match *op {
            Op::Put(h, k) => store.put(hash(h), key(k)),
            Op::PutBare(h) => store.put_bare(hash(h)),
            Op::Delete(h, k) => store.delete(hash(h), key(k)),
            Op::DeleteHash(h) => store.delete_hash(hash(h)),
        }
    }
    *left = left.saturating_sub(ops.len());
}

/// Compares the answers for a writer.
fn check_writer(store: &Store) {
    let Store { log, index, .. } = store;
    for hash in HASHES {
        let chains = Chains::newest(log, hash);
        assert_eq!(index.live_chains(hash), chains.live_ends(), "live lines of {hash}");
        let keyed = KEYS.map(ChainKey::Keyed);
        for identity in keyed.into_iter().chain([ChainKey::Bare]) {
            let current = index.current(hash, identity, log).expect("the log does not fail");
            assert_eq!(current, chains.current(identity), "{identity:?} of {hash}");
        }
    }
}

/// Compares the answers for readers, at every tail that the log has had.
fn check_readers(store: &Store) {
    let Store { log, index, .. } = store;
    for tail in [0].into_iter().chain(log.iter().map(|(end, _)| end)) {
        for hash in HASHES {
            let chains = Chains::at(log, hash, tail);
            let newest = index.find_by_hash(hash, tail, log).expect("the log does not fail");
            assert_eq!(newest, chains.live_ends().last().copied(), "{hash} at {tail}");
            for key in KEYS {
                let found = end_of(index.find(hash, key, tail, log)).expect("the log does not fail");
                assert_eq!(found, chains.find(key), "{key:?} of {hash} at {tail}");
            }
            for (end, slot) in log.iter().filter(|(_, slot)| slot.hash == hash) {
                let is_current = index
                    .is_current(hash, end, slot.identity(), tail, log)
                    .expect("the log does not fail");
                let live_end = chains.live_end(slot.key.as_deref());
                assert_eq!(is_current, live_end == Some(end), "slot {end} at {tail}");
            }
        }
    }
}
