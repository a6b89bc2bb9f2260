//! A closed stream is not treated as `/dev/null`: input from it is missing, and output to it is
//! lost.

use crate::run::Bench;

#[test]
fn a_value_that_should_come_from_a_closed_input_is_not_stored_as_empty() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    let refused = bench.shell("$S store.srd write key <&-").exits(2);
    refused.says("simd-r-drive: cannot write key: no value is given, and standard input is closed");
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "value");
    bench.shell("$S new.srd write key <&-").exits(2);
    assert!(!bench.path("new.srd").exists());

    // An input that is not needed, or that is empty, is no error.
    bench.shell("$S store.srd write key given <&-").succeeds();
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "given");
    bench.shell("$S store.srd write key </dev/null").succeeds();
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "");
    // Python opens subprocess.DEVNULL like this.
    bench.shell("$S store.srd write key <>/dev/null").succeeds();
}

#[test]
fn what_should_go_to_a_closed_output_is_an_error_and_nothing_is_done() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.file("in/file", "content");
    for command in [
        "read key",
        "list",
        "info",
        "metadata key",
        "verify",
        "import in",
        "export out",
        "compact",
        "repair new.srd",
        "backup new.srd",
        "delete key --json",
        "rename key other --json",
        "write key newer --json",
        "move key new.srd --json",
        "read key -o out --json",
        "read key -o /dev/stdout",
        "list --help",
        "--version",
    ] {
        let refused = bench.shell(&format!("$S store.srd {command} >&-")).exits(2);
        refused.says("standard output is closed");
    }
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["key"]);
    assert_eq!(bench.run(["read", "key"]).succeeds().stdout(), "value");
    assert!(!bench.path("out").exists() && !bench.path("new.srd").exists());
}

#[test]
fn a_command_with_nothing_to_print_needs_no_output() {
    let bench = Bench::new();
    for command in ["write key value", "rename key k", "read k -o out", "verify -q", "delete k"] {
        bench.shell(&format!("$S store.srd {command} >&-")).succeeds();
    }
    assert_eq!(std::fs::read(bench.path("out")).unwrap(), b"value");
    // Output can be thrown away explicitly.
    bench.shell("$S store.srd list >/dev/null").succeeds();
    bench.shell("$S store.srd list 1<>/dev/null").succeeds();
}

#[test]
fn without_a_standard_error_the_exit_status_tells_errors() {
    let bench = Bench::new();
    bench.shell("$S absent.srd list 2>&-").exits(2);
    bench.shell("$S store.srd frobnicate 2>&-").exits(2);
    bench.shell("$S store.srd write key value 2>&-").exits(0);
    bench.shell("$S store.srd read absent 2>&-").exits(1);
    bench.shell("$S store.srd read key <&- 2>&-").exits(0);
    bench.shell("$S store.srd read key >&- 2>&- <&-").exits(2);
}

#[test]
fn an_output_that_is_full_is_named() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    for command in ["read key", "list", "info", "--help"] {
        let failed = bench.shell(&format!("$S store.srd {command} >/dev/full")).exits(2);
        failed.says("cannot write to standard output: No space left on device");
    }
}
