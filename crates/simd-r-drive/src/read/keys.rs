//! Listing keys without reading values.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use simd_r_drive_entry_handle::{
    Damage, FormatError, Kind, LogSlot, Trailer, compute_hash, read_slot,
};
use simd_r_drive_indexer::ChainKey;

use crate::log::{DeadSlot, Direction, ReadState, Superseded, Through, Totals, Window, chain_of};
use crate::read::Snapshot;
use crate::read::lookup::about_key;
use crate::store::DataStore;

/// Number of slots to prefetch for, so that cache misses of the index overlap.
const AHEAD: usize = 32;

/// What the slot of a live entry tells without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The key's bytes; `None` if the entry was written by hash alone.
    pub key: Option<Vec<u8>>,
    /// Hash of the key.
    pub key_hash: u64,
    /// Length of the value in bytes.
    pub value_len: u64,
    /// When it was written, to 10 ms, by the clock of the writing machine.
    pub written_at: SystemTime,
}

impl KeyInfo {
    fn new(key: Option<&[u8]>, key_hash: u64, trailer: &Trailer) -> Self {
        let age = Duration::from_millis(trailer.written_at.saturating_mul(10));
        Self {
            key: key.map(<[u8]>::to_vec),
            key_hash,
            value_len: trailer.payload_len,
            written_at: SystemTime::UNIX_EPOCH.checked_add(age).unwrap_or(SystemTime::UNIX_EPOCH),
        }
    }
}

/// Live entries of a store without their values, as of the iterator's creation, newest first. See
/// [`DataStore::keys`].
///
/// It holds no lock. Writes do not disturb it, and it may outlive the store. The first error is the
/// last item.
#[derive(Debug)]
pub struct Keys {
    state: Arc<ReadState>,
    totals: Totals,
    prefix: Vec<u8>,
    window: Window,
    /// End of the next slot to read; 0 when reading is over.
    position: u64,
    /// The lower half of that slot's seal, if the slot above it has been read.
    expected: Option<u32>,
    superseded: Superseded,
    /// Slots that may be live, newest first.
    ahead: VecDeque<Candidate>,
    /// The error that ended reading, returned once `ahead` is empty.
    error: Option<io::Error>,
}

/// A slot of a value.
#[derive(Debug)]
struct Candidate {
    info: KeyInfo,
    end: u64,
}

impl Keys {
    fn new(state: Arc<ReadState>, totals: Totals, prefix: &[u8]) -> Self {
        Self {
            window: Window::new(totals.tail, Direction::Backward),
            position: totals.tail,
            prefix: prefix.to_vec(),
            state,
            totals,
            expected: None,
            superseded: Superseded::default(),
            ahead: VecDeque::with_capacity(AHEAD),
            error: None,
        }
    }

    fn next_key(&mut self) -> io::Result<Option<KeyInfo>> {
        loop {
            while self.ahead.len() < AHEAD && self.position > 0 {
                if let Err(error) = self.read_slot() {
                    self.error = Some(error);
                    self.position = 0;
                }
            }
            let Some(candidate) = self.ahead.pop_front() else {
                return self.error.take().map_or(Ok(None), Err);
            };
            if self.is_live(&candidate)? {
                return Ok(Some(candidate.info));
            }
        }
    }

    /// Reads the key and the trailer of the next slot.
    fn read_slot(&mut self) -> io::Result<()> {
        let state = Arc::clone(&self.state);
        let end = state.skip_damage(self.position);
        if end != self.position {
            (self.position, self.expected) = (end, None);
        }
        if end <= state.layout.header_len() {
            self.position = 0;
            // If part of the log is lost, there may have been more keys.
            return Ok(state.refuse_damage()?);
        }
        let mut source = Through { file: &*state.file, window: &mut self.window };
        let slot = read_slot(&mut source, &state.layout, end)?;
        if self.expected.is_some_and(|expected| expected != slot.seal.self_half()) {
            return Err(FormatError::damaged(end, Damage::Link).into());
        }
        (self.position, self.expected) = (slot.start, Some(slot.predecessor));
        if let Some(candidate) = candidate(&slot, &self.prefix, &mut self.superseded) {
            state.index.prefetch(candidate.info.key_hash);
            self.ahead.push_back(candidate);
        }
        Ok(())
    }

    fn is_live(&self, candidate: &Candidate) -> io::Result<bool> {
        let Candidate { info, end } = candidate;
        let state = &*self.state;
        let identity = match &info.key {
            Some(key) => ChainKey::Keyed(key),
            None => ChainKey::Bare,
        };
        let is_live = self.totals.dead_slots == 0
            || state.index.is_current(
                info.key_hash,
                *end,
                identity,
                self.totals.tail,
                &*state.log,
            )?;
        if is_live && let Some(damage) = &state.damage {
            damage.confirm(*end)?;
        }
        Ok(is_live)
    }
}

