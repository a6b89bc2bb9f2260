use std::fs;

use simd_r_drive::DataStore;

use crate::run::{Bench, tree};

fn filled_bench() -> Bench {
    let bench = Bench::new();
    bench.run(["write", "a", "old"]).succeeds();
    bench.run(["write", "a", "new"]).succeeds();
    bench.run(["write", "b", "second"]).succeeds();
    bench
}

/// Verifies the backup and reads a value from it, with the command.
#[track_caller]
fn value_in_backup(bench: &Bench, key: &str) -> String {
    bench.run_on("backup.srd", ["verify", "--quiet"]).succeeds();
    bench.run_on("backup.srd", ["read", key]).succeeds().stdout()
}

#[test]
fn a_backup_is_a_store_and_is_extended_by_what_is_new() {
    let bench = filled_bench();
    let store = fs::read(bench.path("store.srd")).unwrap();
    let json = bench.run(["backup", "backup.srd", "--json"]).succeeds().json();
    assert_eq!(json["is_incremental"], false);
    assert_eq!(json["tail"], store.len());
    assert!(json["bytes_copied"].as_u64().unwrap() > 0);
    assert!(json["slots_copied"].as_u64().unwrap() >= 3);
    assert!(fs::read(bench.path("store.srd")).unwrap() == store, "the store is only read");
    assert_eq!(value_in_backup(&bench, "a"), "new");
    assert_eq!(value_in_backup(&bench, "b"), "second");

    bench.run(["write", "b", "third"]).succeeds();
    bench.run(["delete", "a"]).succeeds();
    let json = bench.run(["backup", "backup.srd", "--json"]).succeeds().json();
    assert_eq!(json["is_incremental"], true);
    let added = json["bytes_copied"].as_u64().unwrap();
    let grown = fs::read(bench.path("store.srd")).unwrap().len() - store.len();
    assert_eq!(added, grown as u64, "no more than what is new");
    assert_eq!(value_in_backup(&bench, "b"), "third");
    assert_eq!(bench.run_on("backup.srd", ["list"]).succeeds().lines(), ["b"]);

    let nothing = bench.run(["backup", "backup.srd"]).succeeds();
    assert_eq!(nothing.stdout(), "added 0 bytes to backup.srd\n");
    assert_eq!(bench.run(["backup", "backup.srd", "--quiet"]).succeeds().stdout(), "");
    assert_eq!(tree(&bench.path("")).len(), 2, "nothing else is left");
}

#[test]
fn a_restore_is_to_put_the_backup_in_place() {
    let bench = filled_bench();
    bench.run(["backup", "backup.srd"]).succeeds();
    fs::rename(bench.path("backup.srd"), bench.path("store.srd")).unwrap();
    assert_eq!(bench.run(["read", "a"]).succeeds().stdout(), "new");
    bench.run(["write", "c", "goes on"]).succeeds();
    bench.run(["verify"]).succeeds();
}

#[test]
fn a_store_is_backed_up_while_it_is_open_elsewhere() {
    let bench = filled_bench();
    let store = DataStore::open(bench.path("store.srd")).unwrap();
    bench.run(["backup", "backup.srd"]).succeeds();
    drop(store);
    assert_eq!(value_in_backup(&bench, "b"), "second");
}

#[test]
fn what_cannot_be_extended_is_refused_and_left_alone() {
    let bench = filled_bench();
    bench.run(["backup", "backup.srd"]).succeeds();
    bench.run_on("other.srd", ["write", "a", "another store"]).succeeds();
    bench.file("text", "Dear diary, today I was not a backup.\n");
    bench.run(["compact", "--quiet"]).succeeds();
    let before = tree(&bench.path(""));
    for (dest, reason) in [
        ("backup.srd", "store store.srd: backup.srd is a backup of another file of this store"),
        ("other.srd", "store store.srd: other.srd is another store"),
        ("text", "store store.srd to the existing file text: not a simd-r-drive store"),
        ("store.srd", "store: store.srd is the file of the store itself"),
        (
            "missing/backup.srd",
            "store store.srd to missing/backup.srd: the directory missing does not exist\n",
        ),
    ] {
        let refused = bench.run(["backup", dest]).exits(2);
        refused.says(&format!("simd-r-drive: cannot back up the {reason}"));
        assert!(tree(&bench.path("")) == before, "{dest}");
    }
    // The refusal says what to do.
    bench.run(["backup", "again.srd"]).succeeds();
}

#[test]
fn damage_is_not_backed_up() {
    let bench = filled_bench();
    let json = bench.run(["metadata", "b", "--json"]).succeeds().json();
    let at = json["offset"].as_u64().unwrap() as usize;
    let mut bytes = fs::read(bench.path("store.srd")).unwrap();
    bytes[at] ^= 1;
    bench.file("store.srd", &bytes);
    bench.run(["backup", "backup.srd"]).exits(2).says("damaged");
    assert_eq!(tree(&bench.path("")).len(), 1, "no part of a backup is left");
}
