//! Stores of the 0.15 to 0.17 format, made by hand: what is copied, refused, and left out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{
    DataStore, Foreign, FormatError, Migration, OpenOptions, StoreError, compute_hash, migrate,
};
use tempfile::TempDir;

use crate::support::older::OldStore;

fn sample() -> OldStore {
    let mut old = OldStore::default();
    old.write(b"a", b"old");
    old.write(b"b", &[7; 44]); // The next entry starts at a multiple of 64.
    old.write(b"c", &[1]);
    old.write(b"gone", b"gone");
    old.delete(b"gone");
    old.write(b"a", b"new");
    old.write(b"zeros", &[0; 500]);
    old
}

struct Bench {
    directory: TempDir,
    old: PathBuf,
    new: PathBuf,
}

impl Bench {
    fn new(bytes: &[u8]) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (old, new) = (directory.path().join("old.bin"), directory.path().join("new.srd"));
        fs::write(&old, bytes)?;
        Ok(Self { directory, old, new })
    }

    fn refusal<E: std::error::Error + 'static>(&self) -> E {
        let before = fs::read(&self.old).unwrap();
        let error = migrate(&self.old, &self.new).unwrap_err();
        assert!(fs::read(&self.old).unwrap() == before);
        assert_eq!(fs::read_dir(self.directory.path()).unwrap().count(), 1, "nothing is left");
        let text = error.to_string();
        let inner = error.into_inner().and_then(|inner| inner.downcast().ok());
        *inner.unwrap_or_else(|| panic!("{text}"))
    }
}

fn keys(path: &Path) -> io::Result<Vec<u64>> {
    let store = OpenOptions::new().read_only(true).verify_reads(true).open(path)?;
    assert!(store.recovery_report().was_clean);
    let mut keys: Vec<u64> = store.iter_entries().map(|entry| entry.key_hash()).collect();
    keys.reverse();
    Ok(keys)
}

fn hashes(keys: &[&[u8]]) -> Vec<u64> {
    keys.iter().map(|key| compute_hash(key)).collect()
}

#[test]
fn the_newest_values_are_copied_in_their_order() -> io::Result<()> {
    let bench = Bench::new(&sample().0)?;
    let report = migrate(&bench.old, &bench.new)?;
    assert_eq!((report.entries, report.deleted_keys, report.superseded), (4, 1, 2));
    assert_eq!(keys(&bench.new)?, hashes(&[b"b", b"c", b"a", b"zeros"]));
    let store = DataStore::open_existing(&bench.new)?;
    assert_eq!(store.read(b"a")?.unwrap(), b"new".as_slice());
    assert_eq!(store.read(b"c")?.unwrap(), [1].as_slice());
    assert_eq!(store.read(b"zeros")?.unwrap(), [0; 500].as_slice());
    assert!(store.read(b"gone")?.is_none());
    store.write(b"a", b"newest")?;
    drop(store);

    // Never over something that is there.
    let before = fs::read(&bench.new)?;
    let error = migrate(&bench.old, &bench.new).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert!(fs::read(&bench.new)? == before);
    let wide = bench.directory.path().join("wide.srd");
    Migration::new().options(OpenOptions::new().alignment(4096)).run(&bench.old, &wide)?;
    let store = DataStore::open_existing(&wide)?;
    assert_eq!(store.stats().alignment, 4096);
    assert_eq!(store.read(b"a")?.unwrap(), b"new".as_slice());
    Ok(())
}

#[test]
fn what_is_no_older_store_is_called_what_it_is() -> io::Result<()> {
    let cases: [(&[u8], Foreign); 3] = [
        (b"plain text, and more of it than a trailer has", Foreign::Text),
        (&[0; 4096], Foreign::Zeros),
        (b"\x89PNG\r\n\x1a\n and whatever follows that is no entry", Foreign::Png),
    ];
    for (bytes, kind) in cases {
        let bench = Bench::new(bytes)?;
        let expected = FormatError::not_a_store(kind).about(&*bench.old);
        assert_eq!(bench.refusal::<FormatError>(), expected);
        let skipping = Migration::new().skip_damaged(true).run(&bench.old, &bench.new);
        assert!(skipping.is_err(), "{kind}");
    }
    let bench = Bench::new(&[])?;
    DataStore::open(&bench.old)?.close()?;
    let error: StoreError = bench.refusal();
    assert!(matches!(error, StoreError::AlreadyMigrated { .. }), "{error}");
    Ok(())
}

