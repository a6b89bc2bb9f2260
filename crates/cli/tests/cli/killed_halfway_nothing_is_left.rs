//! A command that is killed leaves no part of a file behind, under any name.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::{Pid, Signal, kill_process};

use crate::run::Bench;

const LEN: usize = 24 << 20;
const TRIES: u64 = 30;

fn filled_bench() -> Option<Bench> {
    let bench = Bench::new();
    let flags = OFlags::TMPFILE | OFlags::WRONLY;
    if openat(CWD, bench.path(""), flags, Mode::RUSR).is_err() {
        return None; // Without unnamed files, temporary ones have names.
    }
    bench.run_with_input(["write", "value"], &vec![7; LEN]).succeeds();
    Some(bench)
}

/// Kills the command at many instants of its run. Afterwards, `out` holds only whole files, and if
/// `exists`, the one that was there before.
fn kill_again_and_again(arguments: &[&str], exists: bool) {
    let Some(bench) = filled_bench() else { return };
    let mut killed = 0;
    for attempt in 0..TRIES {
        if exists {
            bench.file("out/value", vec![7; LEN]);
        } else {
            bench.file("out/.keep", "");
            fs::remove_file(bench.path("out/.keep")).unwrap();
        }
        let mut child = bench.command().arg("store.srd").args(arguments).spawn().unwrap();
        thread::sleep(Duration::from_micros(2_000 + 1_500 * attempt));
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        killed += u64::from(!child.wait().unwrap().success());
        let left: Vec<_> = fs::read_dir(bench.path("out")).unwrap().map(Result::unwrap).collect();
        for file in &left {
            let len = file.metadata().unwrap().len();
            assert_eq!(len, LEN as u64, "{:?} is left, attempt {attempt}", file.file_name());
        }
        assert!(left.len() >= usize::from(exists), "the file that was there is gone");
        fs::remove_dir_all(bench.path("out")).unwrap();
    }
    assert!(killed >= 3, "killed only {killed} times");
}

#[test]
fn of_an_export() {
    kill_again_and_again(&["export", "out", "-q"], false);
}

#[test]
fn of_an_export_that_replaces() {
    kill_again_and_again(&["export", "out", "-q", "--force"], true);
}

#[test]
fn of_a_value_that_is_read_to_a_file() {
    kill_again_and_again(&["read", "value", "-o", "out/value", "-b", "4K"], false);
}

#[test]
fn of_a_value_that_replaces_a_file() {
    kill_again_and_again(&["read", "value", "-o", "out/value", "-b", "4K"], true);
}

fn names_in(bench: &Bench) -> Vec<String> {
    let entries = fs::read_dir(bench.path("")).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

/// Runs `arguments` many times, and kills each run at a later instant. Returns how many were killed
/// before they ended.
fn kill_each(bench: &Bench, arguments: &[&str], mut after: impl FnMut(u64)) -> u64 {
    let mut killed = 0;
    for attempt in 0..TRIES {
        let mut child = bench.command().args(arguments).spawn().unwrap();
        thread::sleep(Duration::from_micros(2_000 + 1_000 * attempt));
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        killed += u64::from(!child.wait().unwrap().success());
        after(attempt);
    }
    killed
}

/// For an instant, a compaction has two files. The next writer removes the one that is left over.
#[test]
fn of_a_compaction() {
    let Some(bench) = filled_bench() else { return };
    let mut killed = 0;
    for _ in 0..2 {
        bench.run_with_input(["write", "value"], &vec![7; LEN]).succeeds();
        killed += kill_each(&bench, &["store.srd", "compact", "-q"], |attempt| {
            bench.run_with_input(["write", "small"], b"value").succeeds();
            let names = names_in(&bench);
            assert_eq!(names, ["store.srd"], "attempt {attempt}");
        });
    }
    assert!(killed >= 3, "killed only {killed} times");
    bench.run(["verify", "-q"]).succeeds();
    let value = bench.command().args(["store.srd", "read", "value"]).output().unwrap();
    assert_eq!(value.stdout, vec![7; LEN]);
}

#[test]
fn of_a_backup_that_is_extended() {
    let Some(bench) = filled_bench() else { return };
    bench.run(["backup", "copy.srd", "-q"]).succeeds();
    let mut number = 0;
    let killed = kill_each(&bench, &["store.srd", "backup", "copy.srd", "-q"], |attempt| {
        let names = names_in(&bench);
        assert_eq!(names, ["copy.srd", "store.srd"], "attempt {attempt}");
        number += 1;
        bench.run_with_input(["write", "value"], &vec![number; LEN / 2]).succeeds();
    });
    assert!(killed >= 3, "killed only {killed} times");
    bench.run(["backup", "copy.srd", "-q"]).succeeds();
    let copy = bench.command().args(["copy.srd", "read", "value"]).output().unwrap();
    assert_eq!(copy.stdout, vec![number; LEN / 2]);
    assert_eq!(names_in(&bench), ["copy.srd", "store.srd"]);
}
