//! A program written for the published 0.17 crates compiles, and behaves as before.
//!
//! Annotations fix the types. Intended differences are listed in `docs/migrating.md`, and marked
//! here.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::io::{Cursor, ErrorKind, Read, Result};
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::utils::{
    NamespaceHasher, align_or_copy, append_extension, format_bytes, parse_buffer_size,
    verify_file_existence,
};
use simd_r_drive::{
    DataStore, EntryHandle, EntryIterator, EntryMetadata, EntryStream, KeyIndexer, storage_engine,
};
use simd_r_drive_entry_handle as entry_handle;

mod third_party {
    //! A backend that wraps the store and has the traits itself.

    use std::io::{Read, Result};

    use async_trait::async_trait;
    use simd_r_drive::traits::{
        AsyncDataStoreReader, AsyncDataStoreWriter, DataStoreReader, DataStoreWriter,
    };
    use simd_r_drive::{DataStore, EntryHandle, EntryMetadata};

    pub(crate) struct Wrap(pub(crate) DataStore);

    impl DataStoreReader for Wrap {
        type EntryHandleType = EntryHandle;
        fn exists(&self, key: &[u8]) -> Result<bool> {
            self.0.exists(key)
        }
        fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool> {
            self.0.exists_with_key_hash(prehashed_key)
        }
        fn read(&self, key: &[u8]) -> Result<Option<Self::EntryHandleType>> {
            self.0.read(key)
        }
        fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<EntryHandle>> {
            self.0.read_with_key_hash(prehashed_key)
        }
        fn read_last_entry(&self) -> Result<Option<EntryHandle>> {
            self.0.read_last_entry()
        }
        fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<EntryHandle>>> {
            self.0.batch_read(keys)
        }
        fn batch_read_hashed_keys(
            &self,
            prehashed_keys: &[u64],
            non_hashed_keys: Option<&[&[u8]]>,
        ) -> Result<Vec<Option<EntryHandle>>> {
            self.0.batch_read_hashed_keys(prehashed_keys, non_hashed_keys)
        }
        fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>> {
            self.0.read_metadata(key)
        }
        fn len(&self) -> Result<usize> {
            self.0.len()
        }
        fn is_empty(&self) -> Result<bool> {
            self.0.is_empty()
        }
        fn file_size(&self) -> Result<u64> {
            self.0.file_size()
        }
    }

    impl DataStoreWriter for Wrap {
        fn write_stream<R: Read>(&self, key: &[u8], reader: &mut R) -> Result<u64> {
            self.0.write_stream(key, reader)
        }
        fn write_stream_with_key_hash<R: Read>(&self, hash: u64, reader: &mut R) -> Result<u64> {
            self.0.write_stream_with_key_hash(hash, reader)
        }
        fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64> {
            self.0.write(key, payload)
        }
        fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64> {
            self.0.write_with_key_hash(key_hash, payload)
        }
        fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64> {
            self.0.batch_write(entries)
        }
        fn batch_write_with_key_hashes(
            &self,
            prehashed_keys: Vec<(u64, &[u8])>,
            allow_null_bytes: bool,
        ) -> Result<u64> {
            self.0.batch_write_with_key_hashes(prehashed_keys, allow_null_bytes)
        }
        fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64> {
            self.0.rename(old_key, new_key)
        }
        // Differs: `target` was a `&DataStore` for every backend.
        fn copy(&self, key: &[u8], target: &Self) -> Result<u64> {
            self.0.copy(key, &target.0)
        }
        fn transfer(&self, key: &[u8], target: &Self) -> Result<u64> {
            self.0.transfer(key, &target.0)
        }
        fn delete(&self, key: &[u8]) -> Result<u64> {
            self.0.delete(key)
        }
        fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64> {
            self.0.batch_delete(keys)
        }
        fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64> {
            self.0.batch_delete_key_hashes(prehashed_keys)
        }
    }

