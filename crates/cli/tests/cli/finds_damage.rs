use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

use crate::run::Bench;

/// A store of three values, one of which is damaged.
fn damaged_bench() -> Bench {
    let bench = Bench::new();
    bench.run(["write", "a", "sound"]).succeeds();
    bench.run(["write", "b", "rotten"]).succeeds();
    bench.run(["write", "c", "sound"]).succeeds();
    let at = bench.run(["metadata", "b", "--json"]).succeeds().json()["offset"].as_u64().unwrap();
    change(&bench, at);
    bench
}

fn change(bench: &Bench, at: u64) {
    let mut file = fs::OpenOptions::new().write(true).open(bench.path("store.srd")).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(b"~").unwrap();
}

#[test]
fn a_sound_store_is_verified() {
    let bench = Bench::new();
    bench.run(["write", "a", "value"]).succeeds();
    bench.run(["write", "b", ""]).succeeds();
    let verified = bench.run(["verify"]).succeeds();
    let expected = "verified 2 keys, 0 older versions, 5 bytes: no damage\n";
    assert_eq!(verified.stdout(), expected);
    assert_eq!(bench.run(["verify", "--quiet"]).succeeds().stdout(), "");
    let json = bench.run(["verify", "--json"]).succeeds().json();
    assert_eq!(json["live_keys"], 2);
    assert_eq!(json["damaged"].as_array().unwrap().len(), 0);
}

#[test]
fn a_damaged_value_is_found_and_never_printed() {
    let bench = damaged_bench();
    bench.run(["verify"]).exits(1).says("simd-r-drive: b is damaged: ");
    let json = bench.run(["verify", "--json"]).exits(1).json();
    assert_eq!(json["live_keys"], 3);
    assert_eq!(json["damaged"].as_array().unwrap().len(), 1);
    assert_eq!(json["damaged"][0]["key"], "b");

    let read = bench.run(["read", "b"]).exits(2).says("damaged at byte");
    assert_eq!(read.stdout(), "");
    bench.run(["read", "b", "-o", "out"]).exits(2);
    bench.run(["copy", "b", "other.srd"]).exits(2);
    assert!(!bench.path("out").exists());
    bench.run(["rename", "b", "d"]).exits(2);
    let before = fs::read(bench.path("store.srd")).unwrap();
    bench.run(["compact"]).exits(2).says("damaged");
    assert!(fs::read(bench.path("store.srd")).unwrap() == before);
    assert_eq!(bench.run(["read", "a"]).succeeds().stdout(), "sound");
}

#[test]
fn damage_of_an_older_version_is_found() {
    let bench = damaged_bench();
    bench.run(["write", "b", "newer"]).succeeds();
    bench.run(["delete", "b"]).succeeds();
    let json = bench.run(["verify", "--json"]).exits(1).json();
    assert_eq!(json["live_keys"], 2);
    assert_eq!(json["dead_slots"], 3);
    assert_eq!(json["damaged"].as_array().unwrap().len(), 1);
}

#[test]
fn everything_but_the_damaged_value_is_exported() {
    let bench = damaged_bench();
    bench.run(["export", "out"]).exits(1).says("skipped b: its payload");
    assert_eq!(fs::read(bench.path("out/a")).unwrap(), b"sound");
    assert_eq!(fs::read(bench.path("out/c")).unwrap(), b"sound");
    assert!(!bench.path("out/b").exists());
}

/// A log whose second slot has lost the length of its payload.
fn broken_bench() -> Bench {
    let bench = Bench::new();
    for key in ["a", "b", "c"] {
        bench.run(["write", key, "sound"]).succeeds();
    }
    let at = bench.run(["metadata", "b", "--json"]).succeeds().json()["offset"].as_u64().unwrap();
    change(&bench, at + 32);
    bench
}

