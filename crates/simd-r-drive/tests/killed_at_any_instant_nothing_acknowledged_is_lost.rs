//! SIGKILL at random instants of batch, single and large writes, and of opening.
//!
//! A child opens the store and writes; it says when it begins and ends each step. The parent keeps the ledger,
//! kills the child, and looks at what is there.

#![cfg(unix)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};
use support::{Random, child, new_path};

const ROUNDS: u64 = 200;

/// What every store holds, by key: the number of the step that wrote it.
type Contents = BTreeMap<Vec<u8>, u64>;

/// What the child does as its step `number`.
enum Step {
    Write(Vec<(Vec<u8>, usize)>),
    Stream(Vec<u8>, usize),
    Delete(Vec<Vec<u8>>),
}

fn step(number: u64) -> Step {
    let mut random = Random(number);
    let key = |kind: &str, number: u64| format!("{kind} {number}").into_bytes();
    match random.below(8) {
        0..=2 => Step::Write(vec![(key("small", random.below(50)), random.below(300) as usize)]),
        3 | 4 => {
            let len = 2 + random.below(40);
            // Among others, ten keys that every batch writes.
            let batch = (0..len).map(|n| (key("batch", n), random.below(5000) as usize)).collect();
            Step::Write(batch)
        }
        5 => Step::Write(vec![(
            key("large", random.below(3)),
            200_000 + random.below(500_000) as usize,
        )]),
        6 => Step::Stream(key("stream", random.below(3)), random.below(1_200_000) as usize),
        _ => {
            Step::Delete((0..1 + random.below(5)).map(|_| key("small", random.below(50))).collect())
        }
    }
}

/// A value that tells by whom, and as what, it was written.
fn value(number: u64, len: usize) -> Vec<u8> {
    let mut value = number.to_le_bytes().to_vec();
    value.extend((0..len).map(|at| (at as u64 ^ number) as u8));
    value
}

fn apply(contents: &mut Contents, number: u64) {
    match step(number) {
        Step::Write(entries) => {
            contents.extend(entries.into_iter().map(|(key, _)| (key, number)));
        }
        Step::Stream(key, _) => contents.extend([(key, number)]),
        Step::Delete(keys) => contents.retain(|key, _| !keys.contains(key)),
    }
}

/// The store's contents; every value must be whole, and one that was once written.
fn contents(store: &DataStore) -> Contents {
    let mut contents = Contents::new();
    for entry in store {
        let (number, _) = entry.split_first_chunk().expect("shorter than any value");
        let number = u64::from_le_bytes(*number);
        assert!(entry == value(number, entry.len() - 8), "a value that nobody wrote");
        contents.insert(entry.key().unwrap().to_vec(), number);
    }
    assert_eq!(store.len().unwrap(), contents.len());
    contents
}

/// The child: opens the store, then carries out steps from the given number on, until it is killed.
#[test]
#[ignore = "a process that another test starts"]
fn writer_process() {
    let Some((path, first)) = child::orders() else { return };
    let say = |what: String| std::io::stderr().write_all(what.as_bytes()).unwrap();
    say("o\n".into());
    let store = DataStore::open(&path).unwrap();
    say("O\n".into());
    for number in first.parse().unwrap().. {
        say(format!("s{number}\n"));
        match step(number) {
            Step::Write(entries) => {
                let entries: Vec<(Vec<u8>, Vec<u8>)> =
                    entries.into_iter().map(|(key, len)| (key, value(number, len))).collect();
                match &*entries {
                    [(key, value)] => store.write(key, value).unwrap(),
                    many => {
                        let batch: Vec<(&[u8], &[u8])> =
                            many.iter().map(|(key, value)| (&key[..], &value[..])).collect();
                        store.batch_write(&batch).unwrap()
                    }
                };
            }
            Step::Stream(key, len) => {
                store.write_stream(&key, &mut &value(number, len)[..]).unwrap();
            }
            Step::Delete(keys) => {
                let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
                store.batch_delete(&keys).unwrap();
            }
        }
        say(format!("a{number}\n"));
    }
}

