//! Each of 100,000 keys with the same hash costs no more than a key with a hash of its own.

use simd_r_drive_indexer::{ChainKey, KeyIndexer, LiveKeyed, Version};

use crate::support::log::end_of;
use crate::support::store::Store;

const KEYS: usize = 100_000;
const HASH: u64 = 7;

fn key(number: usize) -> [u8; 8] {
    (number as u64).to_le_bytes()
}

/// Writes a new version of every key, `per_commit` in a commit. Like a store, it looks up the
/// current version, then inserts. Returns how many calls of the source that took.
fn write_all(store: &mut Store, is_tombstone: bool, per_commit: usize) -> usize {
    let calls = store.log.calls();
    for first in (0..KEYS).step_by(per_commit) {
        for number in first..(first + per_commit).min(KEYS) {
            let key = key(number);
            let identity = ChainKey::Keyed(&key);
            let current = store.index.current(HASH, identity, &store.log).unwrap();
            let previous_end = current.keyed.map_or(0, |Version { end, .. }| end);
            store.stage_over(HASH, Some(&key), is_tombstone, previous_end);
        }
        store.commit().unwrap();
    }
    store.log.calls() - calls
}

fn find_all(store: &Store, tail: u64) -> (usize, usize) {
    let calls = store.log.calls();
    let found = (0..KEYS).filter(|&number| {
        let key = key(number);
        let end = end_of(store.index.find(HASH, &key, tail, &store.log)).unwrap();
        end.inspect(|&end| assert_eq!(store.log.at(end).key.as_deref(), Some(&key[..]))).is_some()
    });
    (found.count(), store.log.calls() - calls)
}

#[test]
fn each_operation_asks_the_log_a_few_times_a_key() {
    for per_commit in [1, 1_000] {
        let mut store = Store::new(KeyIndexer::new());

        // The new slot's key; for the first two also that of the line they meet.
        assert!(write_all(&mut store, false, per_commit) <= KEYS + 3);
        let full_tail = store.log.tail();
        // Once to compare the key, once for the answer.
        assert_eq!(find_all(&store, full_tail), (KEYS, 2 * KEYS));
        assert_eq!(store.index.stats().chains, KEYS);
        assert_eq!(store.index.stats().groups, 1);
        assert_eq!(store.index.live_chains(HASH).len(), KEYS);

        // A key that is not there is told from the others without one look at them.
        let calls = store.log.calls();
        assert_eq!(end_of(store.index.find(HASH, b"absent", full_tail, &store.log)), Ok(None));
        assert_eq!(store.log.calls(), calls);

        // Its own key, and that of the version it deletes.
        assert!(write_all(&mut store, true, per_commit) <= 2 * KEYS);
        assert_eq!(find_all(&store, store.log.tail()), (0, KEYS));
        let current = store.index.current(HASH, ChainKey::Bare, &store.log).unwrap();
        assert_eq!(current.live_keyed, LiveKeyed::None);

        // At the older tail all are there: the newest slot, to compare the key and to follow its
        // link; then the one below it, to see whether it is live and for the answer.
        let (found, calls) = find_all(&store, full_tail);
        assert_eq!(found, KEYS);
        assert!(calls <= 4 * KEYS);
    }
}

#[test]
fn replay_asks_the_log_once_a_slot() {
    let mut store = Store::new(KeyIndexer::new());
    write_all(&mut store, false, 1_000);
    write_all(&mut store, false, 1_000);

    let index = KeyIndexer::new();
    let calls = store.log.calls();
    let inserted = store.log.iter().rev().filter(|(end, slot)| {
        index.insert_older(HASH, *end, slot.identity(), slot.is_tombstone, &store.log).unwrap()
    });
    assert_eq!(inserted.count(), KEYS);
    // Nothing for a line's newest slot, one call for each slot that such a one outdates.
    assert!(store.log.calls() - calls <= KEYS + 2);
    store.index = index;
    assert_eq!(find_all(&store, store.log.tail()), (KEYS, 2 * KEYS));
}

#[test]
fn the_newest_live_line_is_found_past_dead_ones() {
    let mut store = Store::new(KeyIndexer::new());
    write_all(&mut store, false, 1_000);
    let full_tail = store.log.tail();
    for number in 1..KEYS {
        let current = store.index.current(HASH, ChainKey::Keyed(&key(number)), &store.log).unwrap();
        store.stage_over(HASH, Some(&key(number)), true, current.keyed.unwrap().end);
    }
    store.commit().unwrap();

    let calls = store.log.calls();
    let first = store.index.live_chains(HASH)[0];
    let tail = store.log.tail();
    assert_eq!(store.index.find_by_hash(HASH, tail, &store.log), Ok(Some(first)));
    assert_eq!(store.log.calls(), calls);

    // At the older tail each line that changed since has to be asked, twice.
    assert_eq!(store.index.find_by_hash(HASH, full_tail, &store.log), Ok(Some(full_tail)));
    assert!(store.log.calls() - calls <= 2 * KEYS);
}
