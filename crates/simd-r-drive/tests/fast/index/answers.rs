//! A store whose index is in the file, completely, in part or for a while, gives the same answers
//! as one without checkpoints: for reads, writes that depend on what is there, history, snapshots,
//! followers, backups and nested stores.

use std::io;
use std::path::Path;

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions, Snapshot, compute_hash};

use crate::shown::{Histories, Shown, histories, keys};
use crate::support::{keys_of_one_hash, new_path};

/// What is done to a store and to another one, with which it shares entries.
type Step = fn(&DataStore, &DataStore) -> io::Result<()>;

/// Every kind of write, to keys that exist, that were deleted, and that never existed.
const STEPS: [Step; 16] = [
    |store, _| {
        let entries: Vec<_> = keys()[..10].iter().map(|key| (key.clone(), key.repeat(9))).collect();
        let entries: Vec<_> = entries.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        store.batch_write(&entries).map(drop)
    },
    |store, _| {
        let [one, two, three] = *keys_of_one_hash(3) else { unreachable!() };
        store.write(&one, b"one of three")?;
        store.batch_write(&[(&two, b"two of three"), (&three, b"")]).map(drop)
    },
    |store, _| {
        store.batch_write_with_key_hashes(vec![(5, b"bare 5"), (6, b"bare 6")], false)?;
        store.write_with_key_hash(compute_hash(b"by its hash"), b"found by key too").map(drop)
    },
    |store, _| {
        store.delete(b"k1")?;
        store.delete(&keys_of_one_hash(2)[1])?;
        store.delete(b"never").map(drop)
    },
    |store, _| {
        store.write(b"k2", b"second version")?;
        store.write(&keys_of_one_hash(1)[0], b"second version of one")?;
        store.write_with_key_hash(5, b"second version of 5").map(drop)
    },
    |store, _| {
        store.rename(b"k3", b"k1")?;
        store.rename(b"k2", b"")?;
        assert!(store.rename(b"never", b"k1").is_err());
        Ok(())
    },
    |store, other| {
        store.copy(b"k4", other)?;
        store.transfer(b"k5", other)?;
        store.transfer(&keys_of_one_hash(3)[2], other)?;
        assert!(store.transfer(b"never", other).is_err());
        other.copy(b"k4", store).map(drop)
    },
    |store, _| {
        assert!(!store.write_if_absent(b"k0", b"no")?);
        assert!(store.write_if_absent(b"k5", b"it was transferred")?);
        let seen = store.read(b"k0")?;
        assert!(!store.compare_and_write(b"k0", None, b"no")?);
        assert!(store.compare_and_write(b"k0", seen.as_ref(), b"as expected")?);
        assert!(!store.compare_and_write(b"k0", seen.as_ref(), b"outdated")?);
        assert!(store.compare_and_write(b"k3", None, b"it was renamed")?);
        Ok(())
    },
    |store, other| {
        other.transfer(b"k4", store)?;
        other.batch_delete(&[b"k5", b"never"]).map(drop)
    },
    |store, _| {
        store.batch_delete(&[b"k6", b"k7", b"never"])?;
        store.batch_delete_key_hashes(&[5, compute_hash(&keys_of_one_hash(1)[0]), 99]).map(drop)
    },
    // A hash over its key, and a key over its hash.
    |store, _| store.write_with_key_hash(compute_hash(b"k8"), b"bare over k8").map(drop),
    |store, _| store.write(b"by its hash", b"over the bare entry").map(drop),
    |store, _| {
        let [one, two, _] = *keys_of_one_hash(3) else { unreachable!() };
        store.batch_write(&[(&one, b"again"), (&two, b"and this")])?;
        let refused = store.write_with_key_hash(compute_hash(&one), b"which of both?");
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
        Ok(())
    },
    |store, _| store.write_stream(b"k9", &mut &[9; 200_000][..]).map(drop),
    |store, _| {
        let all = keys();
        let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
        store.batch_delete(&all)?;
        store.batch_delete_key_hashes(&[6]).map(drop)
    },
    |store, _| store.batch_write(&[(b"k0", b"a new life"), (b"k9", b"too")]).map(drop),
];

/// What happens after each step to a store that must show the same all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Nothing,
    Checkpoint,
    CheckpointAndReopen,
    CheckpointEveryThird,
    CheckpointAndCompact,
    CompactAndCheckpoint,
    ReopenReadOnlyMeanwhile,
}

