//! Every call of a backup and of a repair fails, once or from then on. The store is unchanged and
//! goes on working, no incomplete file is left, and the next attempt succeeds.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_r_drive::traits::DataStoreReader;
use simd_r_drive::{OpenOptions, repair_with};
use simd_r_drive_testkit::{
    Change, Errno, Fault, Faults, FaultyFileSystem, FileId, Operation, Rule, Session, Value,
    contents,
};

fn value(len: usize) -> Value {
    Value { len, seed: 3 }
}

/// Rules for the ways in which the call after `after` others can fail.
fn rules(after: u64) -> [Rule; 4] {
    let errno = |number: u64| Errno::FAILURES[((after + number) % 4) as usize];
    [
        Rule { kind: None, after, is_lasting: false, fault: Fault::Error(errno(0)) },
        Rule { kind: None, after, is_lasting: false, fault: Fault::Error(errno(1)) },
        Rule { kind: None, after, is_lasting: false, fault: Fault::ShortThenError(70, errno(2)) },
        Rule { kind: None, after, is_lasting: true, fault: Fault::Error(errno(3)) },
    ]
}

fn names(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

/// What is at the backup's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Backup,
    /// A backup, followed by bytes that the store does not have.
    BackupAndMore,
}

/// Bytes that are not part of a store.
const MORE: [u8; 100] = [7; 100];

/// Backs up a store under `rule`. Returns whether a call failed.
fn back_up(rule: Rule, before: Before) -> io::Result<bool> {
    let is_extended = before != Before::Nothing;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let backup = directory.path().join("backup.srd");
    let mut session = Session::new(&path, 64);
    session.step(&Operation::Write(1, value(5000)))?;
    session.step(&Operation::BatchWrite(vec![(2, value(100)), (3, value(0))]))?;
    // The contents that a backup may show.
    let mut commits = Vec::new();
    if is_extended {
        session.store().backup(&backup)?;
        if before == Before::BackupAndMore {
            fs::OpenOptions::new().append(true).open(&backup)?.write_all(&MORE)?;
        }
        commits.push(session.model.content());
        session.step(&Operation::Write(1, value(300)))?;
        commits.push(session.model.content());
    }
    session.step(&Operation::Delete(2))?;
    let after = session.model.content();
    commits.push(after.clone());

    let start = session.journal.len();
    session.faults.arm(rule);
    let result = session.store().backup(&backup);
    let struck = session.faults.struck();
    check_cuts(&session.journal.changes()[start..]);
    assert!(result.is_ok() || !struck.is_empty(), "{result:?}");
    session.check()?;
    session.faults.heal();

    match fs::exists(&backup)? {
        // Read-only, so that it is not changed.
        true => {
            let shown = contents(&OpenOptions::new().read_only(true).open(&backup)?)?;
            assert!(commits.contains(&shown), "{struck:?}: it shows none of its commits");
            assert!(
                result.is_ok() || is_extended,
                "{struck:?}: a new backup is left after an error"
            );
            assert!(result.is_err() || shown == after, "{struck:?}: it is out of date");
        }
        false => assert!(result.is_err() && !is_extended, "{struck:?}: no backup"),
    }
    let (saved, others): (Vec<_>, Vec<_>) = names(directory.path())
        .into_iter()
        .partition(|name| name.to_string_lossy().contains(".cut-"));
    let expected = if backup.exists() { vec![backup.clone(), path.clone()] } else { vec![path] };
    assert_eq!(others, expected, "{struck:?}");
    let is_cut_off = is_extended && !fs::read(&backup)?.ends_with(&MORE);
    // If all later calls fail, the file cannot be removed.
    if before != Before::BackupAndMore || !rule.is_lasting {
        let is_saved = before == Before::BackupAndMore && is_cut_off;
        assert_eq!(saved.len(), usize::from(is_saved), "{struck:?}");
    }
    for saved in saved.iter().filter(|_| is_cut_off) {
        assert_eq!(fs::read(saved)?, MORE, "{struck:?}");
    }

    // If a flush of the store itself failed, it refuses writes until it is opened again.
    if session.step(&Operation::Write(4, value(9))).is_err() {
        session.drop_store();
        session.open()?;
        session.check()?;
        session.step(&Operation::Write(4, value(9)))?;
    }
    session.store().backup(&backup)?;
    let shown = contents(&OpenOptions::new().read_only(true).open(&backup)?)?;
    assert_eq!(shown, session.model.content(), "{struck:?}");
    Ok(!struck.is_empty())
}

