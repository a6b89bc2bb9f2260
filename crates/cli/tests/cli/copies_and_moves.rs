use crate::run::{Bench, Finished};

fn other(bench: &Bench, arguments: &[&str]) -> Finished {
    Finished(bench.command().arg("other.srd").args(arguments).output().unwrap())
}

#[test]
fn a_value_is_copied_to_another_store() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    let copied = bench.run(["copy", "key", "other.srd", "--json"]).succeeds();
    assert_eq!(copied.json()["target"], "other.srd");
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "value");
    assert_eq!(other(&bench, &["read", "key"]).succeeds().stdout(), "value");
}

#[test]
fn a_value_is_moved_to_another_store() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.run(["move", "key", "other.srd"]).succeeds();
    bench.run(["read", "key"]).exits(1);
    assert_eq!(other(&bench, &["read", "key"]).succeeds().stdout(), "value");
}

#[test]
fn an_absent_key_creates_no_target() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.run(["copy", "absent", "other.srd"]).exits(1).says("no such key: absent");
    bench.run(["move", "absent", "other.srd"]).exits(1).says("no such key: absent");
    assert!(!bench.path("other.srd").exists());
}

#[test]
fn a_value_is_not_moved_onto_itself() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    std::fs::hard_link(bench.path("store.srd"), bench.path("link.srd")).unwrap();
    for target in ["./store.srd", "link.srd"] {
        for command in ["copy", "move"] {
            let refused = bench.run([command, "key", target]).exits(2);
            // The message of 0.17, followed by what to do instead.
            refused.says("simd-r-drive: Cannot copy entry to the same storage; rename the key");
        }
    }
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "value");
}

#[test]
fn a_target_that_cannot_be_opened_leaves_the_source_alone() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.file("other.srd", "no store");
    bench.run(["move", "key", "other.srd"]).exits(2).says("not a simd-r-drive store");
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "value");
}

#[test]
fn a_damaged_value_creates_no_target() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    let at = bench.run(["metadata", "key", "--json"]).succeeds().json()["offset"].as_u64().unwrap();
    let mut bytes = std::fs::read(bench.path("store.srd")).unwrap();
    bytes[at as usize] ^= 1;
    bench.file("store.srd", &bytes);
    for command in ["copy", "move"] {
        bench.run([command, "key", "other.srd"]).exits(2).says("cannot copy key: ").says("damaged");
        assert!(!bench.path("other.srd").exists(), "{command}");
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_moved_out_of_a_store_that_cannot_be_written() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.set_mode("store.srd", 0o444);
    let moved = bench.run_unprivileged(["move", "key", "other.srd"]).exits(2);
    moved.says("cannot change the store store.srd: its file, or the medium, is read-only");
    assert!(!bench.path("other.srd").exists(), "it was copied");
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "value");
    bench.run_unprivileged(["copy", "key", "other.srd"]).succeeds();
}

#[cfg(target_os = "linux")]
#[test]
fn a_copy_that_does_not_fit_leaves_no_empty_store() {
    let bench = Bench::new();
    bench.run_with_input(["write", "key"], &[1; 1 << 20]).succeeds();
    let limited = "trap '' XFSZ; ulimit -f 1024; exec $S";
    bench
        .shell(&format!("{limited} store.srd copy key other.srd"))
        .exits(2)
        .says("cannot copy key");
    assert!(!bench.path("other.srd").exists());
    // A store that existed before stays, with its contents.
    bench.run_on("other.srd", ["write", "own", "value"]).succeeds();
    bench.shell(&format!("{limited} store.srd move key other.srd")).exits(2);
    assert_eq!(bench.run_on("other.srd", ["list"]).succeeds().lines(), ["own"]);
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["key"]);
}
