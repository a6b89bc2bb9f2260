//! A store reduced to what its index sees. It stages slots as the format requires, and commits
//! them.

use simd_r_drive_indexer::{Insertion, KeyIndexer};

use super::log::{Fault, Log, LogSlot};
use super::naive::Chains;

pub struct Store {
    pub log: Log,
    pub index: KeyIndexer,
    staged: Vec<Insertion>,
    committed_len: usize,
}

impl Store {
    pub fn new(index: KeyIndexer) -> Self {
        Self { log: Log::default(), index, staged: Vec::new(), committed_len: 0 }
    }

    fn stage(&mut self, hash: u64, key: Option<&[u8]>, is_tombstone: bool) {
        let newest = Chains::newest(&self.log, hash).chain(key);
        let previous_end = newest.map_or(0, |version| version.end);
        self.stage_over(hash, key, is_tombstone, previous_end);
    }

    /// Stages a slot whose previous version is known.
    pub fn stage_over(
        &mut self,
        hash: u64,
        key: Option<&[u8]>,
        is_tombstone: bool,
        previous_end: u64,
    ) {
        let is_bare = key.is_none();
        let key = key.map(<[u8]>::to_vec);
        let end = self.log.push(LogSlot { hash, key, is_tombstone, previous_end });
        self.staged.push(Insertion {
            hash,
            end,
            replaces: previous_end,
            is_tombstone,
            is_bare,
            is_new: false,
            is_settled: false,
        });
    }

    fn is_live(&self, hash: u64, key: Option<&[u8]>) -> bool {
        Chains::newest(&self.log, hash).live_end(key).is_some()
    }

    pub fn put(&mut self, hash: u64, key: &[u8]) {
        if self.is_live(hash, None) {
            self.stage(hash, None, true);
        }
        self.stage(hash, Some(key), false);
    }

    pub fn put_bare(&mut self, hash: u64) {
        for end in Chains::newest(&self.log, hash).live_ends() {
            if let Some(key) = self.log.at(end).key.clone() {
                self.stage(hash, Some(&key), true);
            }
        }
        self.stage(hash, None, false);
    }

    pub fn delete(&mut self, hash: u64, key: &[u8]) {
        for key in [Some(key), None] {
            if self.is_live(hash, key) {
                self.stage(hash, key, true);
            }
        }
    }

    pub fn delete_hash(&mut self, hash: u64) {
        for end in Chains::newest(&self.log, hash).live_ends() {
            let key = self.log.at(end).key.clone();
            self.stage(hash, key.as_deref(), true);
        }
    }

    /// Inserts what is staged. If that fails, the log is as before, too.
    pub fn commit(&mut self) -> Result<(), Fault> {
        let staged = std::mem::take(&mut self.staged);
        let result = self.index.insert_batch(&staged, &self.log);
        if result.is_err() {
            self.log.slots.truncate(self.committed_len);
        }
        self.committed_len = self.log.slots.len();
        result
    }

    /// Replaces the index by one built from the log.
    pub fn reopen(&mut self, index: KeyIndexer) {
        let tail = self.log.tail();
        for (end, slot) in self.log.iter().rev() {
            let newest = Chains::newest(&self.log, slot.hash).chain(slot.key.as_deref());
            let inserted = index
                .insert_older(slot.hash, end, slot.identity(), slot.is_tombstone, &self.log)
                .unwrap();
            assert_eq!(inserted, newest.unwrap().end == end, "slot {end} of a log up to {tail}");
        }
        self.index = index;
    }
}