    #[async_trait]
    impl AsyncDataStoreReader for Wrap {
        type EntryHandleType = EntryHandle;
        async fn exists(&self, key: &[u8]) -> Result<bool> {
            self.0.exists(key)
        }
        async fn exists_with_key_hash(&self, prehashed_key: u64) -> Result<bool> {
            self.0.exists_with_key_hash(prehashed_key)
        }
        async fn read(&self, key: &[u8]) -> Result<Option<Self::EntryHandleType>> {
            self.0.read(key)
        }
        async fn read_with_key_hash(&self, prehashed_key: u64) -> Result<Option<EntryHandle>> {
            self.0.read_with_key_hash(prehashed_key)
        }
        async fn read_last_entry(&self) -> Result<Option<EntryHandle>> {
            self.0.read_last_entry()
        }
        async fn batch_read(&self, keys: &[&[u8]]) -> Result<Vec<Option<EntryHandle>>> {
            self.0.batch_read(keys)
        }
        async fn batch_read_hashed_keys(
            &self,
            prehashed_keys: &[u64],
            non_hashed_keys: Option<&[&[u8]]>,
        ) -> Result<Vec<Option<EntryHandle>>> {
            self.0.batch_read_hashed_keys(prehashed_keys, non_hashed_keys)
        }
        async fn read_metadata(&self, key: &[u8]) -> Result<Option<EntryMetadata>> {
            self.0.read_metadata(key)
        }
        async fn len(&self) -> Result<usize> {
            self.0.len()
        }
        async fn is_empty(&self) -> Result<bool> {
            self.0.is_empty()
        }
        async fn file_size(&self) -> Result<u64> {
            self.0.file_size()
        }
    }

    #[async_trait]
    impl AsyncDataStoreWriter for Wrap {
        // Differs: the published trait does not require `Send`, so this could not be an `async fn`.
        async fn write_stream<R: Read + Send>(&self, key: &[u8], reader: &mut R) -> Result<u64> {
            self.0.write_stream(key, reader)
        }
        async fn write_stream_with_key_hash<R: Read + Send>(
            &self,
            key_hash: u64,
            reader: &mut R,
        ) -> Result<u64> {
            self.0.write_stream_with_key_hash(key_hash, reader)
        }
        async fn write(&self, key: &[u8], payload: &[u8]) -> Result<u64> {
            self.0.write(key, payload)
        }
        async fn write_with_key_hash(&self, key_hash: u64, payload: &[u8]) -> Result<u64> {
            self.0.write_with_key_hash(key_hash, payload)
        }
        async fn batch_write(&self, entries: &[(&[u8], &[u8])]) -> Result<u64> {
            self.0.batch_write(entries)
        }
        async fn batch_write_with_key_hashes(
            &self,
            prehashed_keys: Vec<(u64, &[u8])>,
            allow_null_bytes: bool,
        ) -> Result<u64> {
            self.0.batch_write_with_key_hashes(prehashed_keys, allow_null_bytes)
        }
        async fn rename(&self, old_key: &[u8], new_key: &[u8]) -> Result<u64> {
            self.0.rename(old_key, new_key)
        }
        async fn copy(&self, key: &[u8], target: &Self) -> Result<u64> {
            self.0.copy(key, &target.0)
        }
        async fn transfer(&self, key: &[u8], target: &Self) -> Result<u64> {
            self.0.transfer(key, &target.0)
        }
        async fn delete(&self, key: &[u8]) -> Result<u64> {
            self.0.delete(key)
        }
        async fn batch_delete(&self, keys: &[&[u8]]) -> Result<u64> {
            self.0.batch_delete(keys)
        }
        async fn batch_delete_key_hashes(&self, prehashed_keys: &[u64]) -> Result<u64> {
            self.0.batch_delete_key_hashes(prehashed_keys)
        }
    }
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("an error was expected").kind()
}

fn panics(action: impl FnOnce() + UnwindSafe) -> bool {
    catch_unwind(action).is_err()
}

fn contents(entries: Vec<Option<EntryHandle>>) -> Vec<Option<Vec<u8>>> {
    entries.into_iter().map(|entry| entry.map(|entry| entry.to_vec())).collect()
}