impl Event {
    fn happens_to(self, store: &mut DataStore, path: &Path, options: &OpenOptions, step: usize) {
        if self != Self::Nothing && (self != Self::CheckpointEveryThird || step % 3 == 2) {
            if self == Self::CompactAndCheckpoint {
                store.compact().unwrap();
            }
            store.checkpoint().unwrap();
            let stats = store.stats();
            let is_written = stats.live_keys + stats.dead_slots > 0;
            assert_eq!((stats.index_hashes, stats.frozen_tables), (0, is_written.into()), "{step}");
        }
        match self {
            Self::CheckpointAndReopen | Self::CheckpointEveryThird => {
                store.close().unwrap();
                let tables = store.stats().frozen_tables;
                *store = options.open(path).unwrap();
                assert_eq!(store.recovery_report().is_index_used, tables == 1, "step {step}");
            }
            Self::CheckpointAndCompact => store.compact().unwrap(),
            Self::ReopenReadOnlyMeanwhile => {
                let beside = options.clone().create(false).read_only(true).open(path).unwrap();
                let report = beside.recovery_report();
                assert_eq!(report.is_index_used, store.stats().frozen_tables == 1, "{step}");
                assert!(report.slots_replayed <= 1, "nothing but a barrier: {report:?}");
                assert_eq!(Shown::of(&beside), Shown::of(store), "beside, step {step}");
            }
            _ => {}
        }
    }
}

/// What a store and another one show after each step, and their histories, unless a compaction
/// drops those.
fn life(event: Event, options: &OpenOptions) -> Vec<(Shown, Shown, Option<Histories>)> {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["store.srd", "other.srd"].map(|name| directory.path().join(name));
    let [mut store, mut other] = paths.each_ref().map(|path| options.open(path).unwrap());
    let has_histories = !format!("{event:?}").contains("Compact");
    let step = |(number, step): (usize, &Step)| {
        step(&store, &other).unwrap();
        event.happens_to(&mut store, &paths[0], options, number);
        event.happens_to(&mut other, &paths[1], options, number);
        (Shown::of(&store), Shown::of(&other), has_histories.then(|| histories(&store)))
    };
    STEPS.iter().enumerate().map(step).collect()
}

#[test]
fn checkpoints_change_nothing_that_anybody_can_see() {
    for (alignment, verify_reads) in [(64, false), (64, true), (4096, false), (65_536, true)] {
        let options =
            OpenOptions::new().create(true).alignment(alignment).verify_reads(verify_reads);
        let expected = life(Event::Nothing, &options);
        for event in [
            Event::Checkpoint,
            Event::CheckpointAndReopen,
            Event::CheckpointEveryThird,
            Event::CheckpointAndCompact,
            Event::CompactAndCheckpoint,
            Event::ReopenReadOnlyMeanwhile,
        ] {
            let found = life(event, &options);
            for (step, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let what = format!("{event:?}, step {step}, alignment {alignment}");
                assert_eq!(found.0, expected.0, "{what}");
                assert_eq!(found.1, expected.1, "the other store, {what}");
                assert!(found.2.is_none() || found.2 == expected.2, "history, {what}");
            }
        }
    }
}

/// A store that goes through all steps, with a look at it after each of them.
fn walk(mut look: impl FnMut(usize, &DataStore)) {
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let other = DataStore::open(path.with_extension("other")).unwrap();
    for (number, step) in STEPS.iter().enumerate() {
        step(&store, &other).unwrap();
        look(number, &store);
    }
}

#[test]
fn snapshots_and_iterators_stay_as_they_were() {
    let mut held: Vec<(Snapshot, Shown)> = Vec::new();
    walk(|number, store| {
        // Before and after a checkpoint, and between two that follow on each other.
        for _ in 0..2 {
            held.push((store.snapshot(), Shown::of(store)));
            let mut iterator = store.iter_entries();
            let newest = iterator.next().map(|entry| entry.to_vec());
            store.checkpoint().unwrap();
            assert_eq!(held.last().unwrap().1.last(), newest.as_deref());
            let rest = iterator.by_ref().count();
            assert!(iterator.error().is_none());
            assert_eq!(rest + usize::from(newest.is_some()), store.len().unwrap());
        }
        if number % 4 == 3 {
            store.compact().unwrap();
        }
        for (snapshot, shown) in &held {
            assert_eq!(Shown::of_snapshot(snapshot), *shown, "seen after step {number}");
        }
    });
}

#[test]
fn readers_follow_over_checkpoints_and_compactions() {
    let mut readers: Vec<DataStore> = Vec::new();
    walk(|number, store| {
        if number % 3 == 1 {
            store.checkpoint().unwrap();
        }
        if number % 5 == 4 {
            store.compact().unwrap();
        }
        for reader in &readers {
            assert!(reader.refresh().unwrap(), "step {number}");
        }
        let options = OpenOptions::new().read_only(true);
        readers.push(options.open(store.get_path()).unwrap());
        let shown = Shown::of(store);
        for reader in &readers {
            assert_eq!(Shown::of(reader), shown, "step {number}");
            assert_eq!(histories(reader), histories(store), "step {number}");
        }
    });
    let used = readers.iter().filter(|reader| reader.recovery_report().is_index_used).count();
    assert!((4..STEPS.len()).contains(&used), "{used} readers began with an index");
}

