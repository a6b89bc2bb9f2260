//! Nested stores: read in place at any depth, and copied out again unchanged.

use std::fs;
use std::io;
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{
    DataStore, EntryHandle, Foreign, FormatError, OpenOptions, StoreError, Subject,
};

fn inner_store(path: &Path) -> io::Result<Vec<u8>> {
    let store = DataStore::open(path)?;
    for number in 0..100_u8 {
        store.write(&[b'k', number], &[number; 200])?;
    }
    store.write(b"k\x07", b"newer")?;
    store.delete(b"k\x08")?;
    store.write_with_key_hash(99, b"bare")?;
    store.close()?;
    fs::read(path)
}

/// An outer store with `payload` under the key `inner`, behind something else.
fn outer_store(path: &Path, payload: &[u8]) -> io::Result<DataStore> {
    let store = DataStore::open(path)?;
    store.write(b"before", b"something")?;
    store.write(b"inner", payload)?;
    Ok(store)
}

fn inner_of(store: &DataStore) -> io::Result<EntryHandle> {
    Ok(store.read(b"inner")?.unwrap())
}

fn format_error(error: &io::Error) -> &FormatError {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{error}"))
}

#[test]
fn every_reader_works_within_the_outer_map() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let bytes = inner_store(&directory.path().join("inner.srd"))?;
    let outer = outer_store(&directory.path().join("outer.srd"), &bytes)?;
    let entry = inner_of(&outer)?;
    let range = entry.address_range();
    let inner = OpenOptions::new().verify_reads(true).open_nested(entry)?;

    assert_eq!(inner.len()?, 100);
    assert!(inner.is_read_only() && inner.recovery_report().was_clean);
    assert_eq!(inner.file_size()?, bytes.len() as u64);
    assert_eq!(inner.read(b"k\x07")?.unwrap(), b"newer".as_slice());
    assert!(inner.read(b"k\x08")?.is_none());
    assert_eq!(inner.read_with_key_hash(99)?.unwrap(), b"bare".as_slice());
    assert_eq!(inner.read_last_entry()?.unwrap(), b"bare".as_slice());
    assert_eq!(inner.history(b"k\x07")?.count(), 2);
    assert_eq!(inner.entries_since(None)?.count(), 103);
    assert_eq!(inner.view().get(b"k\x09")?, Some([9; 200].as_slice()));
    assert_eq!(inner.snapshot().len()?, 100);
    assert_eq!(inner.iter_entries().count(), 100);
    let found = inner.batch_read(&[b"k\x01", b"nothing"])?;
    assert!(found[0].is_some() && found[1].is_none());
    for entry in &inner {
        assert!(range.contains(&entry.as_ptr()), "a payload was copied");
        assert_eq!(entry.as_ptr().addr() % 64, 0);
    }
    assert!(!inner.refresh()?, "a value never changes");
    let error = inner.write(b"key", b"value").unwrap_err();
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref());
    assert!(matches!(cause, Some(StoreError::ReadOnly { .. })), "{error}");
    assert_eq!(inner.read(b"k\x01")?.unwrap(), [1; 200].as_slice());
    Ok(())
}

#[test]
fn handles_outlive_every_store_and_the_outer_file() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let bytes = inner_store(&directory.path().join("inner.srd"))?;
    let outer = outer_store(&directory.path().join("outer.srd"), &bytes)?;
    let inner = DataStore::open_nested(inner_of(&outer)?)?;
    let value = inner.read(b"k\x01")?.unwrap();
    outer.delete(b"inner")?;
    outer.compact()?;
    drop(outer);
    fs::remove_file(directory.path().join("outer.srd"))?;
    assert_eq!(inner.read(b"k\x02")?.unwrap(), [2; 200].as_slice());
    drop(inner);
    assert_eq!(value, [1; 200].as_slice());
    Ok(())
}

