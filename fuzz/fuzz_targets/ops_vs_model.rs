//! A store gives the same answers as a sorted map after any sequence of operations, also after
//! reopening and after a crash between two operations.

#![no_main]

use std::io::{self, ErrorKind, Read};
use std::path::PathBuf;
use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{
    DataStore, Durability, EntryHandle, EntryIterator, Keys, OpenOptions, Snapshot,
};
use simd_r_drive_fuzz::{keys, scratch};
use simd_r_drive_testkit::{Content, Line, Model, Refused, assert_reads_same, assert_same_about};

/// The most operations in one run.
const MAX_OPS: usize = 48;

#[derive(Debug, Arbitrary)]
struct Input {
    align_log2: u8,
    verify_reads: bool,
    is_synced: bool,
    ops: Vec<Op>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
struct Payload {
    len: Len,
    byte: u8,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Len {
    Empty,
    Short(u8),
    Medium(u16),
    /// About the length from which payloads are written without a copy.
    AroundDirect(u8),
}

impl Payload {
    fn bytes(self) -> Arc<[u8]> {
        let len = match self.len {
            Len::Empty => 0,
            Len::Short(len) => usize::from(len),
            Len::Medium(len) => usize::from(len),
            Len::AroundDirect(more) => (128 << 10) - 128 + usize::from(more),
        };
        (0..len).map(|at| self.byte.wrapping_mul((at >> 3) as u8)).collect()
    }
}

#[derive(Debug, Arbitrary)]
enum Op {
    Write(u8, Payload),
    WriteStream {
        key: u8,
        payload: Payload,
        end: StreamEnd,
    },
    WriteHash(u8, Payload),
    WriteHashStream(u8, Payload),
    BatchWrite(Vec<(u8, Payload)>),
    BatchWriteHashes(Vec<(u8, Payload)>),
    Rename(u8, u8),
    Copy(u8),
    Transfer(u8),
    TransferBack(u8),
    CopyToItself(u8),
    Delete(u8),
    BatchDelete(Vec<u8>),
    BatchDeleteHashes(Vec<u8>),
    WriteIfAbsent(u8, Payload),
    /// Expects the key to have the version that a held handle shows; the second number selects the
    /// handle.
    CompareAndWrite(u8, Option<u8>, Payload),
    Sync,
    Checkpoint,
    Compact,
    Reopen,
    /// The process dies: a copy of the file is opened.
    Crash,
    HoldHandle(u8),
    HoldIterator,
    HoldSnapshot,
    OpenBeside,
    Check,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum StreamEnd {
    Good,
    Fails,
    Interrupted,
}

/// A stream that returns pieces of an odd length, and ends as `end` says.
struct Stream<'a> {
    bytes: &'a [u8],
    end: StreamEnd,
    is_interrupted: bool,
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if matches!(self.end, StreamEnd::Interrupted) {
            self.is_interrupted = !self.is_interrupted;
            if self.is_interrupted {
                return Err(ErrorKind::Interrupted.into());
            }
        }
        if self.bytes.is_empty() && matches!(self.end, StreamEnd::Fails) {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let len = self.bytes.len().min(buffer.len()).min(4093);
        let (now, later) = self.bytes.split_at(len);
        buffer[..len].copy_from_slice(now);
        self.bytes = later;
        Ok(len)
    }
}

/// A handle, with a copy of its bytes and the number of its version.
struct Held {
    handle: EntryHandle,
    copy: Vec<u8>,
    version: Option<u64>,
    /// How many compactions and reopens there were before it was read. After another one, it counts
    /// as outdated.
    era: usize,
}

/// A store, what it should hold, and the handles, iterators and snapshots taken from it.
struct Subject {
    store: DataStore,
    model: Model,
    path: PathBuf,
    options: OpenOptions,
    handles: Vec<Held>,
    iterators: Vec<(EntryIterator, Model)>,
    snapshots: Vec<(Snapshot, Model)>,
    crashes: usize,
    era: usize,
}

fuzz_target!(|input: Input| {
    let directory = scratch::directory();
    let mut subject = Subject::new(directory.path().join("store"), &input);
    let mut other = Subject::new(directory.path().join("other"), &input);
    for op in input.ops.iter().take(MAX_OPS) {
        subject.apply(op, &mut other);
    }
    for subject in [&mut subject, &mut other] {
        subject.check();
        subject.reopen();
        subject.check();
        subject.check_held();
    }
    let strays = scratch::contents(directory.path()).len();
    assert_eq!(strays, 2, "files were left behind");
});

impl Subject {
    fn new(path: PathBuf, input: &Input) -> Self {
        let options = OpenOptions::new()
            .create(true)
            .alignment(1 << (6 + input.align_log2 % 11))
            .verify_reads(input.verify_reads)
            .durability(if input.is_synced { Durability::Sync } else { Durability::Process });
        let store = options.open(&path).expect("a store is created");
        Self {
            store,
            model: Model::default(),
            path,
            options,
            handles: Vec::new(),
            iterators: Vec::new(),
            snapshots: Vec::new(),
            crashes: 0,
            era: 0,
        }
    }