/// What the child had done when it died.
#[derive(Default)]
struct Ledger {
    is_opening: bool,
    is_open: bool,
    acknowledged: Option<u64>,
    started: Option<u64>,
}

impl Ledger {
    fn note(&mut self, line: &str) {
        let number = |line: &str| Some(line[1..].parse().unwrap());
        match line.chars().next() {
            Some('o') => self.is_opening = true,
            Some('O') => (self.is_opening, self.is_open) = (false, true),
            Some('s') => self.started = number(line),
            Some('a') => self.acknowledged = number(line),
            _ => panic!("the child complains: {line}"),
        }
    }

    fn died_writing(&self) -> bool {
        self.started != self.acknowledged
    }
}

/// Lines of a child, as they come; a line that the kill cut off does not count.
fn lines(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut line = String::new();
        while source.read_line(&mut line).is_ok_and(|len| len > 0) && line.ends_with('\n') {
            if sender.send(std::mem::take(&mut line).trim_end().to_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Starts a child, kills it, and returns what it had done.
fn round(path: &Path, next: u64, random: &mut Random) -> Ledger {
    let mut child = child::spawn("writer_process", path, &next.to_string());
    let lines = lines(child.stderr.take().unwrap());
    let mut ledger = Ledger::default();
    let mut wait_for = |what: char| {
        while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
            ledger.note(&line);
            if line.starts_with(what) {
                return;
            }
        }
        panic!("the child does not come to {what}");
    };
    // A third of the kills aim at opening, the others at writing.
    let delay_us = if random.below(3) == 0 {
        wait_for('o');
        random.below(1500)
    } else {
        wait_for('s');
        random.below(12_000)
    };
    let until = Instant::now() + Duration::from_micros(delay_us);
    while Instant::now() < until {
        thread::sleep(Duration::from_micros(50));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    // What it said before it died counts.
    for line in lines {
        ledger.note(&line);
    }
    ledger
}

#[test]
fn kills_at_random_instants_lose_nothing_and_invent_nothing() {
    let mut random = Random(std::process::id().into());
    let (mut in_writes, mut in_opens, mut unacknowledged_but_there) = (0, 0, 0);
    let (mut directory, mut path) = new_path();
    let (mut expected, mut next) = (Contents::new(), 1);
    for number in 0..ROUNDS {
        if number % 10 == 0 {
            (directory, path) = new_path();
            expected.clear();
        }
        let ledger = round(&path, next, &mut random);
        in_opens += u64::from(ledger.is_opening);
        in_writes += u64::from(ledger.is_open && ledger.died_writing());
        if let Some(acknowledged) = ledger.acknowledged {
            (next..=acknowledged).for_each(|number| apply(&mut expected, number));
            next = acknowledged + 1;
        }
        if !path.exists() {
            assert!(ledger.is_opening && expected.is_empty(), "round {number}: the store is gone");
            continue;
        }
        // Read-only first: the next child has to recover what this one has left.
        let found = contents(&OpenOptions::new().read_only(true).open(&path).unwrap());
        if found != expected {
            assert_eq!(ledger.started, Some(next), "round {number}: acknowledged steps are lost");
            let mut with_last = expected.clone();
            apply(&mut with_last, next);
            assert_eq!(found, with_last, "round {number}: a part of a step, or something else");
            expected = with_last;
            unacknowledged_but_there += 1;
        }
        if ledger.started == Some(next) {
            next += 1;
        }
        if number % 5 == 4 {
            let store = DataStore::open(&path).unwrap();
            assert_eq!(contents(&store), expected, "round {number}: recovery differs");
            if number % 2 == 0 {
                store.close().unwrap();
            }
        }
    }
    drop(directory);
    println!(
        "{ROUNDS} kills: {in_writes} inside a write ({unacknowledged_but_there} of which took effect), \
         {in_opens} inside an open, {next} steps"
    );
    assert!(in_writes > 0, "no kill landed inside a write");
    assert!(in_opens > 0, "no kill landed inside an open");
}