#[test]
fn paths_types_and_constants() {
    fn anywhere<T: Send + Sync + Unpin>() {}
    anywhere::<DataStore>();
    anywhere::<EntryHandle>();
    anywhere::<EntryMetadata>();
    anywhere::<EntryIterator>();
    anywhere::<EntryStream>();
    anywhere::<KeyIndexer>();
    anywhere::<NamespaceHasher>();
    // One type under every path.
    let _: [PhantomData<DataStore>; 2] =
        [PhantomData::<simd_r_drive::DataStore>, PhantomData::<storage_engine::DataStore>];
    let _: [PhantomData<EntryHandle>; 3] = [
        PhantomData::<simd_r_drive::EntryHandle>,
        PhantomData::<storage_engine::EntryHandle>,
        PhantomData::<entry_handle::EntryHandle>,
    ];
    let _: [PhantomData<EntryMetadata>; 3] = [
        PhantomData::<simd_r_drive::EntryMetadata>,
        PhantomData::<storage_engine::EntryMetadata>,
        PhantomData::<entry_handle::EntryMetadata>,
    ];
    let _: PhantomData<EntryIterator> = PhantomData::<storage_engine::EntryIterator>;
    let _: PhantomData<EntryStream> = PhantomData::<storage_engine::EntryStream>;
    let _: PhantomData<KeyIndexer> = PhantomData::<storage_engine::KeyIndexer>;
    fn by_traits<T>()
    where
        T: storage_engine::traits::DataStoreReader + storage_engine::traits::DataStoreWriter,
    {
    }
    by_traits::<DataStore>();
    fn by_async_traits<T>()
    where
        T: storage_engine::traits::AsyncDataStoreReader
            + storage_engine::traits::AsyncDataStoreWriter,
    {
    }
    by_async_traits::<third_party::Wrap>();

    const ALIGNMENT: (u8, u64) =
        (entry_handle::constants::PAYLOAD_ALIGN_LOG2, entry_handle::constants::PAYLOAD_ALIGNMENT);
    const METADATA_SIZE: usize = entry_handle::constants::METADATA_SIZE;
    const NULL_BYTE: [u8; 1] = simd_r_drive::NULL_BYTE;
    assert_eq!((ALIGNMENT, NULL_BYTE), ((6, 64), [0]));
    // Differs: it was 20.
    assert_eq!(METADATA_SIZE, 32);
    assert_eq!(simd_r_drive::METADATA_SIZE, storage_engine::METADATA_SIZE);
    assert_eq!(simd_r_drive::constants::METADATA_SIZE, METADATA_SIZE);
    assert_eq!(storage_engine::constants::PAYLOAD_ALIGNMENT, simd_r_drive::PAYLOAD_ALIGNMENT);
    assert_eq!(simd_r_drive::PAYLOAD_ALIGN_LOG2, storage_engine::PAYLOAD_ALIGN_LOG2);
    let buffer: usize = simd_r_drive::WRITE_STREAM_BUFFER_SIZE;
    assert_eq!((buffer, storage_engine::WRITE_STREAM_BUFFER_SIZE), (64 << 10, 64 << 10));
}

#[test]
fn digests() {
    use simd_r_drive::{
        IdentityBuildHasher, IdentityHasher, Xxh3BuildHasher, Xxh3Hasher, compute_checksum,
        compute_hash, compute_hash_batch, digest,
    };
    let hash: u64 = compute_hash(b"123456789");
    let checksum: [u8; 4] = compute_checksum(b"123456789");
    assert_eq!(hash, 0x72dc_b18b_67a1_7dff);
    assert_eq!(storage_engine::digest::compute_hash(b""), 0x2d06_8005_38d3_94c2);
    assert_eq!(u32::from_le_bytes(checksum), 0xcbf4_3926);
    assert_eq!(digest::compute_checksum(b""), [0; 4]);
    let hashes: Vec<u64> = compute_hash_batch(&[b"123456789", b""]);
    assert_eq!(hashes, [hash, digest::compute_hash(b"")]);
    assert!(digest::compute_hash_batch(&[]).is_empty());
    let mut hasher: Xxh3Hasher = Xxh3BuildHasher.build_hasher();
    hasher.write(b"some bytes");
    assert_eq!(hasher.finish(), compute_hash(b"some bytes"));
    let mut names: HashMap<String, u32, Xxh3BuildHasher> = HashMap::with_hasher(Xxh3BuildHasher);
    names.insert("a".into(), 1);
    let mut ids: HashMap<u64, u32, IdentityBuildHasher> = HashMap::default();
    ids.insert(hash, 2);
    assert_eq!((names["a"], ids[&hash]), (1, 2));
    assert_eq!(IdentityBuildHasher::default().hash_one(7_u64), 7);
    let mut identity = IdentityHasher::default();
    identity.write_u64(99);
    assert_eq!(identity.finish(), 99);
}

