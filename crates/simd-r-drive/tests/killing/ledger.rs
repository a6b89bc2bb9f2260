//! The ledger of a process that was killed: what it had begun, and what had been acknowledged.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use simd_r_drive::DataStore;

use crate::steps::{Contents, Script, of_thread};
use crate::victim::say;

/// In the child: performs the steps of one thread, from number `first` on, until the process is
/// killed.
pub(crate) fn work(store: &DataStore, script: Script, thread: u64, first: u64) {
    for number in first.. {
        work_step(store, script, thread, number);
    }
}

/// In the child: carries out one step.
pub(crate) fn work_step(store: &DataStore, script: Script, thread: u64, number: u64) {
    say(&format!("s{thread} {number}"));
    let at_end = || say(&format!("r{thread} {number}"));
    script(thread, number).perform(store, thread, number, &at_end).unwrap();
    say(&format!("a{thread} {number}"));
}

/// In the child: repeats `operation` while each thread carries out its steps, from the number on
/// that `first` gives it, until the process is killed. A pause after each step leaves `operation`
/// some of the machine.
pub(crate) fn work_beside(
    store: &DataStore,
    script: Script,
    first: &str,
    pause: Duration,
    mut operation: impl FnMut(),
) {
    thread::scope(|scope| {
        for (number_of_thread, first) in first_steps(first) {
            scope.spawn(move || {
                for number in first.. {
                    work_step(store, script, number_of_thread, number);
                    thread::sleep(pause);
                }
            });
        }
        loop {
            operation();
        }
    });
}

/// In the child: says when `operation` begins and when it ends.
pub(crate) fn told<T>(name: &str, operation: impl FnOnce() -> T) -> T {
    say(&format!("+{name}"));
    let result = operation();
    say(&format!("-{name}"));
    result
}

/// In the child: parses what [`Expected::orders`] returned in the parent. Returns each thread with
/// the number of its first step.
pub(crate) fn first_steps(orders: &str) -> Vec<(u64, u64)> {
    (0..).zip(orders.split(',').map(|number| number.parse().unwrap())).collect()
}

/// What one thread had done.
#[derive(Debug, Default, Clone, Copy)]
struct Progress {
    started: Option<u64>,
    /// Of the streams.
    read_to_its_end: Option<u64>,
    acknowledged: Option<u64>,
}

/// What a child had done when it died.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    threads: BTreeMap<u64, Progress>,
    /// How often each operation began and ended.
    operations: BTreeMap<String, (u64, u64)>,
    /// Names of files that the child reported.
    pub(crate) files: Vec<String>,
}

impl Ledger {
    #[track_caller]
    pub(crate) fn of(lines: &[String]) -> Self {
        let mut ledger = Self::default();
        for line in lines {
            ledger
                .note(line)
                .unwrap_or_else(|| panic!("the child complains: {}", lines.join("\n")));
        }
        ledger
    }

    fn note(&mut self, line: &str) -> Option<()> {
        let what = line.chars().next()?;
        let rest = &line[what.len_utf8()..];
        match what {
            's' | 'r' | 'a' => {
                let (thread, number) = rest.split_once(' ')?;
                let progress = self.threads.entry(thread.parse().ok()?).or_default();
                let number = Some(number.parse().ok()?);
                match what {
                    's' => progress.started = number,
                    'r' => progress.read_to_its_end = number,
                    _ => progress.acknowledged = number,
                }
            }
            '+' => self.operations.entry(rest.to_owned()).or_default().0 += 1,
            '-' => self.operations.entry(rest.to_owned()).or_default().1 += 1,
            '=' => self.files.push(rest.to_owned()),
            _ => return None,
        }
        Some(())
    }

    /// Whether an operation had begun and had not ended.
    pub(crate) fn died_in(&self, operation: &str) -> bool {
        self.operations.get(operation).is_some_and(|(begun, ended)| begun > ended)
    }

    /// As [`Ledger::died_in`], for all operations whose names start with `prefix`.
    pub(crate) fn died_in_any(&self, prefix: &str) -> bool {
        self.operations.keys().any(|name| name.starts_with(prefix) && self.died_in(name))
    }

    /// How often an operation ended.
    pub(crate) fn completed(&self, operation: &str) -> u64 {
        self.operations.get(operation).map_or(0, |(_, ended)| *ended)
    }

