use std::fs;

use simd_r_drive::DataStore;
use simd_r_drive::traits::DataStoreWriter as _;

use crate::run::{Bench, tree};

#[test]
fn keys_that_lead_elsewhere_are_skipped_and_told() {
    let bench = Bench::new();
    let absolute = bench.path("absolute");
    let store = DataStore::open(bench.path("store.srd")).unwrap();
    let keys: [&[u8]; 9] = [
        b"../x",
        b"..",
        b"sub/../../x",
        absolute.to_str().unwrap().as_bytes(),
        b"/x",
        b"",
        b"a//b",
        b"./x",
        b"a\0b",
    ];
    for key in keys {
        store.write(key, b"evil").unwrap();
    }
    store.write_with_key_hash(1, b"no name").unwrap();
    store.write(b"good", b"good").unwrap();
    store.close().unwrap();

    let exported = bench.run(["export", "out/deep", "--json"]).exits(1);
    assert_eq!(exported.json()["files"], 1);
    assert_eq!(exported.json()["skipped"].as_array().unwrap().len(), 10);
    assert_eq!(exported.stderr().lines().count(), 10);
    assert!(exported.stderr().contains("skipped ../x: its key contains the name . or .."));
    assert!(exported.stderr().contains("skipped \"\": its key is empty"));
    let files: Vec<_> = tree(&bench.path("")).into_iter().map(|(path, _)| path).collect();
    assert_eq!(files, ["out/deep/good", "store.srd"].map(std::path::PathBuf::from));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    use std::os::unix::fs::symlink;
    let bench = Bench::new();
    for key in ["sub/file", "sub/deep/file", "link", "good"] {
        bench.run(["write", key, "new"]).succeeds();
    }
    bench.file("elsewhere/file", "old");
    bench.file("target", "old");
    fs::create_dir(bench.path("out")).unwrap();
    symlink("../elsewhere", bench.path("out/sub")).unwrap();
    symlink("../target", bench.path("out/link")).unwrap();
    for arguments in [&["export", "out"][..], &["export", "out", "--force"]] {
        let exported = bench.run(arguments).exits(1);
        let stderr = exported.stderr();
        assert_eq!(stderr.lines().filter(|line| line.contains("symbolic link")).count(), 3);
        assert_eq!(fs::read(bench.path("elsewhere/file")).unwrap(), b"old");
        assert_eq!(fs::read(bench.path("target")).unwrap(), b"old");
        assert!(!bench.path("elsewhere/deep").exists());
        assert!(bench.path("out/link").is_symlink());
        assert_eq!(fs::read(bench.path("out/good")).unwrap(), b"new");
        fs::remove_file(bench.path("out/good")).unwrap();
    }
}

#[test]
fn files_that_exist_are_kept_unless_forced() {
    let bench = Bench::new();
    bench.run(["write", "a", "new"]).succeeds();
    bench.run(["write", "b", "new"]).succeeds();
    bench.file("out/a", "old");
    bench
        .run(["export", "out"])
        .exits(1)
        .says("skipped a: out/a already exists; --force replaces it\n");
    assert_eq!(fs::read(bench.path("out/a")).unwrap(), b"old");
    assert_eq!(fs::read(bench.path("out/b")).unwrap(), b"new");
    let forced = bench.run(["export", "out", "--force"]).succeeds();
    assert_eq!(forced.stdout(), "exported 2 files, 6 bytes\n");
    assert_eq!(fs::read(bench.path("out/a")).unwrap(), b"new");
}

#[test]
fn keys_that_cannot_both_be_files_do_not_stop_the_others() {
    let bench = Bench::new();
    for key in ["a", "a/b", "c", "d"] {
        bench.run(["write", key, key]).succeeds();
    }
    fs::create_dir_all(bench.path("out/c")).unwrap();
    let exported = bench.run(["export", "out", "--force"]).exits(1);
    assert_eq!(exported.stderr().lines().count(), 2);
    assert!(bench.path("out/c").is_dir());
    assert_eq!(fs::read(bench.path("out/d")).unwrap(), b"d");
}

#[test]
fn the_store_is_not_replaced_by_its_own_value() {
    let bench = Bench::new();
    bench.run(["write", "store.srd", "boom"]).succeeds();
    bench.run(["export", "."]).exits(1);
    bench.run(["export", ".", "--force"]).exits(1).says("the store itself");
    assert_eq!(bench.run(["read", "store.srd"]).succeeds().stdout(), "boom");
}

#[test]
fn a_prefix_selects_and_is_stripped() {
    let bench = Bench::new();
    bench.file("in/a/b", "b");
    bench.file("in/c", "c");
    bench.run(["import", "in", "--prefix", "v1/"]).succeeds();
    bench.run(["write", "other", "value"]).succeeds();
    bench.run(["export", "out", "--prefix", "v1/"]).succeeds();
    assert_eq!(tree(&bench.path("in")), tree(&bench.path("out")));
    // Without the prefix, the keys are absolute paths.
    let skipped = bench.run(["export", "out2", "--prefix", "v1"]).exits(1);
    skipped.says("without --prefix, its key is an absolute path; end the prefix with a /");
    // Without this prefix, nothing is left of the key.
    let skipped = bench.run(["export", "out2", "--prefix", "other"]).exits(1);
    skipped.says("skipped other: --prefix is its whole key, which leaves no file name");
    assert!(tree(&bench.path("out2")).is_empty());
}