#[test]
fn a_broken_log_gives_what_is_certain_and_the_rest_when_asked() {
    let bench = broken_bench();
    let json = bench.run(["verify", "--json"]).exits(1).says("cannot be read").json();
    assert_eq!(json["damaged"].as_array().unwrap().len(), 1);
    assert_eq!(json["live_keys"], 2);
    assert_eq!(bench.run(["info", "--json"]).succeeds().json()["damaged_ranges"][0][1], {
        let at = json["damaged"][0]["offset"].as_u64().unwrap();
        at + 64
    });

    assert_eq!(bench.run(["read", "c"]).succeeds().stdout(), "sound");
    bench.run(["read", "a"]).exits(2).says("damaged at byte");
    bench.run(["read", "b"]).exits(2).says("damaged at byte");
    bench.run(["list"]).exits(2).says("salvage");
    bench.run(["write", "d", "value"]).exits(2).says("damaged at byte");

    assert_eq!(bench.run(["read", "a", "--salvage"]).exits(1).stdout(), "sound");
    assert_eq!(bench.run(["list", "--salvage"]).exits(1).says("damaged").lines(), ["a", "c"]);
    let exported = bench.run(["export", "out", "--salvage"]).exits(1);
    assert_eq!(exported.stdout(), "exported 2 files, 10 bytes\n");
}

#[test]
fn a_broken_store_is_repaired_into_a_new_one() {
    let bench = broken_bench();
    let before = fs::read(bench.path("store.srd")).unwrap();
    let json = bench.run(["repair", "new.srd", "--json"]).exits(1).says("lost the data").json();
    assert_eq!(json["copied"], 2);
    assert_eq!(json["unconfirmed"], 1);
    assert!(fs::read(bench.path("store.srd")).unwrap() == before);
    bench.run(["repair", "new.srd"]).exits(2);

    fs::rename(bench.path("new.srd"), bench.path("store.srd")).unwrap();
    bench.run(["verify"]).succeeds();
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "c"]);
    bench.run(["repair", "again.srd"]).succeeds();
}

#[test]
fn a_truncated_store_is_found() {
    let bench = damaged_bench();
    let file = fs::OpenOptions::new().write(true).open(bench.path("store.srd")).unwrap();
    file.set_len(file.metadata().unwrap().len() - 100).unwrap();
    bench.run(["verify"]).exits(1).says("cannot be read");
    bench.run(["write", "d", "value"]).exits(2).says("truncated");
}

/// `verify` once said "no damage".
#[test]
fn lost_pages_of_the_header_are_found_and_written_anew_by_the_next_write() {
    for page in [1, 2, 3] {
        let bench = Bench::new();
        bench.run(["write", "a", "value"]).succeeds();
        bench.run(["write", "b", "value"]).succeeds();
        let mut bytes = fs::read(bench.path("store.srd")).unwrap();
        bytes[page * 4096..][..4096].fill(0);
        fs::write(bench.path("store.srd"), bytes).unwrap();

        let found = format!("page {page} of the header is damaged");
        let json = bench.run(["verify", "--json"]).exits(1).says(&found).json();
        assert_eq!(json["damaged"][0]["offset"], page * 4096);
        assert_eq!(json["damaged"].as_array().unwrap().len(), 1);
        assert_eq!(json["live_keys"], 2);
        bench.run(["write", "c", "value"]).succeeds();
        bench.run(["verify"]).succeeds();
    }
}

/// `verify` once checked the values below the first damaged trailer, but not older versions of
/// them.
#[test]
fn damage_of_the_log_keeps_no_older_version_from_being_checked() {
    let bench = damaged_bench();
    bench.run(["write", "b", "newer"]).succeeds();
    let at = bench.run(["metadata", "c", "--json"]).succeeds().json()["offset"].as_u64().unwrap();
    change(&bench, at + 32);
    let json = bench.run(["verify", "--json"]).exits(1).says("b is damaged: payload").json();
    let damaged = json["damaged"].as_array().unwrap();
    assert_eq!(damaged.len(), 2, "{damaged:?}");
    assert_eq!((&damaged[0]["offset"], &damaged[1]["key"]), (&at.into(), &"b".into()));
}