#[test]
fn key_indexer_tags() {
    let hash = simd_r_drive::compute_hash(b"key");
    let tag: u16 = KeyIndexer::tag_from_hash(hash);
    assert_eq!((tag, tag), ((hash >> 48) as u16, KeyIndexer::tag_from_key(b"key")));
    let packed: u64 = KeyIndexer::pack(0xabcd, 0x123);
    assert_eq!(packed, 0xabcd_0000_0000_0123);
    let unpacked: (u16, u64) = KeyIndexer::unpack(KeyIndexer::pack(0xabcd, (1 << 48) - 1));
    assert_eq!(unpacked, (0xabcd, (1 << 48) - 1));
}

#[test]
fn utilities() {
    let directory = tempfile::tempdir().unwrap();
    let namespace: NamespaceHasher = NamespaceHasher::new(b"ns");
    let key: Vec<u8> = namespace.namespace(b"key");
    let halves = [b"ns".as_slice(), b"key"].map(simd_r_drive::compute_hash);
    assert_eq!(key, halves.map(u64::to_le_bytes).concat());
    let text: String = format_bytes(10_936_844);
    assert_eq!(text, "10.43 MB");
    assert_eq!(format_bytes(512), "512 bytes");
    assert_eq!(format_bytes(1536), "1.50 KB");
    assert_eq!(format_bytes(1 << 30), "1.00 GB");
    let size: std::result::Result<usize, String> = parse_buffer_size(" 2kb ");
    assert_eq!(size, Ok(2048));
    assert_eq!(parse_buffer_size("1024"), Ok(1024));
    assert_eq!(parse_buffer_size("1M"), Ok(1 << 20));
    for bad in ["", "abc", "10XZ", "-1", "1.5K"] {
        assert!(parse_buffer_size(bad).is_err(), "{bad}");
    }
    let path: PathBuf = append_extension(Path::new("archive.tar.gz"), "bk");
    assert_eq!(path, PathBuf::from("archive.tar.gz.bk"));
    let missing: Result<()> = verify_file_existence(&directory.path().join("missing"));
    assert_eq!(kind(missing), ErrorKind::NotFound);
    assert_eq!(kind(verify_file_existence(directory.path())), ErrorKind::InvalidInput);
    let source = [1.0_f32, 2.0, 3.0];
    let bytes: Vec<u8> = source.iter().flat_map(|float| float.to_le_bytes()).collect();
    let typed: Cow<'_, [f32]> = align_or_copy::<f32, 4>(&bytes, f32::from_le_bytes);
    assert_eq!(&*typed, &source);
    let mut shifted = [0_u8; 32];
    let at = (1..5).find(|at| (shifted.as_ptr() as usize + at) % 4 == 1).unwrap();
    shifted[at..at + 12].copy_from_slice(&bytes);
    let copied = align_or_copy::<f32, 4>(&shifted[at..at + 12], f32::from_le_bytes);
    assert!(matches!(copied, Cow::Owned(values) if values == source));
    assert!(panics(|| drop(align_or_copy::<u32, 4>(&[1; 5], u32::from_le_bytes))));
    assert!(panics(|| drop(align_or_copy::<u32, 2>(&[1, 2], |bytes| u32::from(bytes[0])))));
}

