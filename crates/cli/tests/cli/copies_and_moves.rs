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
    bench.run(["copy", "key", "./store.srd"]).exits(2).says("same store");
    bench.run(["move", "key", "./store.srd"]).exits(2).says("same store");
    std::fs::hard_link(bench.path("store.srd"), bench.path("link.srd")).unwrap();
    bench.run(["copy", "key", "link.srd"]).exits(2).says("same storage");
    bench.run(["move", "key", "link.srd"]).exits(2);
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
