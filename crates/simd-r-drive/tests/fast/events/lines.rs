//! With the feature `tracing`, a store reports what it finds, what it does, and what fails.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, Durability, OpenOptions};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::took_over;
use crate::support::hooks::{Call, Hooked};
use crate::support::new_path;

/// Events as lines: level, message, and fields in their order.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn take_down(event: &Event<'_>) {
    let mut line = Line::default();
    event.record(&mut line);
    let Line { message, fields } = line;
    let level = event.metadata().level();
    LINES.lock().unwrap().push(format!("{level} {message};{fields}"));
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.fields += &format!(" {name}={value:?}"),
        }
    }
}

/// What has been told since the last call.
fn told() -> Vec<String> {
    std::mem::take(&mut *LINES.lock().unwrap())
}

#[track_caller]
fn assert_told(lines: &[String], level: Level, parts: &[&str]) {
    let is_it = |line: &String| {
        line.starts_with(level.as_str()) && parts.iter().all(|part| line.contains(part))
    };
    assert!(lines.iter().any(is_it), "no {level} event with {parts:?} in {lines:#?}");
}

#[test]
fn opening_says_what_was_found_and_what_was_cut_off() {
    if took_over(opening_says_what_was_found_and_what_was_cut_off, take_down) {
        return;
    }
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let shown = format!("path={}", path.display());
    assert_told(&told(), Level::INFO, &["opened a store;", &shown, "is_new=true"]);
    let tail = store.write(b"key", b"value").unwrap();
    let mut crashed = fs::read(&path).unwrap();
    drop(store);
    crashed[tail as usize] = 1;
    fs::write(&path, &crashed).unwrap();
    told();
    let store = DataStore::open(&path).unwrap();
    let lines = told();
    let saved_to = store.recovery_report().saved_to.clone().unwrap();
    let saved_to = format!("saved_to={}", saved_to.display());
    let tail = format!("tail={tail}");
    assert_told(
        &lines,
        Level::WARN,
        &["cut off an unfinished commit;", &shown, &saved_to, &tail, "bytes=1"],
    );
    assert_told(
        &lines,
        Level::INFO,
        &["opened a store;", "was_clean=false", &tail, "slots_replayed=1"],
    );
}

#[test]
fn flushes_and_barriers_are_told() {
    if took_over(flushes_and_barriers_are_told, take_down) {
        return;
    }
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"a", b"1").unwrap();
    store.write(b"b", b"2").unwrap();
    told();
    store.sync().unwrap();
    assert_eq!(told(), [format!("DEBUG flushed; path={} commit=2", path.display())]);
    store.sync().unwrap();
    assert_eq!(told(), [""; 0], "there was nothing to flush");
    // The distance at which a barrier is due, once over.
    store.write(b"large", &vec![1; 33 << 20]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut lines = told();
    while !lines.iter().any(|line| line.contains("wrote a barrier")) {
        assert!(Instant::now() < deadline, "{lines:#?}");
        thread::sleep(Duration::from_millis(5));
        lines.extend(told());
    }
    assert_told(&lines, Level::DEBUG, &["wrote a barrier;", "tail="]);
    assert_eq!(store.stats().barriers, 1);
}

#[test]
fn a_compaction_tells_its_start_progress_and_end() {
    if took_over(a_compaction_tells_its_start_progress_and_end, take_down) {
        return;
    }
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    let before = store.write(b"key", b"old").unwrap();
    let before = before.max(store.write(b"key", b"value").unwrap());
    told();
    let stopped = store.compact_with(|_| ControlFlow::Break(())).unwrap_err();
    assert_eq!(stopped.kind(), ErrorKind::Interrupted);
    let lines = told();
    assert_told(&lines, Level::INFO, &["compaction starts;", &format!("bytes={before}")]);
    assert_told(&lines, Level::WARN, &["compaction fails;", &format!("error={stopped}")]);

    store.compact().unwrap();
    let after = store.stats().tail;
    let lines = told();
    assert_told(&lines, Level::TRACE, &["compaction goes on;", &format!("total_bytes={before}")]);
    let sizes = format!("bytes_before={before} bytes_after={after}");
    assert_told(&lines, Level::INFO, &["compaction ends;", &sizes]);
    assert!(!lines.iter().any(|line| line.contains("refused")), "{lines:#?}");
}

#[test]
fn damage_is_told_where_it_is_found() {
    if took_over(damage_is_told_where_it_is_found, take_down) {
        return;
    }
    let (_directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    store.write(b"a", &[1; 100]).unwrap();
    let end = store.write(b"b", &[2; 100]).unwrap() as usize;
    let at = store.read(b"a").unwrap().unwrap().start_offset();
    store.write(b"c", &[3; 100]).unwrap();
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let store = OpenOptions::new().verify_reads(true).open(&path).unwrap();
    told();
    let error = store.read(b"a").unwrap_err();
    assert_told(&told(), Level::ERROR, &["damage found;", &format!("error={error}")]);
    assert!(store.read(b"absent").unwrap().is_none());
    assert_eq!(told(), [""; 0], "that a key is absent is no damage");
    drop(store);

    bytes[end - 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    told();
    let store = OpenOptions::new().read_only(true).open(&path).unwrap();
    let damaged = &store.recovery_report().damaged[0];
    let range = format!("start={} end={}", damaged.start, damaged.end);
    assert_told(&told(), Level::ERROR, &["a part of the log cannot be read;", &range]);
}

#[test]
fn failures_that_no_caller_is_told_of_are_traced() {
    if took_over(failures_that_no_caller_is_told_of_are_traced, take_down) {
        return;
    }
    let (_directory, path) = new_path();
    let is_broken = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&is_broken);
    let file_system = Hooked::new(move |call| match call {
        Call::Sync if hook.load(Ordering::SeqCst) => Err(io::Error::other("the medium is gone")),
        _ => Ok(true),
    });
    let options = OpenOptions::new()
        .create(true)
        .durability(Durability::Interval(Duration::from_millis(1)))
        .file_system(file_system);
    let store = options.open(&path).unwrap();
    is_broken.store(true, Ordering::SeqCst);
    store.write(b"key", b"value").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut lines = told();
    while !lines.iter().any(|line| line.contains("nobody waits")) {
        assert!(Instant::now() < deadline, "{lines:#?}");
        thread::sleep(Duration::from_millis(5));
        lines.extend(told());
    }
    assert_told(
        &lines,
        Level::ERROR,
        &["a flush that nobody waits for failed;", "the medium is gone"],
    );
    let cause = "cause=a flush to the medium failed";
    assert_told(&lines, Level::ERROR, &["writes are refused from now on;", cause]);
    drop(store);
    assert_told(&told(), Level::ERROR, &["closing a store failed;", "error=writing is refused"]);
}
