//! The commit builder: works out what a commit will append before the first byte is written.

use std::collections::{HashMap, HashSet};
use std::io;

use simd_r_drive_entry_handle::constants::MAX_FILE_LEN;
use simd_r_drive_entry_handle::{FormatError, Kind};
use simd_r_drive_indexer::{ChainKey, Current, Insertion, LiveKeyed, Version};
use simd_r_drive_writer::NewEntry;

use crate::error::StoreError;
use crate::log::{Delta, ReadState};

/// The entries of a commit, what the index needs to know of them, and how they change the totals.
///
/// Each chain appears at most once in a commit: callers first drop all but the last write of a key.
#[derive(Debug)]
pub(crate) struct CommitBuilder<'a> {
    state: &'a ReadState,
    entries: Vec<NewEntry<'a>>,
    /// One per entry. Ends count from the start of the commit.
    insertions: Vec<Insertion>,
    /// Ends of slots for which this commit already has a tombstone of its own.
    buried: HashSet<u64>,
    pub(crate) delta: Delta,
    /// Write time of the entries that follow; `None` is now.
    written_at: Option<u64>,
}

impl<'a> CommitBuilder<'a> {
    pub(crate) fn new(state: &'a ReadState, capacity: usize) -> Self {
        Self {
            state,
            entries: Vec::with_capacity(capacity),
            insertions: Vec::with_capacity(capacity),
            buried: HashSet::new(),
            delta: Delta::default(),
            written_at: None,
        }
    }

    /// Called before entry `number` of a batch with these hashes. Every so often, prefetches the
    /// index for the next look-ups, as many as fit in the nearest cache.
    #[inline]
    pub(crate) fn look_ahead(&self, hashes: &[u64], number: usize) {
        const AHEAD: usize = 128;
        if number.is_multiple_of(AHEAD) && hashes.len() > 1 {
            let end = hashes.len().min(number + AHEAD);
            self.state.index.prefetch_for_update(&hashes[number..end]);
        }
    }

    /// Sets the write time of the entries that follow, instead of now.
    pub(crate) fn stamp(&mut self, written_at: u64) {
        self.written_at = Some(written_at);
    }

    pub(crate) fn entries(&self) -> &[NewEntry<'a>] {
        &self.entries
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Total length of the slots in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.insertions.last().map_or(0, |last| last.end)
    }

    /// Where the slot of the last entry starts, from the start of the commit.
    pub(crate) fn last_start(&self) -> u64 {
        self.insertions.iter().rev().nth(1).map_or(0, |item| item.end)
    }

    /// The index insertions for the slots once they stand in the log from `start` on.
    pub(crate) fn insertions(&self, start: u64) -> Vec<Insertion> {
        let in_log = |item: &Insertion| Insertion { end: start + item.end, ..*item };
        self.insertions.iter().map(in_log).collect()
    }

    /// Adds a value under a key. Deletes a live bare entry of the hash: from now on the key
    /// decides.
    pub(crate) fn put(&mut self, hash: u64, key: &'a [u8], payload: &'a [u8]) -> io::Result<()> {
        let current = self.state.index.current(hash, ChainKey::Keyed(key), &*self.state.log)?;
        if let Some(end) = current.bare.and_then(Version::live_end) {
            self.bury(hash, end)?;
        }
        self.push_value(hash, key, false, payload, (current.keyed, current))
    }

    /// Adds a value under a hash alone. If one live key has the hash, it is deleted, because the
    /// new value answers for it.
    pub(crate) fn put_bare(
        &mut self,
        hash: u64,
        hash_bytes: &'a [u8; 8],
        payload: &'a [u8],
    ) -> io::Result<()> {
        let current = self.state.index.current(hash, ChainKey::Bare, &*self.state.log)?;
        match current.live_keyed {
            LiveKeyed::None => {}
            LiveKeyed::One(end) => self.bury(hash, end)?,
            LiveKeyed::Many(keys) => return Err(StoreError::AmbiguousHash { hash, keys }.into()),
        }
        self.push_value(hash, hash_bytes, true, payload, (current.bare, current))
    }

    /// Deletes a key, and a live bare entry of its hash.
    pub(crate) fn remove(&mut self, hash: u64, key: &[u8]) -> io::Result<()> {
        let current = self.state.index.current(hash, ChainKey::Keyed(key), &*self.state.log)?;
        for version in [current.keyed, current.bare].into_iter().flatten() {
            if let Some(end) = version.live_end() {
                self.bury(hash, end)?;
            }
        }
        Ok(())
    }

    /// Deletes everything that is live under a hash.
    pub(crate) fn remove_hash(&mut self, hash: u64) -> io::Result<()> {
        for end in self.state.index.live_chains(hash, &*self.state.log)? {
            self.bury(hash, end)?;
        }
        Ok(())
    }