/// The slot, if it holds a value, its key has the prefix, and no newer version was seen.
fn candidate(slot: &LogSlot<'_>, prefix: &[u8], superseded: &mut Superseded) -> Option<Candidate> {
    let trailer = &slot.trailer;
    if !trailer.kind.is_keyed() {
        return None;
    }
    let is_bare = trailer.is_bare();
    let key = (!is_bare).then_some(slot.key);
    if !key.unwrap_or_default().starts_with(prefix) {
        return None;
    }
    let (hash, _) = chain_of(is_bare, slot.key);
    if (1..=slot.start).contains(&trailer.previous_end) {
        superseded.insert(DeadSlot { end: trailer.previous_end, hash, is_bare });
    }
    if trailer.kind != Kind::Value || superseded.contains(DeadSlot { end: slot.end, hash, is_bare })
    {
        return None;
    }
    Some(Candidate { info: KeyInfo::new(key, hash, trailer), end: slot.end })
}

impl Iterator for Keys {
    type Item = io::Result<KeyInfo>;

    fn next(&mut self) -> Option<io::Result<KeyInfo>> {
        let next = self.next_key();
        if next.is_err() {
            self.ahead.clear();
            (self.position, self.error) = (0, None);
        }
        next.transpose()
    }
}

impl std::iter::FusedIterator for Keys {}

impl DataStore {
    /// The keys of all live entries as of now, newest first, with the length and write time of each
    /// value. Later writes neither appear nor disturb the iteration.
    ///
    /// ```
    /// use simd_r_drive::DataStore;
    /// use simd_r_drive::traits::DataStoreWriter;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// let store = DataStore::open(&directory.path().join("example.srd"))?;
    /// store.write(b"a", b"value")?;
    /// for entry in store.keys() {
    ///     let entry = entry?;
    ///     assert_eq!((entry.key.as_deref(), entry.value_len), (Some(&b"a"[..]), 5));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Costs
    /// One step per slot of the log, and one index look-up per entry if the store has dead slots.
    /// Values are not read: for slots larger than about 32 KiB, only the pages with keys are. Takes
    /// constant memory, about 1 MiB.
    ///
    /// # Errors
    /// An item is [`FormatError::Damaged`] if a key or a trailer is not as it was written, or any
    /// I/O error of the file. It is the last item.
    pub fn keys(&self) -> Keys {
        self.keys_with_prefix(b"")
    }

    /// As [`DataStore::keys`], but only entries whose keys begin with `prefix`. This still reads
    /// the whole log. Entries written by hash alone match only the empty prefix.
    pub fn keys_with_prefix(&self, prefix: &[u8]) -> Keys {
        let (state, totals) = self.shared.current.now_with_totals();
        Keys::new(state, totals, prefix)
    }
}

impl DataStore {
    /// Length and write time of the value of `key`; `None` if the key does not exist. The value is
    /// not read.
    ///
    /// Costs a look-up, and a copy of the key.
    ///
    /// # Errors
    /// As [`read`](crate::traits::DataStoreReader::read).
    pub fn key_info(&self, key: &[u8]) -> io::Result<Option<KeyInfo>> {
        let (state, tail) = self.shared.current.now();
        state.key_info(key, tail)
    }
}

impl ReadState {
    fn key_info(&self, key: &[u8], tail: u64) -> io::Result<Option<KeyInfo>> {
        let hash = compute_hash(key);
        let found = self.find(hash, key, tail).map_err(|error| about_key(key, error))?;
        Ok(found.map(|slot| {
            let fields = slot.fields();
            KeyInfo::new((!fields.is_bare()).then_some(slot.key()), hash, &fields)
        }))
    }
}

impl Snapshot {
    /// See [`DataStore::key_info`].
    ///
    /// # Errors
    /// As [`DataStore::key_info`].
    pub fn key_info(&self, key: &[u8]) -> io::Result<Option<KeyInfo>> {
        let (state, totals) = self.state();
        state.key_info(key, totals.tail)
    }

    /// The keys of all live entries of the snapshot, newest first. See [`DataStore::keys`].
    pub fn keys(&self) -> Keys {
        self.keys_with_prefix(b"")
    }

    /// As [`Snapshot::keys`], but only entries whose keys begin with `prefix`.
    pub fn keys_with_prefix(&self, prefix: &[u8]) -> Keys {
        let (state, totals) = self.state();
        Keys::new(state, totals, prefix)
    }
}
