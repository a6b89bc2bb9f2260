//! Read-only stores beside a writer: refreshing, waiting, following a compaction.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

use crate::support::hooks::{Call, Hooked};

fn pair() -> io::Result<(tempfile::TempDir, DataStore, DataStore)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let writer = DataStore::open(&path)?;
    writer.write(b"first", b"1")?;
    let reader = OpenOptions::new().read_only(true).open(&path)?;
    Ok((directory, writer, reader))
}

fn assert_same(writer: &DataStore, reader: &DataStore) -> io::Result<()> {
    let contents = |store: &DataStore| -> Vec<(u64, Vec<u8>)> {
        store.iter_entries().map(|entry| (entry.key_hash(), entry.to_vec())).collect()
    };
    assert!(contents(writer) == contents(reader));
    assert_eq!(writer.len()?, reader.len()?);
    assert_eq!(writer.file_size()?, reader.file_size()?);
    assert_eq!(writer.estimate_compaction_savings(), reader.estimate_compaction_savings());
    Ok(())
}

#[test]
fn a_refresh_shows_every_kind_of_commit() -> io::Result<()> {
    let (_directory, writer, reader) = pair()?;
    assert!(!reader.refresh()?, "nothing new");
    let held = reader.read(b"first")?.unwrap();
    let steps: [&dyn Fn() -> io::Result<u64>; 9] = [
        &|| writer.write(b"first", b"2"),
        &|| writer.batch_write(&[(b"a", b""), (b"b", &[0; 5000]), (b"c", b"c")]),
        &|| writer.delete(b"a"),
        &|| writer.rename(b"b", b"a"),
        &|| writer.write_with_key_hash(7, b"bare"),
        &|| writer.batch_delete(&[b"c", b"first"]),
        &|| writer.write_stream(b"stream", &mut &[9; 3_000_000][..]),
        &|| writer.batch_delete_key_hashes(&[7]),
        &|| writer.sync().and_then(|()| writer.write(b"last", b"l")),
    ];
    for (number, step) in steps.iter().enumerate() {
        step()?;
        assert!(reader.refresh()?, "step {number}");
        assert_same(&writer, &reader)?;
        assert!(!reader.refresh()?, "step {number}");
    }
    assert_eq!(held, b"1".as_slice());
    assert!(!writer.refresh()?, "a writer shows its newest state anyway");
    Ok(())
}

#[test]
fn a_reader_follows_a_compaction_to_the_new_file() -> io::Result<()> {
    let (_directory, writer, reader) = pair()?;
    for number in 0..1000_u32 {
        writer.write(&(number % 10).to_le_bytes(), &number.to_le_bytes())?;
    }
    let snapshot = reader.snapshot();
    writer.compact()?;
    writer.write(b"after", b"compaction")?;
    assert!(reader.refresh()?);
    assert_same(&writer, &reader)?;
    writer.write(b"after", b"that")?;
    assert!(reader.refresh()?);
    assert_same(&writer, &reader)?;
    assert_eq!(snapshot.len()?, 1);
    Ok(())
}

#[test]
fn a_reader_sees_whole_commits_beside_a_flood() -> io::Result<()> {
    let (_directory, writer, reader) = pair()?;
    let is_done = AtomicBool::new(false);
    let refreshes = AtomicU64::new(0);
    let last = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Until the reader has seen some of it, and at least through three compactions.
            for number in 0_u64.. {
                if number > 3000 && refreshes.load(Ordering::Relaxed) > 10 {
                    break;
                }
                last.store(number, Ordering::Relaxed);
                let value = number.to_le_bytes();
                let long = vec![number as u8; (number % 3000) as usize];
                let batch: [(&[u8], &[u8]); 3] = [(b"x", &value), (b"long", &long), (b"y", &value)];
                writer.batch_write(&batch).unwrap();
                // Not faster than a reader built without optimisation can follow.
                thread::sleep(Duration::from_micros(100));
                if number % 1000 == 999 && number < 3000 {
                    writer.compact().unwrap();
                }
            }
            is_done.store(true, Ordering::Release);
        });
        let mut newest = 0;
        loop {
            let is_last = is_done.load(Ordering::Acquire);
            refreshes.fetch_add(u64::from(reader.refresh().unwrap()), Ordering::Relaxed);
            let found = reader.batch_read(&[b"x", b"y"]).unwrap();
            if let [Some(x), Some(y)] = &found[..] {
                assert!(x.as_slice() == y.as_slice(), "half of a batch");
                let number = u64::from_le_bytes(x.as_slice().try_into().unwrap());
                assert!(number >= newest, "{number} after {newest}");
                newest = number;
            } else {
                assert!(newest == 0 && found.iter().all(Option::is_none), "a key has vanished");
            }
            if is_last {
                break;
            }
        }
        assert_eq!(newest, last.load(Ordering::Relaxed));
    });
    assert_same(&writer, &reader)
}

#[test]
fn watching_waits_for_the_next_commit() -> io::Result<()> {
    let (_directory, writer, reader) = pair()?;
    assert!(!reader.watch(Duration::from_millis(20))?);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(50));
            writer.write(b"news", b"!").unwrap();
        });
        assert!(reader.watch(Duration::from_secs(60)).unwrap());
    });
    assert!(reader.exists(b"news")?);
    Ok(())
}

/// What was made visible before the failure used to be counted again.
#[test]
fn a_refresh_that_fails_half_way_goes_on_from_there() -> io::Result<()> {
    let (directory, writer, reader) = pair()?;
    let path = directory.path().join("store.srd");
    let reads_left = Arc::new(AtomicU64::new(u64::MAX));
    let hook = {
        let reads_left = Arc::clone(&reads_left);
        move |call| match call {
            // One read fails, those before and after it do not.
            Call::ReadAt(_) if reads_left.fetch_sub(1, Ordering::Relaxed) == 0 => {
                Err(io::Error::other("a bad sector"))
            }
            _ => Ok(true),
        }
    };
    let options = OpenOptions::new().read_only(true).file_system(Hooked::new(hook));
    let failing: Vec<_> = (0..20).map(|_| options.open(&path)).collect::<io::Result<_>>()?;
    for number in 0..12_000_u64 {
        // Two steps of a refresh, with versions that replace others.
        writer.write(&(number % 8_000).to_le_bytes(), &[7; 1000])?;
    }
    let mut half_way = 0;
    for (store, reads) in failing.iter().zip((0_u64..).step_by(4)) {
        reads_left.store(reads, Ordering::Relaxed);
        match store.refresh() {
            Ok(_) => reads_left.store(u64::MAX, Ordering::Relaxed),
            Err(_) => half_way += u64::from(store.len()? > 1),
        }
        store.refresh()?;
        assert_eq!(store.stats().live_keys, writer.stats().live_keys, "{reads} reads");
        assert_eq!(store.stats().dead_bytes, writer.stats().dead_bytes, "{reads} reads");
    }
    assert!(half_way > 0);
    reader.refresh()?;
    assert_same(&writer, &reader)
}