#[test]
fn cursors_work_over_checkpoints() {
    let mut cursor = None;
    let mut followed = std::collections::BTreeMap::new();
    walk(|number, store| {
        if number % 2 == 1 {
            store.checkpoint().unwrap();
        }
        let changes = store.entries_since(cursor).unwrap();
        cursor = Some(changes.cursor());
        for change in changes {
            let change = change.unwrap();
            let line = change.key().map(<[u8]>::to_vec).ok_or(change.key_hash());
            match change.into_value() {
                Some(value) => drop(followed.insert(line, value.to_vec())),
                None => drop(followed.remove(&line)),
            }
        }
        let mut entries = Shown::of(store).entries().to_vec();
        entries.sort();
        assert_eq!(followed.clone().into_iter().collect::<Vec<_>>(), entries, "step {number}");
    });
}

#[test]
fn backups_and_nested_stores_do_with_any_index() {
    let directory = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup.srd");
    let outer = DataStore::open(directory.path().join("outer.srd")).unwrap();
    walk(|number, store| {
        if number % 3 != 2 {
            store.checkpoint().unwrap();
        }
        let shown = Shown::of(store);
        let report = store.backup(&backup).unwrap();
        assert_eq!(report.is_incremental, number > 0);
        let restored = OpenOptions::new().read_only(true).verify_reads(true).open(&backup).unwrap();
        assert_eq!(Shown::of(&restored), shown, "the backup, step {number}");
        assert_eq!(histories(&restored), histories(store), "the backup, step {number}");

        // The store's file as it is, while it is open.
        let mut file = std::fs::File::open(store.get_path()).unwrap();
        outer.write_stream(b"inner", &mut file).unwrap();
        outer.checkpoint().unwrap();
        let inner = DataStore::open_nested(outer.read(b"inner").unwrap().unwrap()).unwrap();
        assert!(inner.recovery_report().is_index_used);
        assert_eq!(Shown::of(&inner), shown, "nested, step {number}");
        assert_eq!(histories(&inner), histories(store), "nested, step {number}");
    });
    // A backup takes writes and checkpoints of its own.
    let restored = DataStore::open_existing(&backup).unwrap();
    restored.write(b"k0", b"on its own").unwrap();
    let shown = Shown::of(&restored);
    restored.checkpoint().unwrap();
    assert_eq!(Shown::of(&restored), shown);
    restored.close().unwrap();
    let restored = DataStore::open_existing(&backup).unwrap();
    assert!(restored.recovery_report().is_index_used);
    assert_eq!(Shown::of(&restored), shown);
}

/// A table that holds a deletion answers for the key. If a look-up went on to the tables below it,
/// the deleted value would come back.
#[test]
fn a_deletion_in_a_table_hides_what_older_tables_hold() -> io::Result<()> {
    const OLD: u32 = 60_000;
    let (_directory, path) = new_path();
    // By itself a checkpoint would come at any time.
    let options = OpenOptions::new().create(true).automatic_checkpoints(false);
    let put = |store: &DataStore, numbers: std::ops::Range<u32>, value: &[u8]| {
        let keys: Vec<_> = numbers.map(u32::to_be_bytes).collect();
        let entries: Vec<_> = keys.iter().map(|key| (&key[..], value)).collect();
        store.batch_write(&entries).map(drop)
    };
    let store = options.open(&path)?;
    put(&store, 0..OLD, b"old")?;
    store.checkpoint()?;
    store.close()?;
    drop(store);
    let store = DataStore::open(&path)?;
    // From now on, the quickest way leads to the old value: its slot is known to be sound.
    assert_eq!(store.read(&1_u32.to_be_bytes())?.as_deref(), Some(&b"old"[..]));
    store.batch_delete(&[&0_u32.to_be_bytes(), &1_u32.to_be_bytes()])?;
    put(&store, OLD - 2_100..OLD + 2_100, b"new")?;
    store.close()?;
    assert_eq!((store.stats().frozen_tables, store.stats().index_hashes), (2, 0));

    let values: [(u32, Option<&[u8]>); 4] =
        [(1, None), (2, Some(b"old")), (OLD - 1, Some(b"new")), (OLD + 2_100, None)];
    for (number, value) in values.repeat(2) {
        let key = number.to_be_bytes();
        assert_eq!(store.read(&key)?.as_deref(), value, "{number}");
        assert_eq!(store.exists(&key)?, value.is_some(), "{number}");
        assert_eq!(store.batch_read(&[&key])?[0].as_deref(), value, "{number}");
        assert_eq!(store.view().get(&key)?, value, "{number}");
    }
    Ok(())
}