/// A reader of a backup shows commits as soon as they are written, so they must not be cut off
/// while it has them mapped. A backup once cut off what it could not flush.
fn check_cuts(changes: &[(FileId, Change)]) {
    for (number, (file, change)) in changes.iter().enumerate() {
        let Change::SetLen(len) = change else { continue };
        let is_cut = changes[..number].iter().any(|(other, change)| match change {
            Change::Write { offset, bytes } => other == file && offset + bytes.len() as u64 > *len,
            _ => false,
        });
        assert!(!is_cut, "what was written is cut off at {len}");
    }
}

#[test]
fn each_call_of_a_new_backup_fails() -> io::Result<()> {
    each_call_of(|rule| back_up(rule, Before::Nothing))
}

#[test]
fn each_call_of_an_extended_backup_fails() -> io::Result<()> {
    each_call_of(|rule| back_up(rule, Before::Backup))
}

#[test]
fn each_call_of_an_extended_backup_that_cuts_fails() -> io::Result<()> {
    each_call_of(|rule| back_up(rule, Before::BackupAndMore))
}

/// Tries all rules on each call, until there are no more calls.
fn each_call_of(run: impl Fn(Rule) -> io::Result<bool>) -> io::Result<()> {
    let mut after = 0;
    loop {
        let mut is_struck = false;
        for rule in rules(after) {
            is_struck |= run(rule)?;
        }
        if !is_struck {
            assert!(after > 15, "{after} calls");
            return Ok(());
        }
        after += 1;
    }
}

#[test]
fn each_call_of_a_repair_fails() -> io::Result<()> {
    let scratch = tempfile::tempdir()?;
    let old = scratch.path().join("old.srd");
    let mut session = Session::new(&old, 64);
    session.step(&Operation::Write(1, value(5000)))?;
    session.step(&Operation::Write(2, value(100)))?;
    session.step(&Operation::Write(3, value(200)))?;
    let offset =
        session.store().read(simd_r_drive_testkit::key(2))?.expect("written").start_offset();
    session.step(&Operation::CloseAndReopen)?;
    session.drop_store();
    let mut damaged = fs::read(&old)?;
    damaged[offset] ^= 1;
    fs::write(&old, &damaged)?;

    each_call_of(|rule| {
        let directory = tempfile::tempdir()?;
        let new = directory.path().join("new.srd");
        let faults = Faults::default();
        let file_system = Arc::new(FaultyFileSystem::new(faults.clone()));
        let options = OpenOptions::new().file_system(file_system);
        faults.arm(rule);
        let result = repair_with(&old, &new, &options);
        let struck = faults.struck();
        faults.heal();
        assert!(fs::read(&old)? == damaged, "{struck:?}: the old file is only read");
        match &result {
            Ok(report) => assert_eq!((report.copied_entries, report.damaged_entries.len()), (2, 1)),
            Err(error) => {
                assert!(!struck.is_empty(), "{error}");
                // If all later calls fail, the file cannot be removed.
                if !rule.is_lasting {
                    assert!(names(directory.path()).is_empty(), "{struck:?}");
                }
                let _ = fs::remove_file(&new);
                repair_with(&old, &new, &options)?;
            }
        }
        assert_eq!(OpenOptions::new().read_only(true).open(&new)?.len()?, 2);
        assert_eq!(names(directory.path()), [new]);
        Ok(!struck.is_empty())
    })
}