#[test]
fn metadata_and_handles() -> Result<()> {
    let metadata: EntryMetadata = EntryMetadata::new(7, 9, [1, 2, 3, 4]);
    #[expect(clippy::clone_on_copy, reason = "the published type is only `Clone`")]
    let EntryMetadata { key_hash, prev_offset, checksum } = metadata.clone();
    let again = EntryMetadata { key_hash, prev_offset, checksum };
    assert_eq!(
        format!("{again:?}"),
        "EntryMetadata { key_hash: 7, prev_offset: 9, checksum: [1, 2, 3, 4] }"
    );
    let handle: EntryHandle = EntryHandle::from_owned_bytes_anon(b"hello anon", 42)?;
    let (slice, size, hash): (&[u8], usize, u64) =
        (handle.as_slice(), handle.size(), handle.key_hash());
    assert_eq!((slice, size, hash), (&b"hello anon"[..], 10, 42));
    assert!(handle.file_size() >= size);
    let (metadata, checksum, raw): (&EntryMetadata, u32, [u8; 4]) =
        (handle.metadata(), handle.checksum(), handle.raw_checksum());
    assert_eq!((metadata.key_hash, metadata.prev_offset, metadata.checksum), (42, 0, raw));
    assert_eq!(checksum, u32::from_le_bytes(raw));
    assert_eq!(raw, simd_r_drive::compute_checksum(b"hello anon"));
    let (start, end, range): (usize, usize, Range<usize>) =
        (handle.start_offset(), handle.end_offset(), handle.offset_range());
    assert_eq!((start, end, range), (0, 10, 0..10));
    let addresses: Range<*const u8> = handle.address_range();
    assert_eq!(addresses.start, slice.as_ptr());
    assert_eq!(addresses.end.addr() - addresses.start.addr(), 10);
    assert!(handle.is_valid_checksum());
    assert!(EntryHandle::from_owned_bytes_anon(b"", 0)?.is_valid_checksum());
    let by_deref: &[u8] = &handle;
    let by_as_ref: &[u8] = handle.as_ref();
    assert!(by_deref == by_as_ref && handle.starts_with(b"hello") && handle[1..3] == *b"el");
    assert_eq!(handle, b"hello anon".as_slice());
    assert!(handle == *b"hello anon".as_slice() && handle == b"hello anon".to_vec());
    assert!(handle != b"x".as_slice());
    assert!(format!("{handle:?}").starts_with("EntryHandle {"));
    let (one, other): (EntryHandle, EntryHandle) = (handle.clone_arc(), handle.clone());
    assert!(one.as_ptr() == other.as_ptr(), "clones share the bytes");
    entry_handle::debug_assert_aligned(std::ptr::without_provenance(64), 64);
    entry_handle::debug_assert_aligned_offset(128);
    let misaligned = || entry_handle::debug_assert_aligned(std::ptr::without_provenance(65), 64);
    assert_eq!(panics(misaligned), cfg!(debug_assertions));
    assert_eq!(panics(|| entry_handle::debug_assert_aligned_offset(65)), cfg!(debug_assertions));
    let mut stream: EntryStream = EntryStream::from(handle.clone_arc());
    let mut four = [0; 4];
    let read: usize = stream.read(&mut four)?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)?;
    assert_eq!(
        (read, four, rest.as_slice(), stream.read(&mut four)?),
        (4, *b"hell", &b"o anon"[..], 0)
    );
    let stream: EntryStream = handle.into();
    assert_eq!(stream.bytes().count(), 10);
    Ok(())
}

