//! A follower uses the index that the writer puts into the file. Its memory stays bounded, and it
//! gives the same answers as the writer, whatever happens to the index.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

/// Keys written in a round: more than a follower keeps in memory once a table holds them.
const KEYS: u64 = 70_000;

type Model = BTreeMap<u64, u64>;

struct World {
    writer: DataStore,
    reader: DataStore,
    model: Model,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("store.srd");
        let options = OpenOptions::new().automatic_checkpoints(false);
        let writer = options.clone().create(true).open(&path)?;
        let reader = options.read_only(true).open(&path)?;
        Ok(Self { writer, reader, model: Model::new(), path, _directory: directory })
    }

    /// New keys, new versions, deletions.
    fn write(&mut self, round: u64) -> io::Result<()> {
        let numbers: Vec<_> = (round * KEYS / 2..round * KEYS / 2 + KEYS).collect();
        for batch in numbers.chunks(1000) {
            let keys: Vec<_> = batch.iter().map(|number| number.to_le_bytes()).collect();
            let value = round.to_le_bytes();
            let entries: Vec<_> = keys.iter().map(|key| (&key[..], &value[..])).collect();
            self.writer.batch_write(&entries)?;
            self.model.extend(batch.iter().map(|number| (*number, round)));
        }
        for number in numbers.iter().step_by(97) {
            self.writer.delete(&number.to_le_bytes())?;
            self.model.remove(number);
        }
        Ok(())
    }

    fn check_reader(&self) -> io::Result<()> {
        check(&self.model, |key| Ok(self.reader.read(key)?.map(|entry| entry.to_vec())))?;
        let counts = |store: &DataStore| {
            let stats = store.stats();
            (stats.tail, stats.live_keys, stats.dead_slots, stats.dead_bytes)
        };
        assert_eq!(counts(&self.reader), counts(&self.writer));
        assert_eq!(self.reader.len()?, self.model.len());
        Ok(())
    }
}

fn check(model: &Model, read: impl Fn(&[u8]) -> io::Result<Option<Vec<u8>>>) -> io::Result<()> {
    let last = model.last_key_value().map_or(0, |(number, _)| *number);
    for number in (0..last + 100).step_by(61).chain((0..last).step_by(97)) {
        let expected = model.get(&number).map(|round| round.to_le_bytes().to_vec());
        assert_eq!(read(&number.to_le_bytes())?, expected, "{number}");
    }
    Ok(())
}

/// Where the payload of the newest table begins and ends that the newest barrier names.
fn newest_table(path: &Path) -> io::Result<(u64, u64)> {
    let file = File::open(path)?;
    let word_at = |offset| {
        let mut bytes = [0; 8];
        file.read_exact_at(&mut bytes, offset)?;
        io::Result::Ok(u64::from_le_bytes(bytes))
    };
    let payload_of = |end| {
        let payload_len = word_at(end - 32)? & ((1 << 48) - 1);
        let start = end - (payload_len + 32).next_multiple_of(64);
        io::Result::Ok((start, start + payload_len))
    };
    let barrier = payload_of(word_at(4096 + 152)?.max(word_at(8192 + 152)?))?;
    payload_of(word_at(barrier.0 + 48)?)
}

#[test]
fn memory_stays_bounded_and_answers_are_the_writers() -> io::Result<()> {
    let mut world = World::new()?;
    let mut snapshots = Vec::new();
    for round in 0..5 {
        snapshots.push((world.reader.snapshot(), world.model.clone()));
        world.write(round)?;
        world.writer.checkpoint()?;
        assert!(world.reader.refresh()?);
        let stats = world.reader.stats();
        assert_eq!(stats.frozen_hashes, world.writer.stats().frozen_hashes, "{round}");
        assert!(stats.index_heap_bytes < 1 << 20, "{} bytes, {round}", stats.index_heap_bytes);
        world.check_reader()?;
        // What comes after the index is found too.
        let number = round * KEYS / 2 + 5;
        world.writer.write(&number.to_le_bytes(), &99_u64.to_le_bytes())?;
        world.model.insert(number, 99);
        assert!(world.reader.refresh()?);
        world.check_reader()?;
    }
    for (snapshot, model) in &snapshots {
        assert_eq!(snapshot.len()?, model.len());
        check(model, |key| Ok(snapshot.read(key)?.map(|entry| entry.to_vec())))?;
    }
    Ok(())
}

#[test]
fn readers_go_on_while_an_index_is_adopted() -> io::Result<()> {
    let mut world = World::new()?;
    world.write(0)?;
    world.reader.refresh()?;
    let is_done = AtomicBool::new(false);
    let World { writer, reader, .. } = &world;
    thread::scope(|scope| {
        for first in 0..2 {
            let is_done = &is_done;
            scope.spawn(move || {
                let mut newest = 0;
                while !is_done.load(Ordering::Acquire) {
                    for number in (first..KEYS).step_by(1009).filter(|number| number % 97 != 0) {
                        let entry = reader.read(&number.to_le_bytes()).unwrap();
                        let value = entry.expect("it was there from the beginning");
                        assert_eq!(value.len(), 8);
                    }
                    // Each round writes this one last.
                    let last = reader.read(b"last").unwrap();
                    let round = last.map_or(0, |last| u64::from(last.as_slice()[0]));
                    assert!(round >= newest, "{round} after {newest}");
                    newest = round;
                }
            });
        }
        for round in 1..6_u8 {
            for first in (0..KEYS).step_by(1000) {
                let keys: Vec<_> = (first..first + 1000).map(u64::to_le_bytes).collect();
                let value = [round; 8];
                let entries: Vec<_> = keys.iter().map(|key| (&key[..], &value[..])).collect();
                writer.batch_write(&entries).unwrap();
            }
            writer.write(b"last", &[round]).unwrap();
            writer.checkpoint().unwrap();
            reader.refresh().unwrap();
            assert_eq!(reader.read(b"last").unwrap().unwrap(), &[round][..]);
        }
        is_done.store(true, Ordering::Release);
    });
    assert!(world.reader.stats().index_heap_bytes < 1 << 20);
    Ok(())
}

#[test]
fn a_damaged_index_is_not_adopted_or_does_no_harm() -> io::Result<()> {
    // Of the table: its header; all but its header; all of it, as if its space had been given back.
    for damaged in [0..128, 128..u64::MAX, 0..u64::MAX] {
        let mut world = World::new()?;
        world.write(0)?;
        world.writer.checkpoint()?;
        let (start, end) = newest_table(&world.path)?;
        let from = start + damaged.start;
        let to = start.saturating_add(damaged.end).min(end);
        let file = File::options().write(true).open(&world.path)?;
        file.write_all_at(&vec![0; (to - from) as usize], from)?;
        assert!(world.reader.refresh()?);
        assert_eq!(world.reader.stats().frozen_tables, u64::from(damaged.start > 0));
        world.check_reader()?;
        // The next one is whole again.
        world.write(1)?;
        world.writer.checkpoint()?;
        assert!(world.reader.refresh()?);
        assert_eq!(world.reader.stats().frozen_tables, world.writer.stats().frozen_tables);
        world.check_reader()?;
    }
    Ok(())
}
