//! An import that cannot go on keeps the files that it has stored, and says exactly which ones
//! those are.

use crate::run::{Bench, Finished};

/// Imports with a limit on the length of files, which stops a growing store like a full disk.
fn import_within(bench: &Bench, kib: u64) -> Finished {
    // POSIX counts in units of 512 bytes. The signal is ignored, so that the write fails instead.
    bench.shell(&format!("trap '' XFSZ; ulimit -f {}; exec $S store.srd import in", kib * 2))
}

#[test]
fn with_the_files_before_it_in_the_store() {
    let bench = Bench::new();
    bench.file("in/a", "first");
    bench.file("in/b", vec![1; 1 << 20]);
    bench.file("in/c", vec![2; 6 << 20]);
    bench.file("in/d", "last");
    let stopped = import_within(&bench, 4 << 10).exits(2);
    stopped.says(
        "simd-r-drive: cannot import all of in (2 files stored; c and the files after it are not): ",
    );
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "b"]);
    bench.run(["verify", "-q"]).succeeds();
    bench.run(["import", "in"]).succeeds();
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "b", "c", "d"]);
}

#[test]
fn also_if_a_file_is_too_large_to_be_stored_with_others() {
    let bench = Bench::new();
    bench.file("in/a", "first");
    bench.file("in/b", vec![1; 17 << 20]);
    bench.file("in/c", "last");
    let stopped = import_within(&bench, 4 << 10).exits(2);
    stopped.says("(1 file stored; b and the files after it are not): ");
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a"]);
}

#[test]
fn or_that_nothing_is() {
    let bench = Bench::new();
    bench.file("in/a", vec![1; 6 << 20]);
    bench.file("in/b", "last");
    let stopped = import_within(&bench, 4 << 10).exits(2);
    stopped.says("cannot import anything from in (a and the files after it are not stored): ");
    assert!(!bench.path("store.srd").exists(), "an empty store is left");
}