    /// Whether some thread was at a step.
    pub(crate) fn died_in_a_step(&self) -> bool {
        self.threads.values().any(|progress| progress.started != progress.acknowledged)
    }

    /// Whether some thread was at the commit of a stream that it had read to its end.
    pub(crate) fn died_in_a_commit_of_a_stream(&self) -> bool {
        self.threads.values().any(|progress| {
            progress.started != progress.acknowledged
                && progress.started == progress.read_to_its_end
        })
    }
}

/// What must be in the store, as far as the ledgers go.
#[derive(Debug)]
pub(crate) struct Expected {
    script: Script,
    threads: Vec<Known>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    /// What the thread's acknowledged steps have left.
    contents: Contents,
    /// Its steps that have taken effect, in order.
    effective: Vec<u64>,
    /// Its next step.
    next: u64,
}

impl Expected {
    pub(crate) fn new(script: Script, threads: usize) -> Self {
        Self { script, threads: vec![Known { next: 1, ..Known::default() }; threads] }
    }

    /// For the child: where each thread goes on.
    pub(crate) fn orders(&self) -> String {
        let next: Vec<String> = self.threads.iter().map(|known| known.next.to_string()).collect();
        next.join(",")
    }

    /// All that must be there.
    pub(crate) fn contents(&self) -> Contents {
        self.threads.iter().flat_map(|known| known.contents.clone()).collect()
    }

    /// How many steps there have been.
    pub(crate) fn steps(&self) -> u64 {
        self.threads.iter().map(|known| known.next - 1).sum()
    }

    /// Checks what was found after a child died: for each thread, everything that was acknowledged,
    /// and all or nothing of the step that was in progress. Returns how many of those steps have
    /// taken effect.
    #[track_caller]
    pub(crate) fn settle(&mut self, ledger: &Ledger, found: &Contents) -> u64 {
        let script = self.script;
        let mut effective = 0;
        for (thread, known) in (0..).zip(&mut self.threads) {
            let progress = ledger.threads.get(&thread).copied().unwrap_or_default();
            if let Some(acknowledged) = progress.acknowledged {
                for number in known.next..=acknowledged {
                    known.effective.push(number);
                    script(thread, number).apply(&mut known.contents, thread, number);
                }
                known.next = acknowledged + 1;
            }
            let found = of_thread(found, thread);
            let was_at_a_step = progress.started == Some(known.next);
            if found != known.contents {
                assert!(was_at_a_step, "acknowledged steps of thread {thread} are lost");
                script(thread, known.next).apply(&mut known.contents, thread, known.next);
                assert_eq!(found, known.contents, "a part of step {}", known.next);
                known.effective.push(known.next);
                effective += 1;
            }
            known.next += u64::from(was_at_a_step);
        }
        assert_eq!(*found, self.contents(), "entries of nobody");
        effective
    }

    /// How many steps of each thread have taken effect.
    pub(crate) fn effects(&self) -> Vec<usize> {
        self.threads.iter().map(|known| known.effective.len()).collect()
    }
}

/// What a copy of the store showed when it was last checked: how many steps of each thread.
#[derive(Debug)]
pub(crate) struct Copied(Vec<(usize, Contents)>);

impl Copied {
    /// A copy that shows nothing yet.
    pub(crate) fn new(threads: usize) -> Self {
        Self(vec![(0, Contents::new()); threads])
    }

    /// Checks what the copy shows now: for each thread, its state after some step. That step must
    /// not be older than the one that the copy showed before, nor than the first `least` steps.
    #[track_caller]
    pub(crate) fn advance(&mut self, expected: &Expected, least: &[usize], found: &Contents) {
        let script = expected.script;
        let threads = (0..).zip(self.0.iter_mut().zip(&expected.threads).zip(least));
        for (thread, ((shown, known), least)) in threads {
            let found = of_thread(found, thread);
            let (count, contents) = shown;
            while *count < *least || *contents != found {
                let number = *known
                    .effective
                    .get(*count)
                    .unwrap_or_else(|| panic!("the copy shows what thread {thread} has never had"));
                script(thread, number).apply(contents, thread, number);
                *count += 1;
            }
        }
    }
}
