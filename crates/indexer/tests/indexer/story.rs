//! The life of a few entries, one call at a time.

use simd_r_drive_indexer::{
    ChainKey, Current, Insertion, KeyIndexer, LiveKeyed, MAX_SLOT_END, SlotRef, SlotSource, Version,
};

use crate::support::log::{Fault, Log, end_of};
use crate::support::store::Store;

const HASH: u64 = 42;

#[test]
fn a_deleted_key_is_gone_but_not_at_the_old_tail() {
    let mut store = Store::new(KeyIndexer::new());
    store.put(HASH, b"key");
    store.commit().unwrap();
    let written = store.log.tail();
    store.delete(HASH, b"key");
    store.commit().unwrap();

    let Store { log, index, .. } = &store;
    assert_eq!(end_of(index.find(HASH, b"key", log.tail(), log)), Ok(None));
    assert_eq!(end_of(index.find(HASH, b"key", written, log)), Ok(Some(written)));
    assert_eq!(end_of(index.find(HASH, b"key", written - 1, log)), Ok(None));
    assert!(index.live_chains(HASH).is_empty());
}

#[test]
fn a_tombstone_answers_without_a_look_at_the_log() {
    let mut store = Store::new(KeyIndexer::new());
    store.put(HASH, b"key");
    store.delete(HASH, b"key");
    store.commit().unwrap();

    let calls = store.log.calls();
    assert_eq!(end_of(store.index.find(HASH, b"key", store.log.tail(), &store.log)), Ok(None));
    assert_eq!(end_of(store.index.find(HASH + 1, b"key", store.log.tail(), &store.log)), Ok(None));
    assert_eq!(store.log.calls(), calls);
    assert_eq!(store.index.locate(HASH).unwrap().prefetch_end(), None);
}

#[test]
fn a_bare_entry_answers_for_every_key_of_its_hash() {
    let mut store = Store::new(KeyIndexer::new());
    store.put(HASH, b"key");
    store.commit().unwrap();
    store.put_bare(HASH);
    store.commit().unwrap();
    let bare_tail = store.log.tail();

    let Store { log, index, .. } = &store;
    for key in [&b"key"[..], b"other"] {
        assert_eq!(end_of(index.find(HASH, key, bare_tail, log)), Ok(Some(bare_tail)));
    }
    let current = index.current(HASH, ChainKey::Keyed(b"key"), log).unwrap();
    let bare = Version { end: bare_tail, is_tombstone: false };
    assert_eq!(current.bare, Some(bare));
    assert_eq!(current.keyed.unwrap().live_end(), None);
    assert_eq!(current.live_keyed, LiveKeyed::None);

    // A keyed write takes its place again.
    store.put(HASH, b"other");
    store.commit().unwrap();
    let Store { log, index, .. } = &store;
    assert_eq!(end_of(index.find(HASH, b"key", log.tail(), log)), Ok(None));
    assert_eq!(end_of(index.find(HASH, b"other", log.tail(), log)), Ok(Some(log.tail())));
    assert_eq!(end_of(index.find(HASH, b"other", bare_tail, log)), Ok(Some(bare_tail)));
}

#[test]
fn live_keyed_lines_are_counted_without_the_bare_one() {
    // No store leaves a hash like this, but within a commit it may be on the way.
    let mut store = Store::new(KeyIndexer::new());
    for key in [Some(&b"key"[..]), None] {
        store.stage_over(HASH, key, false, 0);
    }
    store.commit().unwrap();

    let Store { log, index, .. } = &store;
    let current = index.current(HASH, ChainKey::Bare, log).unwrap();
    assert_eq!(current.live_keyed, LiveKeyed::One(Log::end_of(0)));
    assert_eq!(current.bare, Some(Version { end: Log::end_of(1), is_tombstone: false }));
    assert_eq!(end_of(index.find(HASH, b"key", log.tail(), log)), Ok(Some(Log::end_of(0))));
    assert_eq!(end_of(index.find(HASH, b"other", log.tail(), log)), Ok(Some(Log::end_of(1))));
}

#[test]
fn a_location_answers_for_the_tail_it_was_taken_at() {
    let mut store = Store::new(KeyIndexer::new());
    store.put(HASH, b"key");
    store.commit().unwrap();
    let tail = store.log.tail();
    let location = store.index.locate(HASH).unwrap();
    assert_eq!(location.prefetch_end(), Some(tail));

    store.put(HASH, b"key");
    store.put(HASH, b"other");
    store.commit().unwrap();

    let Store { log, index, .. } = &store;
    assert_eq!(end_of(index.resolve(location, HASH, b"key", tail, log)), Ok(Some(tail)));
    assert_eq!(end_of(index.resolve(location, HASH, b"other", tail, log)), Ok(None));
    assert_eq!(index.resolve_by_hash(location, HASH, tail, log), Ok(Some(tail)));
}

