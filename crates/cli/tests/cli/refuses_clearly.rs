use std::fs;
use std::process::Command;

use simd_r_drive::DataStore;

use crate::run::{Bench, tree};

const READING: [&[&str]; 6] =
    [&["read", "key"], &["list"], &["info"], &["verify"], &["metadata", "key"], &["export", "out"]];

const CHANGING: [&[&str]; 4] =
    [&["compact"], &["delete", "key"], &["rename", "key", "new"], &["move", "key", "t"]];

#[test]
fn a_missing_store_is_not_created_by_commands_that_need_one() {
    let bench = Bench::new();
    for arguments in READING.iter().chain(&CHANGING).chain(&[&["copy", "key", "t"][..]]) {
        let finished = bench.run(*arguments).exits(2).says("cannot open the store store.srd: ");
        assert_eq!(finished.stderr().lines().count(), 1);
        assert_eq!(finished.stdout(), "");
    }
    assert_eq!(fs::read_dir(bench.path("")).unwrap().count(), 0);
}

#[test]
fn a_file_that_is_no_store_is_named_and_left_alone() {
    let bench = Bench::new();
    bench.file("store.srd", "Dear diary, today I was not a store.\n");
    for arguments in READING.iter().chain(&CHANGING).chain(&[&["write", "key", "value"][..]]) {
        let finished = bench.run(*arguments).exits(2);
        let expected = "simd-r-drive: cannot open the store store.srd: not a simd-r-drive store: \
                        it looks like text; the file was left as it is\n";
        assert_eq!(finished.stderr(), expected);
    }
    let left = tree(&bench.path(""));
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].1, b"Dear diary, today I was not a store.\n");
}

#[test]
fn commands_that_read_change_no_byte() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    let before = fs::read(bench.path("store.srd")).unwrap();
    for arguments in READING {
        bench.run(arguments).succeeds();
    }
    assert!(fs::read(bench.path("store.srd")).unwrap() == before);
}

#[test]
fn a_store_that_is_open_elsewhere_is_read_but_not_written() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    let store = DataStore::open(&bench.path("store.srd")).unwrap();
    for arguments in READING {
        bench.run(arguments).succeeds();
    }
    bench.run(["write", "key", "newer"]).exits(2).says("open for writing elsewhere");
    drop(store);
    bench.run(["write", "key", "newer"]).succeeds();
}

#[cfg(unix)]
#[test]
fn a_read_only_file_is_read_but_not_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    fs::set_permissions(bench.path("store.srd"), fs::Permissions::from_mode(0o444)).unwrap();
    for arguments in READING {
        bench.run(arguments).succeeds();
    }
    if fs::OpenOptions::new().write(true).open(bench.path("store.srd")).is_ok() {
        return; // Permissions do not bind the superuser.
    }
    bench.run(["write", "key", "newer"]).exits(2).says("read-only");
    bench.run(["delete", "key"]).exits(2).says("read-only");
    bench.run(["compact"]).exits(2).says("read-only");
}

#[test]
fn a_command_line_that_cannot_be_read_is_a_usage_error() {
    let bench = Bench::new();
    for arguments in [&[][..], &["frobnicate"], &["read"], &["write"], &["list", "--what"]] {
        bench.run(arguments).exits(2);
    }
    bench.run(["write", "k".repeat(65_536).as_str(), "v"]).exits(2).says("65535");
    let help = Command::new(env!("CARGO_BIN_EXE_simd-r-drive")).arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(String::from_utf8(help.stdout).unwrap().contains("Exit status:"));
}
