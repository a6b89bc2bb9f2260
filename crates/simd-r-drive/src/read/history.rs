//! Older versions, and changes since a cursor.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use simd_r_drive_entry_handle::{EntryHandle, FormatError, Kind, compute_hash};
use simd_r_drive_indexer::ChainKey;

use crate::error::StoreError;
use crate::log::{ReadState, Totals, chain_of};
use crate::read::about_key;
use crate::store::DataStore;

/// One version of a key: a value, or its deletion.
#[derive(Debug, Clone)]
pub struct Version {
    entry: EntryHandle,
    is_deletion: bool,
}

impl Version {
    fn read(state: &ReadState, end: u64) -> io::Result<Self> {
        let slot = state.slot_at(end)?;
        let (hash, _) = chain_of(slot.fields().is_bare(), slot.key());
        let is_deletion = slot.fields().is_tombstone();
        Ok(Self { entry: state.handle(&slot, hash)?, is_deletion })
    }

    /// The value; `None` if this version is a deletion.
    pub fn value(&self) -> Option<&EntryHandle> {
        (!self.is_deletion).then_some(&self.entry)
    }

    /// The value; `None` if this version is a deletion.
    pub fn into_value(self) -> Option<EntryHandle> {
        (!self.is_deletion).then_some(self.entry)
    }

    /// The key's bytes; `None` if it was written, or deleted, by hash alone.
    pub fn key(&self) -> Option<&[u8]> {
        self.entry.key()
    }

    /// Hash of the key.
    pub fn key_hash(&self) -> u64 {
        self.entry.key_hash()
    }

    /// When it was written, to 10 ms, by the clock of the writing machine.
    pub fn written_at(&self) -> SystemTime {
        self.entry.written_at().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Where its slot ends, in bytes: the store's tail right after it was written.
    pub fn end(&self) -> u64 {
        self.entry.slot_end()
    }
}

/// The versions of one key, newest first. Made by [`DataStore::history`].
#[derive(Debug)]
pub struct History {
    state: Arc<ReadState>,
    /// End of the next version in the key's chain, and in the chain of the bare hash.
    chains: [Option<u64>; 2],
    key: Box<[u8]>,
}

impl History {
    fn new(state: Arc<ReadState>, tail: u64, key: &[u8]) -> io::Result<Self> {
        let hash = compute_hash(key);
        state.refuse_damage()?;
        let identity = ChainKey::Keyed(key);
        let current = state.index.current(hash, identity, &*state.log)?;
        let mut history = Self { chains: [None, None], key: key.into(), state };
        for (number, newest) in [current.keyed, current.bare].into_iter().enumerate() {
            history.chains[number] = newest.map(|version| version.end);
            while history.chains[number].is_some_and(|end| end > tail) {
                history.step(number)?;
            }
        }
        Ok(history)
    }

    fn step(&mut self, chain: usize) -> Result<(), FormatError> {
        if let Some(end) = self.chains[chain] {
            let slot = self.state.slot_at(end)?;
            let previous = slot.fields().previous_end;
            // Links point down. A link that does not ends the walk.
            self.chains[chain] = (previous != 0 && previous < end).then_some(previous);
        }
        Ok(())
    }

    fn next_version(&mut self) -> io::Result<Option<Version>> {
        let newer = usize::from(self.chains[1] > self.chains[0]);
        let Some(end) = self.chains[newer] else { return Ok(None) };
        self.step(newer)?;
        Version::read(&self.state, end).map(Some)
    }
}

impl Iterator for History {
    type Item = io::Result<Version>;

    fn next(&mut self) -> Option<io::Result<Version>> {
        match self.next_version() {
            Ok(version) => version.map(Ok),
            Err(error) => {
                let error = about_key(&self.key, error);
                self.chains = [None, None];
                Some(Err(error))
            }
        }
    }
}

/// A place in the history of a store, from which changes can be followed. It consists of a file and
/// an offset, so it can be kept across processes. Compaction invalidates it, because it writes a
/// new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Identifies the file.
    pub file_id: [u8; 16],
    /// A tail that the store once had, in bytes.
    pub tail: u64,
}

