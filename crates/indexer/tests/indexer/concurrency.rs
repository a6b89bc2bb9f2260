//! Every published key can be found at all times, while a writer turns single chains into groups.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use simd_r_drive_indexer::{ChainKey, Insertion, KeyIndexer, LiveKeyed};

use crate::support::log::{Log, LogSlot, end_of};

const HASHES: u64 = 2_000;
const ROUNDS: u64 = 6;
const READERS: usize = 3;

/// Each round gives every hash one more key and a new version of its first key.
fn whole_log() -> (Log, Vec<Vec<Insertion>>) {
    let mut log = Log::default();
    let mut commits = Vec::new();
    let mut firsts = vec![0; HASHES as usize];
    for round in 0..ROUNDS {
        for hash in 0..HASHES {
            let mut commit = Vec::new();
            for number in if round == 0 { vec![0] } else { vec![round, 0] } {
                let previous_end = if number == 0 { firsts[hash as usize] } else { 0 };
                let slot = LogSlot {
                    hash,
                    key: Some(vec![number as u8]),
                    is_tombstone: false,
                    previous_end,
                };
                let end = log.push(slot);
                if number == 0 {
                    firsts[hash as usize] = end;
                }
                let (is_tombstone, is_bare) = (false, false);
                commit.push(Insertion {
                    hash,
                    end,
                    replaces: previous_end,
                    is_tombstone,
                    is_bare,
                    is_new: false,
                    is_settled: false,
                });
            }
            commits.push(commit);
        }
    }
    (log, commits)
}

#[test]
fn readers_never_miss_a_key() {
    let (log, commits) = whole_log();
    let index = KeyIndexer::new();
    // How many commits are published.
    let published = AtomicU64::new(0);
    let last_of = |commit: u64| commits[commit as usize].last().unwrap().end;

    thread::scope(|scope| {
        for reader in 0..READERS {
            let (log, index, published) = (&log, &index, &published);
            scope.spawn(move || {
                let mut hash = reader as u64;
                let mut seen = 0;
                while seen < HASHES * ROUNDS {
                    seen = published.load(Ordering::Acquire);
                    // Near the writer, where groups are being founded, and anywhere else.
                    for target in [hash % HASHES, seen % HASHES, (seen + 1) % HASHES] {
                        check(
                            index,
                            log,
                            target,
                            seen,
                            if seen == 0 { 0 } else { last_of(seen - 1) },
                        );
                    }
                    hash = hash.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1) >> 1;
                }
            });
        }
        for (commit, number) in commits.iter().zip(1..) {
            index.insert_batch(commit, &log).unwrap();
            published.store(number, Ordering::Release);
        }
    });

    let current = index.current(0, ChainKey::Bare, &log).unwrap();
    assert_eq!(current.live_keyed, LiveKeyed::Many(ROUNDS as usize));
}

/// Of `hash`, exactly the keys of the rounds published at `tail` are there.
fn check(index: &KeyIndexer, log: &Log, hash: u64, published: u64, tail: u64) {
    let rounds = published / HASHES + u64::from(hash < published % HASHES);
    for number in 0..ROUNDS {
        let end = end_of(index.find(hash, &[number as u8], tail, log)).unwrap();
        assert_eq!(end.is_some(), number < rounds, "key {number} of {hash} at {tail}");
        if let Some(end) = end {
            assert!(end <= tail);
            assert_eq!(log.at(end).hash, hash);
            assert_eq!(log.at(end).key, Some(vec![number as u8]));
        }
    }
    assert_eq!(index.find_by_hash(hash, tail, log).unwrap().is_some(), rounds > 0);
}
