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
    let store = DataStore::open(bench.path("store.srd")).unwrap();
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

#[test]
fn a_directory_that_does_not_exist_is_named_and_no_temporary_file() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.file("file", "");
    let missing = "the directory x does not exist\n";
    let expected = format!("simd-r-drive: cannot open the store x/y/new.srd: {missing}");
    assert_eq!(bench.run_on("x/y/new.srd", ["write", "key", "value"]).exits(2).stderr(), expected);
    assert_eq!(bench.run_on("x/y/new.srd", ["read", "key"]).exits(2).stderr(), expected);
    for (arguments, message) in [
        (&["read", "key", "-o", "x/out"][..], "cannot write x/out: "),
        (&["repair", "x/new"], "cannot repair the store store.srd into x/new: "),
        (&["backup", "x/new"], "cannot back up the store store.srd to x/new: "),
        (&["copy", "key", "x/new"], "cannot open the store x/new: "),
    ] {
        let expected = format!("simd-r-drive: {message}{missing}");
        assert_eq!(bench.run(arguments).exits(2).stderr(), expected);
    }
    let within = bench.run_on("file/new.srd", ["write", "key", "value"]).exits(2);
    within.says("cannot open the store file/new.srd: file is not a directory");
    bench.run(["export", "file/x"]).exits(2).says("cannot export to file/x: file is not a dir");
    bench.run(["export", "file"]).exits(2).says("cannot export to file: it already exists");
    bench
        .run(["repair", "file"])
        .exits(2)
        .says("into file: it already exists; choose another path");
}

#[test]
fn a_command_that_is_called_something_else_here_is_pointed_out() {
    let bench = Bench::new();
    for (name, advice) in [
        ("get", "use `read`"),
        ("cat", "use `read`"),
        ("set", "use `write`"),
        ("put", "use `write`"),
        ("ls", "use `list`"),
        ("rm", "use `delete`"),
        ("del", "use `delete`"),
    ] {
        let expected = format!("simd-r-drive: there is no command `{name}`; {advice}\n");
        assert_eq!(bench.run([name, "key"]).exits(2).stderr(), expected);
        assert_eq!(bench.run(["--json", name, "key", "value"]).exits(2).stderr(), expected);
        // The same without a store.
        assert_eq!(bench.run_on(name, ["key"]).exits(2).stderr(), expected);
    }
    let expected =
        "simd-r-drive: the store's file comes before the command: simd-r-drive STORE list\n";
    assert_eq!(bench.run_on("list", ["store.srd"]).exits(2).stderr(), expected);
    bench.run(["read"]).exits(2).says("<KEY>");
}

#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_written_is_named_once_before_anything_is_read() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.file("in/file", "content");
    bench.set_mode("store.srd", 0o444);
    let expected = "simd-r-drive: cannot change the store store.srd: its file, or the medium, \
                    is read-only\n";
    for arguments in CHANGING.iter().chain(&[&["write", "key", "new"][..], &["import", "in"]]) {
        assert_eq!(bench.run_unprivileged(*arguments).exits(2).stderr(), expected);
    }
}