    fn apply(&mut self, op: &Op, other: &mut Self) {
        let before = self.store.file_size().expect("known");
        let (got, expected) = self.run(op, other);
        let after = self.store.file_size().expect("known");
        let may_shrink = matches!(op, Op::Reopen | Op::Crash | Op::Compact);
        assert!(after >= before || may_shrink, "the tail went back");
        match (got, expected) {
            (Ok(Some(tail)), Ok(())) => assert_eq!(tail, after, "{op:?}"),
            (Ok(None), Ok(())) => {}
            (Err(error), Err(kind)) => {
                assert_eq!(error.kind(), kind, "{op:?}: {error}");
                assert_eq!(after, before, "a refused operation moved the tail: {op:?}");
            }
            (got, expected) => panic!("{op:?}: got {got:?}, expected {expected:?}"),
        }
        assert_eq!(self.store.len().expect("counted"), self.model.len(), "{op:?}");
    }

    /// Performs `op` on the store and on the model. Returns the outcomes; that of the store
    /// includes the tail if the operation returns one.
    fn run(&mut self, op: &Op, other: &mut Self) -> (io::Result<Option<u64>>, Result<(), Refused>) {
        let (store, model) = (&self.store, &mut self.model);
        let (got, expected) = match op {
            Op::Write(key, payload) => {
                let (key, payload) = (keys::key(*key), payload.bytes());
                (store.write(key, &payload), model.write(&[(key, payload)]))
            }
            Op::WriteStream { key, payload, end } => {
                let (key, payload) = (keys::key(*key), payload.bytes());
                let mut stream = Stream { bytes: &payload, end: *end, is_interrupted: false };
                let got = store.write_stream(key, &mut stream);
                let expected = match end {
                    StreamEnd::Fails => Err(ErrorKind::ConnectionReset),
                    _ => model.write(&[(key, payload)]),
                };
                (got, expected)
            }
            Op::WriteHash(hash, payload) => {
                let (hash, payload) = (keys::hash(*hash), payload.bytes());
                (store.write_with_key_hash(hash, &payload), model.write_hashes(&[(hash, payload)]))
            }
            Op::WriteHashStream(hash, payload) => {
                let (hash, payload) = (keys::hash(*hash), payload.bytes());
                let got = store.write_stream_with_key_hash(hash, &mut &*payload);
                (got, model.write_hashes(&[(hash, payload)]))
            }
            Op::BatchWrite(entries) => {
                let owned: Vec<_> =
                    entries.iter().map(|(key, p)| (keys::key(*key), p.bytes())).collect();
                let entries: Vec<_> = owned.iter().map(|(key, p)| (*key, &p[..])).collect();
                (store.batch_write(&entries), model.write(&owned))
            }
            Op::BatchWriteHashes(entries) => {
                let owned: Vec<_> =
                    entries.iter().map(|(hash, p)| (keys::hash(*hash), p.bytes())).collect();
                let entries = owned.iter().map(|(hash, p)| (*hash, &p[..])).collect();
                (store.batch_write_with_key_hashes(entries, false), model.write_hashes(&owned))
            }
            Op::Rename(old, new) => {
                let (old, new) = (keys::key(*old), keys::key(*new));
                (store.rename(old, new), model.rename(old, new))
            }
            Op::Copy(key) => {
                let key = keys::key(*key);
                let got = store.copy(key, &other.store);
                if let Ok(tail) = &got {
                    assert_eq!(*tail, other.store.file_size().expect("known"));
                }
                return (got.map(|_| None), model.copy(key, &mut other.model));
            }
            Op::Transfer(key) => {
                let key = keys::key(*key);
                let expected = model.copy(key, &mut other.model);
                let got = store.transfer(key, &other.store);
                if expected.is_ok() {
                    model.delete(key);
                }
                (got, expected)
            }
            Op::TransferBack(key) => {
                let key = keys::key(*key);
                let expected = other.model.copy(key, model);
                let got = other.store.transfer(key, store);
                if expected.is_ok() {
                    other.model.delete(key);
                }
                return (got.map(|_| None), expected);
            }
            Op::CopyToItself(key) => {
                (store.copy(keys::key(*key), store), Err(ErrorKind::InvalidInput))
            }
            Op::Delete(key) => {
                let key = keys::key(*key);
                let got = store.delete(key);
                model.delete(key);
                (got, Ok(()))
            }
            Op::BatchDelete(numbers) => {
                let keys: Vec<_> = numbers.iter().map(|number| keys::key(*number)).collect();
                let before = model.len();
                let tail = store.file_size().expect("known");
                let got = store.batch_delete(&keys);
                keys.iter().for_each(|key| model.delete(key));
                if model.len() == before {
                    assert_eq!(store.file_size().expect("known"), tail, "deleted what is absent");
                }
                (got, Ok(()))
            }
            Op::BatchDeleteHashes(numbers) => {
                let hashes: Vec<_> = numbers.iter().map(|number| keys::hash(*number)).collect();
                let got = store.batch_delete_key_hashes(&hashes);
                hashes.iter().for_each(|hash| model.delete_hash(*hash));
                (got, Ok(()))
            }
            Op::WriteIfAbsent(key, payload) => {
                let (key, payload) = (keys::key(*key), payload.bytes());
                let is_absent = model.get(key).is_none();
                let got = store.write_if_absent(key, &payload);
                let expected = if is_absent { model.write(&[(key, payload)]) } else { Ok(()) };
                if let Ok(wrote) = got {
                    assert_eq!(wrote, is_absent);
                }
                return (got.map(|_| None), expected);
            }
            Op::CompareAndWrite(key, number, payload) => {
                let (key, payload) = (keys::key(*key), payload.bytes());
                let held = number.and_then(|number| {
                    self.handles.get(usize::from(number) % self.handles.len().max(1))
                });
                let is_expected = model.version(key) == held.and_then(|held| held.version)
                    && held.is_none_or(|held| held.era == self.era);
                let got = store.compare_and_write(key, held.map(|held| &held.handle), &payload);
                let expected = if is_expected { model.write(&[(key, payload)]) } else { Ok(()) };
                if let Ok(wrote) = got {
                    assert_eq!(wrote, is_expected);
                }
                return (got.map(|_| None), expected);
            }
            Op::Compact => {
                self.compact();
                return (Ok(None), Ok(()));
            }
            Op::Sync => return (store.sync().map(|()| None), Ok(())),
            Op::Checkpoint => {
                let got = store.checkpoint();
                let stats = store.stats();
                assert_eq!(stats.index_hashes, 0, "something is not in the file");
                assert!(stats.frozen_tables <= 1 && !stats.is_frozen_rebuilt, "{stats:?}");
                return (got.map(|()| None), Ok(()));
            }
            Op::Reopen => {
                self.reopen();
                return (Ok(None), Ok(()));
            }
            Op::Crash => {
                self.crash();
                return (Ok(None), Ok(()));
            }
            Op::HoldHandle(key) => {
                let key = keys::key(*key);
                if let Ok(Some(handle)) = store.read(key) {
                    let (copy, version, era) = (handle.to_vec(), model.version(key), self.era);
                    self.handles.push(Held { handle, copy, version, era });
                }
                return (Ok(None), Ok(()));
            }
            Op::HoldIterator => {
                self.iterators.push((store.iter_entries(), model.clone()));
                return (Ok(None), Ok(()));
            }
            Op::HoldSnapshot => {
                self.snapshots.push((store.snapshot(), model.clone()));
                return (Ok(None), Ok(()));
            }
            Op::OpenBeside => {
                let options = OpenOptions::new().read_only(true);
                let reader = options.open(&self.path).expect("readers are welcome beside a writer");
                check_answers(&reader, model);
                let refused = OpenOptions::new().open(&self.path);
                assert!(refused.is_err(), "two writers");
                return (Ok(None), Ok(()));
            }
            Op::Check => {
                self.check();
                return (Ok(None), Ok(()));
            }
        };
        (got.map(Some), expected)
    }