impl Cursor {
    /// The cursor as bytes, to be stored: the file's identification, then the tail, little-endian.
    pub fn to_bytes(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..16].copy_from_slice(&self.file_id);
        bytes[16..].copy_from_slice(&self.tail.to_le_bytes());
        bytes
    }

    /// The cursor that [`Cursor::to_bytes`] has made these bytes of. Other bytes give a cursor that
    /// [`DataStore::entries_since`] refuses.
    pub fn from_bytes(bytes: [u8; 24]) -> Self {
        let (mut file_id, mut tail) = ([0; 16], [0; 8]);
        file_id.copy_from_slice(&bytes[..16]);
        tail.copy_from_slice(&bytes[16..]);
        Self { file_id, tail: u64::from_le_bytes(tail) }
    }
}

/// Changes in write order. Made by [`DataStore::entries_since`].
#[derive(Debug)]
pub struct Changes {
    state: Arc<ReadState>,
    /// Ends of the slots, newest first.
    ends: Vec<u64>,
    cursor: Cursor,
}

impl Changes {
    /// Where these changes end. Pass it to [`DataStore::entries_since`] for what follows.
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }
}

impl Iterator for Changes {
    type Item = io::Result<Version>;

    fn next(&mut self) -> Option<io::Result<Version>> {
        let end = self.ends.pop()?;
        Some(Version::read(&self.state, end))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.ends.len(), Some(self.ends.len()))
    }
}

impl DataStore {
    /// The versions of `key`, newest first: values and deletions, including those written by its
    /// hash alone. They last until compaction.
    ///
    /// Costs one look-up, and one step per version.
    ///
    /// # Errors
    /// [`FormatError`] if a slot cannot be read.
    pub fn history(&self, key: &[u8]) -> io::Result<History> {
        let (state, Totals { tail, .. }) = self.shared.current.now_with_totals();
        History::new(state, tail, key).map_err(|error| about_key(key, error))
    }

    /// The value that `key` had at `time`, as far as the clock that stamped the versions can be
    /// trusted. `None` if it did not exist then, or if compaction has dropped that version.
    ///
    /// Costs one step for each version written since.
    ///
    /// # Errors
    /// [`FormatError`] if a slot cannot be read.
    pub fn read_at(&self, key: &[u8], time: SystemTime) -> io::Result<Option<EntryHandle>> {
        for version in self.history(key)? {
            let version = version?;
            if version.written_at() <= time {
                return Ok(version.into_value());
            }
        }
        Ok(None)
    }

    /// The store's current place in its history.
    pub fn cursor(&self) -> Cursor {
        let state = self.state();
        Cursor { file_id: state.identity.file_id, tail: state.publication.tail() }
    }

    /// Everything written since `cursor`, in order, for followers and incremental copies. `None`
    /// starts at the oldest entry of the file.
    ///
    /// Takes 8 bytes of memory per slot.
    ///
    /// # Errors
    /// [`StoreError::CursorExpired`] if the store has been compacted since the cursor was taken;
    /// [`FormatError::NoSuchSlot`] if no slot ends at the cursor; [`FormatError`] if a slot cannot
    /// be read.
    pub fn entries_since(&self, cursor: Option<Cursor>) -> io::Result<Changes> {
        let state = self.shared.current.load_full();
        let file_id = state.identity.file_id;
        let tail = state.publication.tail();
        state.refuse_damage()?;
        let from = match cursor {
            None => state.layout.header_len(),
            Some(cursor) if cursor.file_id == file_id => cursor.tail,
            Some(_) => return Err(StoreError::CursorExpired.into()),
        };
        let mut ends = Vec::new();
        let mut end = tail;
        while end > from {
            let slot = state.slot_at(end)?;
            if matches!(slot.fields().kind, Kind::Value | Kind::Tombstone) {
                ends.push(end);
            }
            end = slot.start;
        }
        if end != from {
            return Err(FormatError::no_such_slot(from).into());
        }
        Ok(Changes { state, ends, cursor: Cursor { file_id, tail } })
    }
}