#[test]
fn a_batch_of_thousands_finds_every_place() {
    let mut store = Store::new(KeyIndexer::with_capacity(5_000));
    for hash in 0..5_000 {
        store.stage_over(hash, Some(b"key"), false, 0);
    }
    store.commit().unwrap();

    let Store { log, index, .. } = &store;
    for hash in 0..5_001 {
        let end = (hash < 5_000).then(|| Log::end_of(hash as usize));
        assert_eq!(index.locate(hash).is_some(), end.is_some());
        assert_eq!(end_of(index.find(hash, b"key", log.tail(), log)), Ok(end));
    }
    assert_eq!(index.stats().hashes, 5_000);
    assert_eq!(index.stats().chains, 5_000);
    assert_eq!(index.stats().groups, 0);
}

#[test]
fn an_error_of_the_log_leaves_no_trace() {
    let mut store = Store::new(KeyIndexer::new());
    store.put(HASH, b"key");
    store.commit().unwrap();
    let tail = store.log.tail();

    store.log.fail_after(0);
    assert_eq!(end_of(store.index.find(HASH, b"key", tail, &store.log)), Err(Fault));
    assert_eq!(store.index.current(HASH, ChainKey::Keyed(b"key"), &store.log), Err(Fault));
    store.put(HASH, b"key");
    store.put(HASH + 1, b"other hash");
    store.put(HASH, b"other key");
    assert_eq!(store.commit(), Err(Fault));
    store.log.heal();

    assert_eq!(store.index.live_chains(HASH), [tail]);
    assert_eq!(store.index.locate(HASH + 1), None);
    store.put(HASH, b"other key");
    store.commit().unwrap();
    assert_eq!(store.index.live_chains(HASH), [tail, store.log.tail()]);
}

#[test]
fn a_batch_that_fails_at_its_end_leaves_no_trace() {
    let mut store = Store::new(KeyIndexer::new());
    store.put(HASH, b"key");
    store.commit().unwrap();
    let before = store.index.stats();

    store.log.fail_after(0);
    for hash in HASH + 1..HASH + 3_000 {
        store.stage_over(hash, Some(b"key"), false, 0);
    }
    store.stage_over(HASH, Some(b"other key"), false, 0);
    assert_eq!(store.commit(), Err(Fault));
    store.log.heal();

    assert_eq!(store.index.stats().hashes, before.hashes);
    assert_eq!(store.index.stats().chains, before.chains);
    assert_eq!(
        end_of(store.index.find(HASH, b"key", store.log.tail(), &store.log)),
        Ok(Some(store.log.tail()))
    );
}

#[test]
fn a_link_that_does_not_point_down_ends_the_line() {
    struct Circle;

    impl SlotSource for Circle {
        type Error = Fault;
        type Slot<'a> = SlotRef<'a>;

        fn slot(&self, end: u64) -> Result<SlotRef<'_>, Fault> {
            let chain_key = ChainKey::Keyed(b"key");
            Ok(SlotRef { end, chain_key, hash: HASH, is_tombstone: false, previous_end: end })
        }
    }

    let index = KeyIndexer::new();
    let item = Insertion {
        hash: HASH,
        end: 128,
        replaces: 0,
        is_tombstone: false,
        is_bare: false,
        is_new: false,
        is_settled: false,
    };
    index.insert(&item, &Circle).unwrap();
    assert_eq!(end_of(index.find(HASH, b"key", 64, &Circle)), Ok(None));
}

#[test]
fn an_empty_index_has_nothing() {
    let (index, log) = (KeyIndexer::default(), Log::default());
    assert_eq!(end_of(index.find(HASH, b"key", MAX_SLOT_END, &log)), Ok(None));
    assert_eq!(index.find_by_hash(HASH, MAX_SLOT_END, &log), Ok(None));
    assert_eq!(index.is_current(HASH, 64, ChainKey::Bare, 64, &log), Ok(false));
    let nothing = Current { is_settled: true, ..Current::default() };
    assert_eq!(index.current(HASH, ChainKey::Bare, &log), Ok(nothing));
    assert_eq!(index.insert_batch(&[], &log), Ok(()));
    assert!(format!("{index:?}").contains("hashes: 0"));
}

#[test]
fn tags_and_packed_words_are_total() {
    assert_eq!(KeyIndexer::tag_from_hash(0xABCD_0000_0000_1234), 0xABCD);
    // XXH3-64 of the empty string.
    assert_eq!(KeyIndexer::tag_from_key(b""), 0x2D06);
    for tag in [0, 1, 0xABCD, u16::MAX] {
        for offset in [0, 1, MAX_SLOT_END, (1 << 48) - 1] {
            assert_eq!(KeyIndexer::unpack(KeyIndexer::pack(tag, offset)), (tag, offset));
        }
    }
    assert_eq!(KeyIndexer::unpack(KeyIndexer::pack(7, u64::MAX)), (7, (1 << 48) - 1));
}

#[test]
fn the_index_may_be_shared_between_threads() {
    fn assert_shared<T: Send + Sync + 'static>() {}
    assert_shared::<KeyIndexer>();
}
