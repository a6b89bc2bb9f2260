use std::fs;

use crate::run::Bench;

#[test]
fn keys_are_relative_paths_behind_the_prefix() {
    let bench = Bench::new();
    bench.file("in/a.txt", "a");
    bench.file("in/.hidden/b", "");
    bench.file("in/sub/deep/c", "c");
    fs::create_dir(bench.path("in/empty")).unwrap();
    let imported = bench.run(["import", "in"]).succeeds();
    assert_eq!(imported.stdout(), "imported 3 files, 2 bytes\n");
    assert_eq!(bench.run(["list"]).succeeds().lines(), [".hidden/b", "a.txt", "sub/deep/c"]);
    let imported = bench.run(["import", "./in/", "--prefix", "p/", "--json"]).succeeds().json();
    assert_eq!(imported["files"], 3);
    assert_eq!(imported["skipped"].as_array().unwrap().len(), 0);
    let listed = bench.run(["list", "--prefix", "p/"]).succeeds();
    assert_eq!(listed.lines(), ["p/.hidden/b", "p/a.txt", "p/sub/deep/c"]);
    assert_eq!(bench.run(["import", "in", "-q"]).succeeds().stdout(), "");
}

#[test]
fn the_stores_own_file_is_left_out_by_whatever_name() {
    let bench = Bench::new();
    bench.file("a", "a");
    bench.file("sub/store.srd", "another file of that name");
    for _ in 0..2 {
        bench.run(["import", "."]).succeeds();
        assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "sub/store.srd"]);
    }
    #[cfg(unix)]
    {
        fs::hard_link(bench.path("store.srd"), bench.path("sub/link.srd")).unwrap();
        bench.run(["import", "."]).succeeds();
        assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "sub/store.srd"]);
    }
}

#[test]
fn files_that_are_only_called_like_the_stores_are_imported() {
    let bench = Bench::new();
    let names = [
        ".simd-r-drive-config",
        ".simd-r-drive-notes",
        ".simd-r-drive-readme.tmp",
        "store.srd.cut-1234",
    ];
    for name in names {
        bench.file(name, "Dear diary");
    }
    bench.run(["import", "."]).succeeds();
    assert_eq!(bench.run(["list"]).succeeds().lines(), names);
}

#[test]
fn what_an_interrupted_command_has_left_is_not_imported() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.run_on("other.srd", ["write", "key", "value"]).succeeds();
    let half = |name: &str| {
        let bytes = fs::read(bench.path(name)).unwrap();
        bytes[..bytes.len() / 2].to_vec()
    };
    // A compaction of this store; one that had only just begun; an export or a new store.
    bench.file(".simd-r-drive-aB3xY9", half("store.srd"));
    bench.file("sub/.simd-r-drive-aB3xY9aB3xY9.tmp", half("store.srd"));
    bench.file(".simd-r-drive-123456", "");
    bench.file(".simd-r-drive-123456123456.tmp", "half of a val");
    // Such a file may be all that is left of another store.
    bench.file(".simd-r-drive-abcdef", half("other.srd"));
    bench.file(".simd-r-drive-abcdefabcdef.tmp", half("other.srd"));
    bench.run(["import", ".", "--exclude", "other.srd"]).succeeds();
    let listed = bench.run(["list"]).succeeds().lines();
    assert_eq!(listed, [".simd-r-drive-abcdef", ".simd-r-drive-abcdefabcdef.tmp", "key"]);
}

#[test]
fn what_is_excluded_is_left_out() {
    let bench = Bench::new();
    for path in ["in/a", "in/a.o", "in/target/x", "in/sub/target/y", "in/docs/b.pdf", "in/b.pdf"] {
        bench.file(path, "content");
    }
    let excludes = ["--exclude", "target", "--exclude", "*.o", "--exclude", "docs/*.pdf"];
    bench.run(["import", "in"].iter().chain(&excludes)).succeeds();
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "b.pdf"]);
    bench.run(["import", "in", "--exclude", "a["]).exits(2).says("cannot understand --exclude a[");
}

#[test]
fn what_is_no_directory_is_not_imported_and_creates_no_store() {
    let bench = Bench::new();
    bench.file("file", "content");
    bench.run(["import", "file"]).exits(2).says("it is not a directory");
    bench.run(["import", "absent"]).exits(2).says("cannot import absent: ");
    assert!(!bench.path("store.srd").exists());
}

#[cfg(unix)]
#[test]
fn links_and_special_files_are_skipped_and_told() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new();
    bench.file("in/file", "content");
    bench.file("elsewhere/secret", "secret");
    symlink("file", bench.path("in/link")).unwrap();
    symlink("../elsewhere", bench.path("in/link to a directory")).unwrap();
    symlink("nowhere", bench.path("in/dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.path("in/socket")).unwrap();
    let imported = bench.run(["import", "in", "--json"]).exits(1);
    let stderr = imported.stderr();
    assert_eq!(stderr.lines().count(), 4, "{stderr}");
    assert!(stderr.contains("simd-r-drive: skipped link: it is a symbolic link\n"));
    assert!(stderr.contains("simd-r-drive: skipped socket: it is not a regular file\n"));
    assert_eq!(imported.json()["files"], 1);
    assert_eq!(imported.json()["skipped"].as_array().unwrap().len(), 4);
    assert_eq!(imported.json()["skipped"][0]["key"], "dangling");
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["file"]);
}

#[cfg(unix)]
#[test]
fn a_directory_that_is_itself_a_link_is_imported() {
    let bench = Bench::new();
    bench.file("real/file", "content");
    std::os::unix::fs::symlink("real", bench.path("in")).unwrap();
    bench.run(["import", "in"]).succeeds();
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["file"]);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_skipped_and_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.file("in/a", "a");
    bench.file("in/closed", "closed");
    bench.file("in/z", "z");
    fs::set_permissions(bench.path("in/closed"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(bench.path("in/closed")).is_ok() {
        return; // Permissions do not bind the superuser.
    }
    bench.run(["import", "in"]).exits(1).says("skipped closed: Permission denied");
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "z"]);
}