#[test]
fn stores_nest_deeply_and_come_out_unchanged() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |depth: usize| directory.path().join(format!("{depth}.srd"));
    let innermost = inner_store(&path(0))?;
    let mut bytes = innermost.clone();
    for depth in 1..20 {
        outer_store(&path(depth), &bytes)?.close()?;
        bytes = fs::read(path(depth))?;
    }
    let mut store = DataStore::open_existing(path(19))?;
    for _ in 1..19 {
        store = DataStore::open_nested(inner_of(&store)?)?;
    }
    let entry = inner_of(&store)?;
    drop(store);
    let extracted = directory.path().join("extracted.srd");
    fs::write(&extracted, &entry)?;
    assert_eq!(fs::read(&extracted)?, innermost);
    let store = DataStore::open_existing(&extracted)?;
    assert!(store.recovery_report().was_clean);
    store.write(b"k\x01", b"and it can be written")?;
    assert_eq!(DataStore::open_nested(entry)?.read(b"k\x01")?.unwrap(), [1; 200].as_slice());
    Ok(())
}

#[test]
fn an_unclosed_store_is_read_up_to_its_last_commit() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("inner.srd");
    let inner = DataStore::open(&path)?;
    inner.write(b"key", b"value")?;
    // With the space that is allocated ahead, and a torn piece of a commit.
    let mut bytes = fs::read(&path)?;
    bytes.extend([7; 100]);
    let outer = outer_store(&directory.path().join("outer.srd"), &bytes)?;
    let nested = DataStore::open_nested(inner_of(&outer)?)?;
    assert_eq!(nested.read(b"key")?.unwrap(), b"value".as_slice());
    assert!(nested.recovery_report().uncommitted_bytes > 0);
    Ok(())
}

#[test]
fn an_inner_alignment_above_the_outer_one_is_refused() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let inner = OpenOptions::new().create(true).alignment(1024).open(path("inner.srd"))?;
    inner.write(b"key", b"value")?;
    inner.close()?;
    let bytes = fs::read(path("inner.srd"))?;

    let outer = outer_store(&path("outer.srd"), &bytes)?;
    let error = DataStore::open_nested(inner_of(&outer)?).unwrap_err();
    let expected = FormatError::NestedAlignment { inner: 1024, outer: 64 };
    assert_eq!(format_error(&error), &expected);

    let outer = OpenOptions::new().create(true).alignment(4096).open(path("wide.srd"))?;
    outer.write(b"inner", &bytes)?;
    let nested = DataStore::open_nested(inner_of(&outer)?)?;
    let value = nested.read(b"key")?.unwrap();
    assert_eq!(value.as_ptr().addr() % 1024, 0);
    Ok(())
}

#[test]
fn what_is_no_store_is_called_what_it_is() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut bytes = inner_store(&directory.path().join("inner.srd"))?;
    let store = DataStore::open(directory.path().join("outer.srd"))?;
    let open = |payload: &[u8]| {
        store.write(b"inner", payload)?;
        DataStore::open_nested(inner_of(&store)?)
    };
    let error = open(b"").unwrap_err();
    assert_eq!(
        format_error(&error),
        &FormatError::not_a_store(Foreign::Empty).about(Subject::of_key(b"inner"))
    );
    let error = open(b"plain text").unwrap_err();
    assert_eq!(
        format_error(&error),
        &FormatError::not_a_store(Foreign::Text).about(Subject::of_key(b"inner"))
    );
    assert!(open(&bytes[..8192]).is_err(), "a header that was cut off");

    // If the trailer of a slot of 256 bytes is damaged, the report has the damage, and reads of
    // keys that the slot may have held fail.
    let trailer_byte = 16_384 + 3 * 256 - 10;
    bytes[trailer_byte] ^= 1;
    let damaged = open(&bytes)?;
    assert_eq!(damaged.recovery_report().damaged.len(), 1);
    let error = damaged.read(b"never written").unwrap_err();
    assert!(matches!(format_error(&error), FormatError::Damaged { .. }), "{error}");
    bytes[trailer_byte] ^= 1;
    assert_eq!(open(&bytes)?.len()?, 100);
    Ok(())
}
