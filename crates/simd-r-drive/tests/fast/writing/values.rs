//! Values from 0 bytes to 100 MB, keys of 0 to 65,535 bytes, alignments of 64 bytes to 64 KiB.

use std::io::ErrorKind;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, FormatError, OpenOptions, compute_hash};

use crate::errors::typed;
use crate::support::{Random, new_path, new_store};

/// Lengths around everything that is a unit somewhere: blocks, trailers, pages, buffers.
fn lengths() -> Vec<usize> {
    let mut lengths: Vec<usize> = (0..=130).collect();
    for unit in [4096, 16_384, 65_536, 128 << 10, 256 << 10, 1 << 20, 2 << 20] {
        lengths.extend([unit - 33, unit - 32, unit - 31, unit - 1, unit, unit + 1]);
    }
    lengths
}

#[test]
fn every_length_comes_back_at_every_alignment() {
    let bytes = Random(1).bytes((2 << 20) + 1);
    for alignment in [64_u64, 256, 4096, 65_536] {
        let (_directory, path) = new_path();
        let store = OpenOptions::new().create(true).alignment(alignment).open(&path).unwrap();
        for len in lengths() {
            store.write(&len.to_le_bytes(), &bytes[..len]).unwrap();
        }
        for number in [300_usize, 70_000, 1_500_000] {
            store.write_stream(b"stream", &mut &bytes[..number]).unwrap();
            assert_eq!(
                store.read(b"stream").unwrap().unwrap().as_ptr().addr() as u64 % alignment,
                0
            );
        }
        let tail = store.file_size().unwrap();
        assert_eq!(tail % alignment, 0);
        drop(store);
        // The file's own alignment counts, even if less is asked for.
        let store = OpenOptions::new().alignment(64).open(&path).unwrap();
        assert_eq!(store.stats().alignment, alignment);
        for len in lengths() {
            let entry = store.read(&len.to_le_bytes()).unwrap().unwrap();
            assert!(
                entry == bytes[..len] && entry.is_valid_checksum(),
                "{len} bytes at {alignment}"
            );
            assert_eq!(entry.as_ptr().addr() as u64 % alignment, 0, "{len} bytes");
            assert_eq!(entry.start_offset() as u64 % alignment, 0, "{len} bytes");
        }
    }
}

#[test]
fn a_hundred_megabytes_are_one_value() {
    let (_directory, path) = new_path();
    let bytes = Random(2).bytes(100_000_000);
    {
        let store = DataStore::open(&path).unwrap();
        store.write(b"at once", &bytes).unwrap();
        store.write_stream(b"as a stream", &mut &bytes[..]).unwrap();
        store.write(b"small", b"after").unwrap();
        assert!(store.read(b"at once").unwrap().unwrap() == bytes);
    }
    let store = OpenOptions::new().verify_reads(true).open(&path).unwrap();
    assert!(store.recovery_report().was_clean);
    for key in [&b"at once"[..], b"as a stream"] {
        let entry = store.read(key).unwrap().unwrap();
        assert!(entry == bytes);
        assert_eq!(entry.as_ptr().addr() % 64, 0);
    }
    assert_eq!(store.read(b"small").unwrap().unwrap(), b"after".as_slice());
}

#[test]
fn keys_of_every_length_are_kept_byte_for_byte() {
    let (_directory, path) = new_path();
    let mut lengths: Vec<usize> = (0..=300).collect();
    lengths
        .extend([511, 512, 4064, 4095, 4096, 4097, 32_767, 32_768, 65_503, 65_504, 65_534, 65_535]);
    let bytes = Random(3).bytes(65_535);
    {
        let store = DataStore::open(&path).unwrap();
        for len in &lengths {
            store.write(&bytes[..*len], &len.to_le_bytes()).unwrap();
        }
        // Zeros at the end of a key belong to it.
        store.write(b"key\0", b"one zero").unwrap();
        store.write(b"key\0\0", b"two zeros").unwrap();
    }
    let store = DataStore::open(&path).unwrap();
    for len in &lengths {
        let entry = store.read(&bytes[..*len]).unwrap().unwrap();
        assert_eq!(entry, len.to_le_bytes().as_slice());
        assert_eq!(entry.key(), Some(&bytes[..*len]));
        assert_eq!(entry.as_ptr().addr() % 64, 0);
    }
    assert!(!store.exists(b"key").unwrap());
    assert_eq!(store.read(b"key\0").unwrap().unwrap(), b"one zero".as_slice());
    assert_eq!(store.len().unwrap(), lengths.len() + 2);
}

#[test]
fn a_key_that_is_too_long_is_refused_the_next_is_not() {
    let (_directory, store) = new_store();
    let tail = store.file_size().unwrap();
    for len in [65_536_usize, 65_537, 131_072, 1 << 20] {
        let key = vec![b'k'; len];
        let refusals = [
            store.write(&key, b"value").unwrap_err(),
            store.batch_write(&[(b"fine", b"x"), (&key, b"value")]).unwrap_err(),
            store.write_stream(&key, &mut &b"value"[..]).unwrap_err(),
        ];
        for error in refusals {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let FormatError::KeyTooLong { len: got, max } = typed(&error) else {
                panic!("{error:?}")
            };
            assert_eq!((*got, *max), (len, 65_535));
        }
        // Such a key cannot exist, which reads and deletions simply say.
        assert!(store.read(&key).unwrap().is_none());
        assert!(!store.exists(&key).unwrap());
        assert_eq!(store.delete(&key).unwrap(), tail);
        assert_eq!(store.file_size().unwrap(), tail);
    }
    store.write(b"key", b"value").unwrap();
    assert_eq!(store.read(b"key").unwrap().unwrap(), b"value".as_slice());
    assert_eq!(store.len().unwrap(), 1);
}

#[test]
fn bare_hashes_may_be_any_numbers() {
    let (_directory, path) = new_path();
    let special = [0, 1 << 16, 1 << 48, u64::MAX, u64::MAX - 1, compute_hash(b"")];
    {
        let store = DataStore::open(&path).unwrap();
        for page in 1..=5_000_u64 {
            store.write_with_key_hash(page, &page.to_le_bytes()).unwrap();
        }
        let pages: Vec<[u8; 8]> = (5_001..=20_000_u64).map(u64::to_le_bytes).collect();
        let batch = pages.iter().map(|page| (u64::from_le_bytes(*page), page.as_slice())).collect();
        store.batch_write_with_key_hashes(batch, false).unwrap();
        for hash in special {
            store.write_with_key_hash(hash, &hash.to_le_bytes()).unwrap();
        }
        store.write_with_key_hash(7, b"newer").unwrap();
    }
    let store = DataStore::open(&path).unwrap();
    assert_eq!(store.len().unwrap(), 20_000 + special.len());
    let pages: Vec<u64> = (1..=20_000).collect();
    let entries = store.batch_read_hashed_keys(&pages, None).unwrap();
    for (page, entry) in pages.iter().zip(&entries) {
        let entry = entry.as_ref().unwrap();
        let expected: &[u8] = if *page == 7 { b"newer" } else { &page.to_le_bytes() };
        assert_eq!(*entry, expected);
        assert_eq!(entry.key_hash(), *page);
        assert_eq!(entry.as_ptr().addr() % 64, 0);
    }
    for hash in special {
        let entry = store.read_with_key_hash(hash).unwrap().unwrap();
        assert_eq!(entry, hash.to_le_bytes().as_slice());
    }
    // The empty key has a hash as well.
    assert_eq!(store.read(b"").unwrap().unwrap(), compute_hash(b"").to_le_bytes().as_slice());
}
