use std::fs;

use simd_r_drive::compute_hash;

use crate::older::OldStore;
use crate::run::{Bench, tree};

fn older_store() -> OldStore {
    let mut old = OldStore::default();
    old.write(b"a", b"old");
    old.write(b"b", b"second");
    old.write(b"gone", b"gone");
    old.delete(b"gone");
    old.write(b"a", b"new");
    old
}

#[test]
fn an_older_store_is_converted_and_left_as_it_is() {
    let bench = Bench::new();
    bench.file("old.bin", &older_store().0);
    let migrated = bench.run(["migrate", "old.bin"]).succeeds();
    assert_eq!(migrated.stdout(), "copied 2 values\n");
    assert_eq!(bench.run(["read", "a"]).succeeds().stdout(), "new");
    assert_eq!(bench.run(["read", "b"]).succeeds().stdout(), "second");
    bench.run(["read", "gone"]).exits(1);
    bench.run(["verify"]).succeeds();
    let mut expected: Vec<String> =
        [&b"a"[..], b"b"].iter().map(|key| format!("<hash {:#018x}>", compute_hash(key))).collect();
    expected.sort();
    let mut listed = bench.run(["list"]).succeeds().lines();
    listed.sort();
    assert_eq!(listed, expected);

    // From now on it is a store like any other.
    bench.run(["write", "a", "newest"]).succeeds();
    assert_eq!(bench.run(["read", "a"]).succeeds().stdout(), "newest");
    assert!(fs::read(bench.path("old.bin")).unwrap() == older_store().0);
}

#[test]
fn the_result_is_told_as_json_or_not_at_all() {
    let bench = Bench::new();
    bench.file("old.bin", &older_store().0);
    let json = bench.run(["migrate", "old.bin", "--json"]).succeeds().json();
    assert_eq!(
        (&json["copied"], &json["deleted_keys"], &json["superseded"]),
        (&2.into(), &1.into(), &2.into())
    );
    assert_eq!(json["lost"].as_array().unwrap().len(), 0);
    assert_eq!(json["unreadable_ranges"].as_array().unwrap().len(), 0);
    fs::remove_file(bench.path("store.srd")).unwrap();
    assert_eq!(bench.run(["migrate", "old.bin", "--quiet"]).succeeds().stdout(), "");
}

#[test]
fn an_older_store_that_is_opened_is_told_to_be_migrated() {
    let bench = Bench::new();
    bench.file("store.srd", &older_store().0);
    for arguments in [&["read", "a"][..], &["list"], &["write", "a", "b"]] {
        let refused = bench.run(arguments).exits(2);
        refused.says("cannot open the store store.srd: ").says("simd-r-drive NEW migrate OLD");
    }
    assert!(fs::read(bench.path("store.srd")).unwrap() == older_store().0);
}

#[test]
fn what_is_there_already_or_no_older_store_is_refused() {
    let bench = Bench::new();
    bench.file("old.bin", &older_store().0);
    bench.file("text", "Dear diary, today I was not a store.\n");
    bench.run_on("present.srd", ["write", "key", "value"]).succeeds();
    let before = tree(&bench.path(""));
    for (source, reason) in [
        ("text", "text to store.srd: not a simd-r-drive store: it looks like text"),
        ("present.srd", "to store.srd: present.srd is in the present format already"),
        ("missing", "missing to store.srd: there is no such file\n"),
    ] {
        let refused = bench.run(["migrate", source]).exits(2);
        refused.says("simd-r-drive: cannot migrate the store ").says(reason);
        assert!(tree(&bench.path("")) == before, "{source}");
    }
    let refused = bench.run_on("present.srd", ["migrate", "old.bin"]).exits(2);
    refused.says("cannot migrate the store old.bin to present.srd: it already exists");
    assert!(tree(&bench.path("")) == before);
    bench.run(["migrate", "old.bin"]).succeeds();
}

#[test]
fn damage_is_refused_or_left_out_when_asked() {
    let mut old = older_store();
    let at = old.write(b"c", b"rotten");
    old.0[at] ^= 1;
    let bench = Bench::new();
    bench.file("old.bin", &old.0);
    bench.run(["migrate", "old.bin"]).exits(2).says(&at.to_string());
    assert_eq!(tree(&bench.path("")).len(), 1, "no part of a store is left");

    let hash = format!("{:#018x}", compute_hash(b"c"));
    let skipped = bench.run(["migrate", "old.bin", "--skip-damaged", "--json"]).exits(1);
    let json = skipped.json();
    skipped.says(&format!("lost <hash {hash}>: its payload at byte {at} is damaged"));
    assert_eq!(json["copied"], 2);
    assert_eq!(json["lost"][0]["key_hash"], hash.as_str());
    assert_eq!(json["lost"][0]["offset"], at);
    assert_eq!(bench.run(["read", "b"]).succeeds().stdout(), "second");
    bench.run(["read", "c"]).exits(1);
}
