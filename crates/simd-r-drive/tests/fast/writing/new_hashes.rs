//! The flag NEW_HASH, with which an index is brought up to date without reading older tables. A
//! slot has it if and only if no slot of an earlier commit has its hash. If it were set on another
//! slot, a key would be lost.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use simd_r_drive::traits::DataStoreWriter;
use simd_r_drive::{DataStore, compute_hash};
use simd_r_drive_entry_handle::{Identity, LogCursor};

use crate::support::{keys_of_one_hash, new_path};

#[derive(Debug, Clone)]
enum Op {
    Put(Vec<usize>),
    PutBare(usize),
    Delete(usize),
    DeleteHash(usize),
    Checkpoint,
    Compact,
    Reopen,
}

const KEYS: usize = 12;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => vec(0..KEYS, 1..4).prop_map(Op::Put),
        2 => (0..KEYS).prop_map(Op::PutBare),
        2 => (0..KEYS).prop_map(Op::Delete),
        1 => (0..KEYS).prop_map(Op::DeleteHash),
        2 => Just(Op::Checkpoint),
        1 => Just(Op::Compact),
        1 => Just(Op::Reopen),
    ]
}

/// For each commit, oldest first, the hash of each slot with a key, and whether the flag says that
/// it is new.
fn commits(path: &Path) -> Vec<Vec<(u64, bool)>> {
    let bytes = fs::read(path).unwrap();
    let identity = Identity::decode(&bytes).unwrap().unwrap();
    let mut cursor = LogCursor::new(&bytes[..], identity.layout(), bytes.len() as u64, None);
    let mut commits = Vec::new();
    while let Some(slot) = cursor.previous().unwrap() {
        let trailer = slot.trailer;
        if trailer.is_commit() {
            commits.push(Vec::new());
        }
        if trailer.kind.is_keyed() {
            let hash = match slot.key.first_chunk() {
                Some(hash) if trailer.is_bare() => u64::from_le_bytes(*hash),
                _ => compute_hash(slot.key),
            };
            commits.last_mut().unwrap().push((hash, trailer.is_new_hash()));
        }
    }
    commits.reverse();
    commits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn slots_say_whether_their_hash_is_new(ops in vec(op(), 1..30)) {
        let (_directory, path) = new_path();
        let mut keys: Vec<Vec<u8>> = keys_of_one_hash(4).into_iter().map(|key| key.to_vec()).collect();
        keys.extend((4..KEYS).map(|number| format!("key {number}").into_bytes()));
        let mut store = DataStore::open(&path).unwrap();
        let mut is_compacted = false;
        for op in &ops {
            match op {
                Op::Put(numbers) => {
                    let entries: Vec<_> = numbers.iter().map(|key| (&keys[*key][..], &b"value"[..])).collect();
                    store.batch_write(&entries).unwrap();
                }
                // Refused where several keys have the hash.
                Op::PutBare(key) => drop(store.write_with_key_hash(compute_hash(&keys[*key]), b"bare")),
                Op::Delete(key) => drop(store.delete(&keys[*key]).unwrap()),
                Op::DeleteHash(key) => drop(store.batch_delete_key_hashes(&[compute_hash(&keys[*key])]).unwrap()),
                Op::Checkpoint => store.checkpoint().unwrap(),
                Op::Compact => {
                    store.compact().unwrap();
                    is_compacted = true;
                }
                Op::Reopen => {
                    store.close().unwrap();
                    drop(store);
                    store = DataStore::open(&path).unwrap();
                }
            }
        }
        store.close().unwrap();
        let mut known = HashSet::new();
        for commit in commits(&path) {
            for (hash, is_new) in &commit {
                prop_assert!(!is_new || !known.contains(hash), "{hash} is not new");
                // What compaction copies says nothing.
                prop_assert!(is_compacted || *is_new || known.contains(hash), "{hash} is new");
            }
            known.extend(commit.into_iter().map(|(hash, _)| hash));
        }
    }
}