    /// Compacts the store, and checks that live values stay, in their order, and that nothing else
    /// is left.
    fn compact(&mut self) {
        self.era += 1;
        let before = self.store.file_size().expect("known");
        self.store.compact().expect("nothing is damaged");
        assert!(self.store.file_size().expect("known") <= before + 2 * (64 << 10), "it grew");
        let stats = self.store.stats();
        assert_eq!((stats.dead_slots, stats.dead_bytes), (0, 0), "compaction left dead bytes");
        self.check();
    }

    fn reopen(&mut self) {
        self.era += 1;
        let before = self.store.stats();
        self.store.close().expect("a store on a sound disk closes");
        let len = std::fs::metadata(&self.path).expect("there").len();
        assert_eq!(self.store.file_size().expect("known"), len, "a closed store has no slack");
        assert!(self.store.write(b"late", b"").is_err(), "a closed store took a write");
        self.store = self.options.open(&self.path).expect("what was closed opens again");
        let report = self.store.recovery_report();
        assert!(report.was_clean && report.uncommitted_bytes == 0, "{report:?}");
        self.compare_counts(&before);
    }

    fn crash(&mut self) {
        self.era += 1;
        let before = self.store.stats();
        self.crashes += 1;
        let left = self.path.with_extension(self.crashes.to_string());
        std::fs::copy(&self.path, &left).expect("copied");
        let survivor = self.options.open(&left).expect("what a dead process leaves opens");
        assert_eq!(survivor.recovery_report().uncommitted_bytes, 0);
        // The old store is dropped and closes its file, but that file is not used any more.
        self.store = survivor;
        std::fs::remove_file(&self.path).expect("removed");
        self.path = left;
        self.compare_counts(&before);
    }