#[test]
fn a_damaged_value_is_refused_or_left_out() -> io::Result<()> {
    let mut old = OldStore::default();
    old.write(b"a", b"old");
    old.write(b"b", b"whole");
    let at = old.write(b"a", b"new");
    old.write(b"c", b"whole");
    old.0[at] ^= 1;
    let bench = Bench::new(&old.0)?;
    match bench.refusal() {
        StoreError::OldEntryDamaged { offset, key_hash } => {
            assert_eq!((offset, key_hash), (at as u64, compute_hash(b"a")));
        }
        error => panic!("{error}"),
    }
    let report = Migration::new().skip_damaged(true).run(&bench.old, &bench.new)?;
    assert_eq!(report.entries, 2);
    assert_eq!(report.damaged.len(), 1);
    assert_eq!((report.damaged[0].offset, report.damaged[0].len), (at as u64, 3));
    assert_eq!(keys(&bench.new)?, hashes(&[b"b", b"c"]), "an outdated value does not come back");
    // What is dead is not looked at.
    let mut old = sample();
    old.0[0] ^= 1;
    let bench = Bench::new(&old.0)?;
    assert_eq!(migrate(&bench.old, &bench.new)?.entries, 4);
    Ok(())
}

#[test]
fn broken_chains_and_torn_ends_are_refused_or_skipped() -> io::Result<()> {
    let whole = sample().0;
    let mut torn = sample();
    torn.write(b"torn", &[9; 300]);
    for len in [whole.len() + 7, whole.len() + 64, torn.0.len() - 1] {
        let bench = Bench::new(&torn.0[..len])?;
        match bench.refusal() {
            StoreError::OldLogBroken { offset } => assert_eq!(offset, len as u64),
            error => panic!("{error}"),
        }
        let report = Migration::new().skip_damaged(true).run(&bench.old, &bench.new)?;
        assert_eq!(report.unreadable.len(), 1);
        assert_eq!(report.unreadable[0], whole.len() as u64..len as u64);
        assert_eq!(keys(&bench.new)?, hashes(&[b"b", b"c", b"a", b"zeros"]));
    }
    // Zeros at the end, as a crash of the machine may leave them, alone or after the start of a
    // trailer.
    for torn in [&[0; 5000][..], &[&[7; 40][..], &[0; 15]].concat()] {
        let bench = Bench::new(&[&whole[..], torn].concat())?;
        let report = Migration::new().skip_damaged(true).run(&bench.old, &bench.new)?;
        assert_eq!(report.entries, 4, "{report:?}");
    }

    let mut broken = OldStore::default();
    broken.write(b"a", b"first");
    broken.write(b"b", b"second");
    let second_end = broken.0.len();
    let third = broken.write(b"c", b"third");
    let third_end = broken.0.len();
    broken.write(b"d", b"fourth");
    // The link of the third entry.
    broken.0[third + 5 + 8 + 6] = 0xff;
    let bench = Bench::new(&broken.0)?;
    match bench.refusal() {
        StoreError::OldLogBroken { offset } => assert_eq!(offset, third_end as u64),
        error => panic!("{error}"),
    }
    let report = Migration::new().skip_damaged(true).run(&bench.old, &bench.new)?;
    assert_eq!(report.unreadable.len(), 1);
    assert_eq!(report.unreadable[0], second_end as u64..third_end as u64);
    assert_eq!(keys(&bench.new)?, hashes(&[b"a", b"b", b"d"]));
    Ok(())
}

#[test]
fn arbitrary_bytes_are_survived() -> io::Result<()> {
    let whole = sample().0;
    // Every few bits; a migration flushes, so that all of them would take minutes.
    for number in (0..whole.len() * 2).step_by(23) {
        let mut bytes = whole.clone();
        bytes[number / 2] ^= if number % 2 == 0 { 1 } else { 0x80 };
        let bench = Bench::new(&bytes)?;
        // It works, or it says why not; never a panic, never a wrong value.
        for skip in [false, true] {
            let new = bench.directory.path().join(format!("{skip}.srd"));
            if Migration::new().skip_damaged(skip).run(&bench.old, &new).is_ok() {
                let store = OpenOptions::new().read_only(true).verify_reads(true).open(&new)?;
                for (key, value) in [(&b"b"[..], &[7; 44][..]), (b"zeros", &[0; 500])] {
                    if let Some(entry) = store.read(key)? {
                        assert_eq!(entry, value, "byte {}", number / 2);
                    }
                }
            }
        }
    }
    Ok(())
}
