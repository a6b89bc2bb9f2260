//! Repair of a damaged store and migration of an older one, which write a new file and only read
//! the old one.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use simd_r_drive::traits::DataStoreWriter;
use simd_r_drive::{DataStore, OpenOptions, migrate, repair};

use crate::ledger::{Ledger, told};
use crate::scene::rounds;
use crate::support::older::OldStore;
use crate::support::{Random, child, names_in, state_of};
use crate::victim::Victim;

/// What makes a new file, by its name.
type Conversion = fn(&Path, &Path) -> io::Result<()>;

const CONVERSIONS: [(&str, Conversion); 2] = [
    ("repair", |old, new| repair(old, new).map(drop)),
    ("migration", |old, new| migrate(old, new).map(drop)),
];

/// A store with damage to some of its values, some keys, and some older versions.
fn damaged_store(path: &Path) {
    let store = DataStore::open(path).unwrap();
    let mut random = Random(1);
    for number in 0_u64..3000 {
        let len = random.below(2000) as usize;
        store.write(format!("key {}", number % 2000).as_bytes(), &random.bytes(len)).unwrap();
    }
    drop(store);
    let mut bytes = fs::read(path).unwrap();
    for part in 2..8 {
        let at = bytes.len() / 8 * part;
        bytes[at..at + 200].fill(0x5a);
    }
    fs::write(path, bytes).unwrap();
}

fn older_store(path: &Path) {
    let mut old = OldStore::default();
    let mut random = Random(2);
    for number in 0_u64..3000 {
        let key = format!("key {}", number % 2000);
        let len = 1 + random.below(2000) as usize;
        old.write(key.as_bytes(), &random.bytes(len));
        if number % 10 == 0 {
            old.delete(key.as_bytes());
        }
    }
    fs::write(path, old.0).unwrap();
}

/// Everything in the new store, by hash, since some values have been written by hash alone.
fn everything(path: &Path) -> BTreeMap<u64, Vec<u8>> {
    let store = OpenOptions::new().read_only(true).verify_reads(true).open(path).unwrap();
    assert!(store.recovery_report().was_clean, "{:?}", store.recovery_report());
    let mut entries = store.iter_entries();
    let everything = entries.by_ref().map(|entry| (entry.key_hash(), entry.to_vec())).collect();
    entries.finish().unwrap();
    everything
}

#[test]
#[ignore = "a process that another test starts"]
fn process() {
    let Some((old, name)) = child::orders() else { return };
    let (_, convert) = CONVERSIONS.iter().find(|(known, _)| *known == name).unwrap();
    told(&name, || convert(&old, &old.with_file_name("new.srd")).unwrap());
    std::thread::park();
}

/// Kills a conversion of the store that `make` writes, 200 times.
fn series(name: &str, make: fn(&Path)) {
    let directory = tempfile::tempdir().unwrap();
    let (old, new) = (directory.path().join("old"), directory.path().join("new.srd"));
    make(&old);
    let before = state_of(&old);
    let (_, convert) = CONVERSIONS.iter().find(|(known, _)| *known == name).unwrap();
    let started = Instant::now();
    convert(&old, &new).unwrap();
    let usual_time = started.elapsed();
    let expected = everything(&new);
    assert!(expected.len() > 1000, "{}", expected.len());
    fs::remove_file(&new).unwrap();

    let mut random = Random(std::process::id().into());
    let (mut inside, mut complete, mut remains) = (0, 0, 0);
    // On a busy machine the child may be faster than this process was, or slower. The instants follow
    // it: half of them come before its end.
    let mut most_micros = usual_time.as_micros() as u64;
    for round in 0..rounds() {
        let mut victim = Victim::start(process, &old, name);
        victim.wait_for("+");
        let delay = Duration::from_micros(random.below(most_micros));
        let ledger = Ledger::of(&victim.kill_after(delay));
        let died_inside = ledger.died_in(name);
        inside += u64::from(died_inside);
        most_micros = if died_inside { most_micros * 5 / 4 } else { (most_micros * 4 / 5).max(1) };
        assert!(state_of(&old) == before, "the source has changed");
        assert!(died_inside || new.exists(), "what was complete is not there");
        let mut temporary = 0;
        for found in names_in(directory.path()) {
            if found.starts_with(".simd-r-drive-") {
                temporary += 1;
                fs::remove_file(directory.path().join(found)).unwrap();
            }
        }
        assert!(temporary <= usize::from(died_inside), "{temporary} temporary files");
        remains += temporary;
        if new.exists() {
            complete += 1;
            assert!(everything(&new) == expected, "a part of the store");
            let error = convert(&old, &new).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        } else if round % 4 == 0 {
            convert(&old, &new).unwrap();
        }
        if new.exists() {
            assert!(everything(&new) == expected, "repeated");
            fs::remove_file(&new).unwrap();
        }
        assert_eq!(names_in(directory.path()), ["old"]);
    }
    println!(
        "{} kills: {inside} inside a {name} of some {usual_time:?}, {complete} left a whole store, \
         {remains} a temporary file",
        rounds(),
    );
    assert!(inside > rounds() / 4, "{inside} kills landed inside");
}

#[test]
fn kills_of_a_repair_leave_nothing_or_a_whole_store() {
    series("repair", damaged_store);
}

#[test]
fn kills_of_a_migration_leave_nothing_or_a_store() {
    series("migration", older_store);
}
