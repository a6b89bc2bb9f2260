//! An import that cannot go on keeps what it has stored, and says exactly which files those are.

use crate::run::{Bench, Finished};

/// Imports with a limit on the length of files, which a growing store meets as it meets a full disk.
fn import_within(bench: &Bench, kib: u64) -> Finished {
    // In units of 512 bytes, by POSIX; the signal is ignored so that the write fails instead.
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
        "simd-r-drive: cannot import all of in (2 files stored; c and what follows are not): ",
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
    stopped.says("(1 file stored; b and what follows are not): ");
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a"]);
}

#[test]
fn or_that_nothing_is() {
    let bench = Bench::new();
    bench.file("in/a", vec![1; 6 << 20]);
    bench.file("in/b", "last");
    let stopped = import_within(&bench, 4 << 10).exits(2);
    stopped.says("cannot import anything of in (a and what follows are not stored): ");
    assert!(!bench.path("store.srd").exists(), "an empty store is left");
}
