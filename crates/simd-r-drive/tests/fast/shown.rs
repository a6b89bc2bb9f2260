//! Everything that a store shows of a few keys, so that two stores, or two states of one, can be
//! compared.

use simd_r_drive::traits::DataStoreReader;
use simd_r_drive::{DataStore, EntryHandle, EntryIterator, Snapshot, compute_hash};

use crate::support::keys_of_one_hash;

/// Hashes that are no key's.
pub(crate) const BARE: [u64; 3] = [5, 6, u64::MAX];

/// Ten short keys, three with the same hash, the empty one, one that is only written by its hash,
/// and two that never exist.
pub(crate) fn keys() -> Vec<Vec<u8>> {
    let mut keys: Vec<_> = (0..10).map(|number| format!("k{number}").into_bytes()).collect();
    keys.extend(keys_of_one_hash(3).iter().map(|key| key.to_vec()));
    keys.extend([&b""[..], b"by its hash", b"never", b"nor this"].map(<[u8]>::to_vec));
    keys
}

type Value = Option<Vec<u8>>;

/// Key or hash, and value.
pub(crate) type Entry = (Result<Vec<u8>, u64>, Vec<u8>);

/// The versions of each key, newest first: values, and `None` for deletions.
pub(crate) type Histories = Vec<Vec<Value>>;

/// What reads, iteration and counting give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    by_key: Vec<Value>,
    by_hash: Vec<Value>,
    /// Newest first.
    entries: Vec<Entry>,
    len: usize,
}

impl Shown {
    /// The live entries, newest first.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The newest value.
    pub(crate) fn last(&self) -> Option<&[u8]> {
        self.entries.first().map(|(_, value)| &value[..])
    }

    /// What a store shows now.
    #[track_caller]
    pub(crate) fn of(store: &DataStore) -> Self {
        let shown = Self::by(store, store.iter_entries());
        let view = store.view();
        for (key, value) in keys().iter().zip(&shown.by_key) {
            assert_eq!(view.get(key).unwrap(), value.as_deref(), "{key:?} in a view");
        }
        let keys = keys();
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let mut values = vec![Some(&b"of an earlier call"[..])];
        view.get_many(&slices, &mut values).unwrap();
        assert!(values.iter().copied().eq(shown.by_key.iter().map(Option::as_deref)));
        let entries = view.entries().map(|entry| {
            let entry = entry.unwrap();
            (entry.key, entry.payload)
        });
        let expected = shown.entries.iter().map(|(key, value)| (key.as_deref().ok(), &value[..]));
        assert!(entries.eq(expected), "entries of a view");
        assert_eq!(store.stats().live_keys, shown.len as u64);
        shown
    }

    /// What a snapshot shows.
    #[track_caller]
    pub(crate) fn of_snapshot(snapshot: &Snapshot) -> Self {
        Self::by(snapshot, snapshot.iter_entries())
    }

    /// Every kind of read must give the same.
    #[track_caller]
    fn by(
        store: &impl DataStoreReader<EntryHandleType = EntryHandle>,
        mut entries: EntryIterator,
    ) -> Self {
        let keys = keys();
        let slices: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let key_hashes: Vec<u64> = keys.iter().map(|key| compute_hash(key)).collect();
        let hashes: Vec<u64> = key_hashes.iter().copied().chain(BARE).collect();
        let batch = store.batch_read(&slices).unwrap();
        let hashed = store.batch_read_hashed_keys(&key_hashes, Some(&slices)).unwrap();
        let bare = store.batch_read_hashed_keys(&hashes, None).unwrap();
        let by_key = keys.iter().enumerate().map(|(number, key)| {
            let value = store.read(key).unwrap();
            let found = value.as_deref();
            assert_eq!(batch[number].as_deref(), found, "{key:?} in a batch");
            assert_eq!(hashed[number].as_deref(), found, "{key:?} in a hashed batch");
            assert_eq!(store.exists(key).unwrap(), found.is_some(), "{key:?}");
            let metadata = store.read_metadata(key).unwrap();
            assert_eq!(metadata.as_ref(), value.as_ref().map(EntryHandle::metadata), "{key:?}");
            found.map(<[u8]>::to_vec)
        });
        let by_key = by_key.collect();
        let by_hash = hashes.iter().enumerate().map(|(number, hash)| {
            let value = store.read_with_key_hash(*hash).unwrap();
            assert_eq!(bare[number].as_deref(), value.as_deref(), "hash {hash} in a batch");
            assert_eq!(store.exists_with_key_hash(*hash).unwrap(), value.is_some(), "hash {hash}");
            value.as_deref().map(<[u8]>::to_vec)
        });
        let by_hash = by_hash.collect();
        let entries: Vec<_> = entries
            .by_ref()
            .map(|entry| {
                assert!(entry.is_valid_checksum());
                (entry.key().map(<[u8]>::to_vec).ok_or(entry.key_hash()), entry.to_vec())
            })
            .collect();
        let len = store.len().unwrap();
        assert_eq!(entries.len(), len, "iterated and counted");
        let last = store.read_last_entry().unwrap();
        assert_eq!(last.as_deref(), entries.first().map(|(_, value)| &value[..]));
        Self { by_key, by_hash, entries, len }
    }
}

/// The histories of all keys.
#[track_caller]
pub(crate) fn histories(store: &DataStore) -> Histories {
    let versions = |key: &Vec<u8>| {
        let history = store.history(key).unwrap();
        history.map(|version| version.unwrap().value().map(|value| value.to_vec())).collect()
    };
    keys().iter().map(versions).collect()
}