#[test]
fn a_store_of_a_program_of_0_17() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.bin");
    assert_eq!(kind(DataStore::open_existing(&path)), ErrorKind::NotFound);
    assert!(DataStore::open(directory.path()).is_err());
    let nowhere = directory.path().join("no").join("directory");
    assert!(DataStore::open(&nowhere).is_err());
    assert!(panics(move || drop(DataStore::from(nowhere))));
    let store: DataStore = DataStore::open(&path)?;
    let its_path: PathBuf = store.get_path();
    assert_eq!(its_path, path);
    assert!(path.exists(), "the file is created at once");
    let (len, is_empty): (usize, bool) = (store.len()?, store.is_empty()?);
    assert_eq!((len, is_empty, store.estimate_compaction_savings()), (0, true, 0));
    assert!(store.read_last_entry()?.is_none() && store.iter_entries().next().is_none());
    // Writes return the new tail.
    let first: u64 = store.write(b"k1", b"value1")?;
    let second: u64 = store.write(b"k2", b"value22")?;
    let third: u64 = store.write(b"k1", b"newer1")?;
    assert!(first < second && second < third);
    assert_eq!((store.file_size()?, store.len()?), (third, 2));
    let entry: EntryHandle = store.read(b"k1")?.unwrap();
    assert!(entry == b"newer1".as_slice() && entry.is_valid_checksum());
    assert_eq!(entry.key_hash(), simd_r_drive::compute_hash(b"k1"));
    assert_eq!(entry.address_range().start.addr() % 64, 0);
    assert_eq!(entry.metadata().prev_offset, second);
    let metadata: Option<EntryMetadata> = store.read_metadata(b"k1")?;
    assert_eq!(metadata.unwrap().checksum, entry.raw_checksum());
    assert!(store.estimate_compaction_savings() > 0);
    assert_eq!(store.read_last_entry()?.unwrap(), entry.to_vec());
    // Deletion; nothing to do returns the tail.
    let deleted: u64 = store.delete(b"k2")?;
    assert!(deleted > third);
    assert_eq!((store.delete(b"k2")?, store.delete(b"none")?), (deleted, deleted));
    assert!(!store.exists(b"k2")? && store.read(b"k2")?.is_none());
    assert!(!store.exists_with_key_hash(simd_r_drive::compute_hash(b"k2"))?);
    // Batches and hashes.
    let tail: u64 = store.batch_write(&[(b"b1", b"11"), (b"b2", b"two"), (b"b1", b"1111")])?;
    assert_eq!(tail, store.file_size()?);
    let hash = simd_r_drive::compute_hash(b"hk");
    store.write_with_key_hash(hash, b"hashed")?;
    store.batch_write_with_key_hashes(vec![(5, b"five"), (77, b"seventy-seven")], false)?;
    assert_eq!(store.read_with_key_hash(77)?.unwrap(), b"seventy-seven".as_slice());
    let entries: Vec<Option<EntryHandle>> = store.batch_read(&[b"b1", b"zz", b"b2", b"b1"])?;
    let (one, two) = (Some(b"1111".to_vec()), Some(b"two".to_vec()));
    assert_eq!(contents(entries), [one.clone(), None, two, one]);
    let hashes = simd_r_drive::compute_hash_batch(&[b"b1", b"hk"]);
    assert!(store.batch_read_hashed_keys(&hashes, None)?.iter().all(Option::is_some));
    let verified = store.batch_read_hashed_keys(&hashes[..1], Some(&[b"b1"]))?;
    assert!(verified[0].is_some());
    let short = store.batch_read_hashed_keys(&hashes, Some(&[b"b1"]));
    assert_eq!(kind(short), ErrorKind::InvalidInput);
    store.batch_delete_key_hashes(&[5])?;
    // Streams.
    let big: Vec<u8> = (0..200_000_u32).map(|number| number as u8).collect();
    let tail: u64 = store.write_stream(b"big", &mut Cursor::new(&big))?;
    assert_eq!(tail, store.file_size()?);
    store.write_stream_with_key_hash(78, &mut &b"from slice"[..])?;
    let mut back = Vec::new();
    EntryStream::from(store.read(b"big")?.unwrap()).read_to_end(&mut back)?;
    assert!(back == big && store.read(b"big")?.unwrap().is_valid_checksum());
    // Rename, copy, transfer.
    let target = DataStore::from(directory.path().join("other.bin"));
    assert_eq!(kind(store.rename(b"none", b"x")), ErrorKind::NotFound);
    assert_eq!(kind(store.rename(b"b1", b"b1")), ErrorKind::InvalidInput);
    let tail: u64 = store.rename(b"b1", b"b3")?;
    assert_eq!(tail, store.file_size()?);
    assert!(!store.exists(b"b1")? && store.read(b"b3")?.unwrap() == b"1111".as_slice());
    assert_eq!(kind(store.copy(b"none", &target)), ErrorKind::NotFound);
    assert_eq!(kind(store.copy(b"b3", &store)), ErrorKind::InvalidInput);
    assert_eq!(kind(store.transfer(b"b3", &store)), ErrorKind::InvalidInput);
    let copied: u64 = store.copy(b"b3", &target)?;
    assert_eq!(copied, target.file_size()?);
    let transferred: u64 = store.transfer(b"b2", &target)?;
    assert_eq!(transferred, store.file_size()?);
    assert!(target.exists(b"b2")? && store.exists(b"b3")? && !store.exists(b"b2")?);
    let _: (u64, u64) =
        (store.batch_delete(&[b"b3", b"none"])?, store.batch_delete_key_hashes(&[78, 123])?);
    // Iteration: newest first, live entries only.
    let iterator: EntryIterator = store.iter_entries();
    let hashes: Vec<u64> = iterator.map(|entry: EntryHandle| entry.key_hash()).collect();
    let hash_of = simd_r_drive::compute_hash;
    assert_eq!(hashes, [hash_of(b"big"), 77, hash, hash_of(b"k1")]);
    // Generic, dynamic and shared use.
    fn generic<S>(store: &S) -> Result<usize>
    where
        S: DataStoreReader<EntryHandleType = EntryHandle> + DataStoreWriter,
    {
        store.write(b"g", b"generic")?;
        Ok(store.read(b"g")?.unwrap().len())
    }
    let dynamic: &dyn DataStoreReader<EntryHandleType = EntryHandle> = &store;
    assert_eq!((generic(&store)?, dynamic.len()?), (7, 5));
    let shared = Arc::new(store);
    std::thread::scope(|scope| {
        for number in 0..4_u8 {
            let store = Arc::clone(&shared);
            scope.spawn(move || store.write(&[number], &[number + 1; 9]).unwrap());
        }
    });
    assert!((0..4_u8).all(|n| shared.read(&[n]).unwrap().unwrap() == vec![n + 1; 9]));
    drop(shared);
    // Reopen, compact, reopen.
    #[allow(unused_mut, reason = "the published `compact` takes `&mut self`")]
    let mut store: DataStore = DataStore::open_existing(&path)?;
    let held: EntryHandle = store.read(b"big")?.unwrap();
    let full = store.file_size()?;
    let () = store.compact()?;
    assert!(store.file_size()? < full && held.as_slice() == big);
    assert!(store.read(b"k1")?.unwrap() == b"newer1".as_slice());
    drop(store);
    let store = DataStore::open(&path)?;
    assert!(store.len()? == 9 && store.read(b"big")?.unwrap() == big && held.is_valid_checksum());
    let iterator: <DataStore as IntoIterator>::IntoIter = store.into_iter();
    let all: Vec<EntryHandle> = iterator.collect();
    assert_eq!(all.len(), 9);
    Ok(())
}

#[test]
fn a_third_party_backend() -> Result<()> {
    use simd_r_drive::traits::{AsyncDataStoreReader, AsyncDataStoreWriter};
    let directory = tempfile::tempdir()?;
    let open = |name: &str| DataStore::open(directory.path().join(name)).map(third_party::Wrap);
    let (store, other) = (open("a.bin")?, open("b.bin")?);
    pollster::block_on(async {
        AsyncDataStoreWriter::write(&store, b"a", b"1!").await?;
        AsyncDataStoreWriter::write_stream(&store, b"b", &mut Cursor::new(b"22")).await?;
        AsyncDataStoreWriter::batch_write(&store, &[(b"c", b"3!"), (b"d", b"4!")]).await?;
        AsyncDataStoreWriter::transfer(&store, b"d", &other).await?;
        let entry: Option<EntryHandle> = AsyncDataStoreReader::read(&store, b"b").await?;
        assert_eq!(entry.unwrap(), b"22".as_slice());
        let dynamic: &(dyn AsyncDataStoreReader<EntryHandleType = EntryHandle> + Sync) = &store;
        assert_eq!(dynamic.len().await?, 3);
        assert!(!dynamic.exists(b"d").await?);
        Ok(())
    })
}
