//! A store to which one process after another writes, each until it is killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simd_r_drive::{DataStore, OpenOptions, RecoveryReport};
use tempfile::TempDir;

use crate::ledger::{Expected, Ledger};
use crate::steps::{Contents, Script, contents};
use crate::support::{names_in, new_path};
use crate::victim::{Victim, say};

/// In the child: opens the store, and reports the file that recovery may have made.
pub(crate) fn open_in_child(path: &Path, options: &OpenOptions) -> DataStore {
    let store = options.open(path).unwrap();
    if let Some(saved) = &store.recovery_report().saved_to {
        say(&format!("={}", saved.file_name().unwrap().to_str().unwrap()));
    }
    store
}

/// A store, and what must be in it.
pub(crate) struct Scene {
    pub(crate) directory: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) expected: Expected,
    script: Script,
    threads: usize,
    /// Steps of threads that had not been acknowledged, and took effect.
    pub(crate) effective: u64,
    pub(crate) steps: u64,
    /// What the first look after the last kill found.
    pub(crate) report: Option<RecoveryReport>,
    /// Up to where the file says that it is on the medium, before the next child; 0 if it is new.
    pub(crate) durable_tail: u64,
}

impl Scene {
    pub(crate) fn new(script: Script, threads: usize) -> Self {
        let (directory, path) = new_path();
        let expected = Expected::new(script, threads);
        Self {
            directory,
            path,
            expected,
            script,
            threads,
            effective: 0,
            steps: 0,
            report: None,
            durable_tail: 0,
        }
    }

    /// Goes on with a new store, so that the old one does not get too large.
    pub(crate) fn renew(&mut self) {
        let steps = self.steps + self.expected.steps();
        let effective = self.effective;
        *self = Self { steps, effective, ..Self::new(self.script, self.threads) };
    }

    /// Starts a child, with where its threads have to go on, and further orders.
    pub(crate) fn start<T>(&self, child: T, orders: &str) -> Victim {
        Victim::start(child, &self.path, &format!("{};{orders}", self.expected.orders()))
    }

    /// Kills the child and checks what is in the store, several times over.
    #[track_caller]
    pub(crate) fn kill(
        &mut self,
        victim: Victim,
        delay: Duration,
        is_recovered_here: bool,
    ) -> Ledger {
        let ledger = Ledger::of(&victim.kill_after(delay));
        if self.path.exists() {
            self.check(&ledger, is_recovered_here);
        }
        ledger
    }

    #[track_caller]
    fn check(&mut self, ledger: &Ledger, is_recovered_here: bool) {
        // Read-only first: it must not take a recovery to see everything.
        let (found, report) = read(&self.path);
        self.report = Some(report);
        self.effective += self.expected.settle(ledger, &found);
        for name in &ledger.files {
            fs::remove_file(self.directory.path().join(name)).unwrap();
        }
        if is_recovered_here {
            let store = DataStore::open_existing(&self.path).unwrap();
            if let Some(saved) = &store.recovery_report().saved_to {
                fs::remove_file(saved).unwrap();
            }
            assert_eq!(contents(&store), found, "recovery differs");
            store.close().unwrap();
        }
        let (again, report) = read(&self.path);
        assert_eq!(again, found, "opened twice");
        self.durable_tail = report.durable_tail;
    }

    /// Checks that the directory holds the store, files that `is_known`, and at most `temporary`
    /// temporary files and `saved` partly saved ones. Removes those.
    #[track_caller]
    pub(crate) fn sweep(&self, temporary: usize, saved: usize, is_known: impl Fn(&str) -> bool) {
        let name = self.path.file_name().unwrap().to_str().unwrap();
        let mut counts = [0, 0];
        for found in names_in(self.directory.path()) {
            if found.starts_with(".simd-r-drive-") {
                counts[0] += 1;
            } else if found.contains(".cut-") {
                counts[1] += 1;
            } else {
                assert!(found == name || is_known(&found), "a file called {found}");
                continue;
            }
            fs::remove_file(self.directory.path().join(found)).unwrap();
        }
        let [found_temporary, found_saved] = counts;
        assert!(found_temporary <= temporary, "{found_temporary} temporary files");
        assert!(found_saved <= saved, "{found_saved} files of saved bytes that nobody reported");
    }
}

/// What a store holds, every entry checked against its checksum too, and what opening it found.
#[track_caller]
pub(crate) fn read(path: &Path) -> (Contents, RecoveryReport) {
    let store = OpenOptions::new().read_only(true).verify_reads(true).open(path).unwrap();
    (contents(&store), store.recovery_report().clone())
}

/// How many kills a series has.
pub(crate) fn rounds() -> u64 {
    200 * effort()
}

/// Value of the environment variable `SIMD_R_DRIVE_TEST_EFFORT`: how many times as long tests with
/// random instants look for trouble. 1 if it is not set.
fn effort() -> u64 {
    let effort = std::env::var("SIMD_R_DRIVE_TEST_EFFORT").ok().and_then(|text| text.parse().ok());
    effort.filter(|effort| *effort > 0).unwrap_or(1)
}