    /// Checks that the figures that were kept up to date equal those counted when the store was
    /// opened again.
    fn compare_counts(&self, before: &simd_r_drive::StoreStats) {
        let after = self.store.stats();
        assert_eq!(
            (after.live_keys, after.dead_slots, after.dead_bytes),
            (before.live_keys, before.dead_slots, before.dead_bytes),
            "live keys, dead slots, dead bytes"
        );
    }

    fn check(&self) {
        check_answers(&self.store, &self.model);
        check_keys(self.store.keys(), &self.model);
        let report = self.store.verify().expect("readable");
        assert!(report.is_sound(), "{:?}", report.damaged);
        assert_eq!(report.live_keys, self.model.len() as u64);
    }

    fn check_held(&mut self) {
        for held in self.handles.drain(..) {
            assert_eq!(&*held.handle, &*held.copy, "a handle changed under its holder");
        }
        let alignment = self.store.stats().alignment;
        for (snapshot, model) in self.snapshots.drain(..) {
            let (keys, hashes) = questions();
            assert_reads_same(&snapshot, alignment, &model, &keys, &hashes).expect("readable");
            check_iterator(&mut snapshot.iter_entries(), &model);
            check_keys(snapshot.keys(), &model);
        }
        for (mut iterator, model) in self.iterators.drain(..) {
            check_iterator(&mut iterator, &model);
            iterator.finish().expect("nothing is damaged");
        }
    }
}

fn check_answers(store: &DataStore, model: &Model) {
    let (keys, hashes) = questions();
    assert_same_about(store, model, &keys, &hashes).expect("readable");
}

/// Every key and every hash.
fn questions() -> (Vec<&'static [u8]>, Vec<u64>) {
    let count = keys::ALL.len() as u8;
    ((0..count).map(keys::key).collect(), (0..count + 4).map(keys::hash).collect())
}

/// Checks that iteration returns every live entry once, newest first.
fn check_iterator(iterator: &mut EntryIterator, model: &Model) {
    let got: Content =
        iterator.map(|entry| (Line::from(&entry), Arc::from(entry.as_slice()))).collect();
    assert!(got == model.content(), "iteration differs from the model");
}

/// Checks that a listing returns every live entry once, newest first, with the length of its value.
fn check_keys(keys: Keys, model: &Model) {
    let got: Vec<(Line, u64)> = keys
        .map(|info| {
            let info = info.expect("nothing is damaged");
            (info.key.map_or(Line::Bare(info.key_hash), Line::Keyed), info.value_len)
        })
        .collect();
    let expected: Vec<_> =
        model.content().into_iter().map(|(line, value)| (line, value.len() as u64)).collect();
    assert!(got == expected, "a listing differs from the model");
}