    /// Adds a value copied from another log, and leaves the other chains of its hash alone: if it
    /// superseded any, that log has tombstones for them.
    pub(crate) fn put_chain(
        &mut self,
        hash: u64,
        identity: ChainKey<'_>,
        key: &'a [u8],
        payload: &'a [u8],
    ) -> io::Result<()> {
        let current = self.state.index.current(hash, identity, &*self.state.log)?;
        let is_bare = identity == ChainKey::Bare;
        let previous = if is_bare { current.bare } else { current.keyed };
        self.push_value(hash, key, is_bare, payload, (previous, current))
    }

    /// Deletes a single chain, if it is live, and no other of its hash.
    pub(crate) fn remove_chain(&mut self, hash: u64, identity: ChainKey<'_>) -> io::Result<()> {
        let current = self.state.index.current(hash, identity, &*self.state.log)?;
        let previous = if identity == ChainKey::Bare { current.bare } else { current.keyed };
        match previous.and_then(Version::live_end) {
            Some(end) => self.bury(hash, end),
            None => Ok(()),
        }
    }

    /// Adds a tombstone for the chain whose live slot ends at `end`, unless this commit has one
    /// already.
    pub(crate) fn bury(&mut self, hash: u64, end: u64) -> io::Result<()> {
        if !self.buried.insert(end) {
            return Ok(());
        }
        let slot = self.state.slot_at(end)?;
        // The key is sealed anew.
        self.state.check_seal(&slot)?;
        let tombstone = NewEntry {
            kind: Kind::Tombstone,
            key: slot.key(),
            is_bare: slot.fields().is_bare(),
            payload: &[],
            previous_end: end,
            replaces_live: true,
            is_new_hash: false,
            written_at: self.written_at,
        };
        let tombstone_len = self.push(hash, tombstone, false)?;
        self.delta.live_keys -= 1;
        self.delta.dead_slots += 2;
        self.delta.dead_bytes += slot.end - slot.start + tombstone_len;
        Ok(())
    }

    /// Adds a value that follows `previous` in its chain. `current` is what the index holds.
    fn push_value(
        &mut self,
        hash: u64,
        key: &'a [u8],
        is_bare: bool,
        payload: &'a [u8],
        (previous, current): (Option<Version>, Current),
    ) -> io::Result<()> {
        let replaced = previous.and_then(Version::live_end);
        match replaced {
            Some(end) => {
                let slot = self.state.slot_at(end)?;
                self.delta.dead_slots += 1;
                self.delta.dead_bytes += slot.end - slot.start;
            }
            None => self.delta.live_keys += 1,
        }
        let value = NewEntry {
            kind: Kind::Value,
            key,
            is_bare,
            payload,
            previous_end: previous.map_or(0, |version| version.end),
            replaces_live: replaced.is_some(),
            is_new_hash: !current.is_known_hash,
            written_at: self.written_at,
        };
        self.push(hash, value, current.is_settled)?;
        Ok(())
    }

    /// Adds an entry. Returns the length of its slot in bytes.
    fn push(&mut self, hash: u64, entry: NewEntry<'a>, is_settled: bool) -> io::Result<u64> {
        let slot_len = self.state.layout.slot_len(entry.payload.len(), entry.key.len())?;
        let Some(end) = self.len().checked_add(slot_len) else {
            return Err(FormatError::StoreFull { max: MAX_FILE_LEN }.into());
        };
        self.insertions.push(Insertion {
            hash,
            end,
            replaces: entry.previous_end,
            is_tombstone: entry.kind == Kind::Tombstone,
            is_bare: entry.is_bare,
            is_new: entry.is_new_hash,
            is_settled,
        });
        self.entries.push(entry);
        Ok(slot_len)
    }
}

/// For each entry of a batch, whether a later one has the same key. `None` in the usual case that
/// no hash occurs twice.
///
/// `key` returns the key of an entry. Without keys (bare hashes), all entries of a hash are the
/// same.
pub(crate) fn superseded_in_batch<'k>(
    hashes: &[u64],
    key: impl Fn(usize) -> Option<&'k [u8]>,
) -> Option<Vec<bool>> {
    if hashes.len() < 2 {
        return None;
    }
    let mut sorted = hashes.to_vec();
    sorted.sort_unstable();
    if sorted.windows(2).all(|pair| pair[0] != pair[1]) {
        return None;
    }
    let mut last_of_key = HashMap::with_capacity(hashes.len());
    let mut superseded = vec![false; hashes.len()];
    for (number, hash) in hashes.iter().enumerate() {
        if let Some(earlier) = last_of_key.insert((*hash, key(number)), number) {
            superseded[earlier] = true;
        }
    }
    Some(superseded)
}
