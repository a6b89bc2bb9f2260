//! Compares a store with its model.

use std::io;
use std::sync::Arc;

use simd_r_drive::traits::DataStoreReader;
use simd_r_drive::{DataStore, EntryHandle, compute_hash};

use crate::case::{hash, hash_count, key, key_count};
use crate::model::{Content, Line, Model};

/// The live entries of `store`, newest first. Checks the checksum, the alignment and the place of
/// each.
///
/// # Errors
/// Any error of the store.
///
/// # Panics
/// If one of these checks fails.
pub fn contents(store: &DataStore) -> io::Result<Content> {
    let mut entries = store.iter_entries();
    let mut content = Content::new();
    let alignment = store.stats().alignment;
    let mut last_end = store.file_size()?;
    while let Some(entry) = entries.next_entry()? {
        check_entry(&entry, alignment);
        assert!(entry.slot_end() <= last_end, "newest first");
        last_end = entry.start_offset() as u64;
        content.push((Line::from(&entry), Arc::from(entry.as_slice())));
    }
    Ok(content)
}

/// Asks `store` about every [`key`](crate::key) and [`hash`](crate::hash), through every method,
/// and compares the answers with those of `model`.
///
/// # Errors
/// Any error of the store.
///
/// # Panics
/// If an answer differs from the model's.
pub fn assert_same(store: &DataStore, model: &Model) -> io::Result<()> {
    let keys: Vec<&[u8]> = (0..key_count()).map(key).collect();
    let hashes: Vec<u64> = (0..hash_count()).map(hash).collect();
    assert_same_about(store, model, &keys, &hashes)
}

/// Asks `store` everything about these keys and hashes.
///
/// # Errors
/// The store's.
///
/// # Panics
/// If an answer is not the model's.
pub fn assert_same_about(
    store: &DataStore,
    model: &Model,
    keys: &[&[u8]],
    hashes: &[u64],
) -> io::Result<()> {
    assert_content(&contents(store)?, &model.content());
    let stats = store.stats();
    assert_eq!(stats.live_keys, model.len() as u64);
    assert_eq!(stats.dead_bytes == 0, stats.dead_slots == 0);
    assert_reads_same(store, stats.alignment, model, keys, hashes)
}

/// Reads of a store or a snapshot of this alignment, in every way that the trait has.
///
/// # Errors
/// The store's.
///
/// # Panics
/// If an answer is not the model's.
pub fn assert_reads_same(
    store: &impl DataStoreReader<EntryHandleType = EntryHandle>,
    alignment: u64,
    model: &Model,
    keys: &[&[u8]],
    hashes: &[u64],
) -> io::Result<()> {
    assert_eq!(store.len()?, model.len());
    assert_eq!(store.is_empty()?, model.is_empty());
    let last = store.read_last_entry()?;
    assert_eq!(last.as_deref(), model.content().first().map(|(_, value)| &**value));

    let batch = store.batch_read(keys)?;
    let key_hashes: Vec<u64> = keys.iter().map(|key| compute_hash(key)).collect();
    let hashed_batch = store.batch_read_hashed_keys(&key_hashes, Some(keys))?;
    for (id, key) in keys.iter().enumerate() {
        let expected = model.get(key).map(|value| &**value);
        let got = store.read(key)?;
        assert_eq!(got.as_deref(), expected, "read of key {id}");
        assert_eq!(batch[id].as_deref(), expected, "batch_read of key {id}");
        assert_eq!(hashed_batch[id].as_deref(), expected, "batch_read_hashed_keys of key {id}");
        assert_eq!(store.exists(key)?, expected.is_some(), "exists of key {id}");
        let metadata = store.read_metadata(key)?;
        assert_eq!(metadata.as_ref(), got.as_ref().map(EntryHandle::metadata));
        if let Some(entry) = &got {
            check_entry(entry, alignment);
            assert_eq!(entry.key_hash(), key_hashes[id]);
            assert!(entry.key().is_none_or(|stored| stored == *key), "another key's value");
        }
    }
    let by_hash = store.batch_read_hashed_keys(hashes, None)?;
    for (id, hash) in hashes.iter().enumerate() {
        let expected = model.get_by_hash(*hash).map(|value| &**value);
        assert_eq!(store.read_with_key_hash(*hash)?.as_deref(), expected, "read of hash {id}");
        assert_eq!(by_hash[id].as_deref(), expected, "batch read of hash {id}");
        assert_eq!(store.exists_with_key_hash(*hash)?, expected.is_some(), "exists of hash {id}");
    }
    Ok(())
}

/// Compares, but prints only the start of each value if they differ.
fn assert_content(got: &Content, expected: &Content) {
    if got != expected {
        let brief = |content: &Content| {
            let entries = content.iter().map(|(line, value)| {
                let line = match line {
                    Line::Keyed(key) => {
                        format!("key of {} bytes {:02x?}", key.len(), &key[..key.len().min(20)])
                    }
                    Line::Bare(hash) => format!("hash {hash:#018x}"),
                };
                format!("  {line}: {} bytes {:02x?}\n", value.len(), &value[..value.len().min(8)])
            });
            entries.collect::<String>()
        };
        panic!("the store holds\n{}instead of\n{}", brief(got), brief(expected));
    }
}

fn check_entry(entry: &EntryHandle, alignment: u64) {
    assert_eq!(entry.slot_end() % alignment, 0);
    let alignment = alignment as usize;
    let address = entry.as_slice().as_ptr().addr();
    assert_eq!(entry.start_offset() % alignment, 0, "aligned in the file");
    // Maps start at a multiple of the alignment, even if that is larger than a page.
    assert_eq!(address % alignment, 0, "aligned in memory");
    assert!(entry.is_valid_checksum());
}
