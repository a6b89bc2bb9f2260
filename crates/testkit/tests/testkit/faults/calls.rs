//! Every system call fails, in every way, once or from then on. The operation has no effect, reads
//! go on, the next operation works, and after reopening, the store holds exactly what was
//! acknowledged.

use std::fs;
use std::io;
use std::path::Path;

use simd_r_drive::{Durability, PoisonCause, WriteError};
use simd_r_drive_testkit::{
    CallKind, Errno, Fault, Model, Operation, Rule, Session, Value, assert_same, contents,
    hash_count, perform,
};

fn script() -> Vec<Operation> {
    use Operation::{
        BatchDelete, BatchDeleteHashes, BatchWrite, BatchWriteHashes, Checkpoint, CloseAndReopen,
        Compact, Delete, DropAndReopen, KillAndReopen, ReadBeside, Rename, Stream, StreamHash,
        Sync, Write, WriteHash,
    };
    let value = |len, seed| Value { len, seed };
    let number = hash_count() - 2;
    vec![
        Write(1, value(100, 1)),
        BatchWrite(vec![(3, value(64, 2)), (4, value(0, 0)), (5, value(1, 0)), (3, value(9, 4))]),
        WriteHash(number, value(33, 3)),
        Checkpoint,
        CloseAndReopen,
        Write(1, value(4000, 2)),
        Stream(2, value(3000, 5)),
        Sync,
        Rename(2, 6),
        BatchWriteHashes(vec![(number, value(5, 1)), (0, value(70, 2))]),
        Checkpoint,
        KillAndReopen,
        Delete(3),
        Checkpoint,
        Compact(vec![(1, value(900, 3))]),
        Write(0, value(300_000, 3)),
        ReadBeside,
        DropAndReopen,
        StreamHash(number, value(500, 2)),
        BatchDelete(vec![4, 5]),
        Checkpoint,
        Sync,
        BatchDeleteHashes(vec![1, number]),
        Write(6, value(0, 0)),
        Compact(vec![]),
        CloseAndReopen,
    ]
}

/// Runs the script under a rule. Returns the number of calls, and whether one failed.
fn run(rule: Option<Rule>, durability: Durability) -> (u64, bool) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.srd");
    let mut session = Session::new(&path, 64).durability(durability);
    if let Some(rule) = rule {
        session.faults.arm(rule);
    }
    for operation in script() {
        if let Err(error) = session.step(&operation) {
            survive(&mut session, &operation, &error, rule.unwrap(), durability);
        }
        session.check().unwrap();
    }
    let calls = session.faults.count(None);
    session.faults.heal();
    session.step(&Operation::CloseAndReopen).unwrap();
    assert!(session.store().recovery_report().was_clean);
    session.check().unwrap();
    assert_tidy(directory.path());
    (calls, !session.faults.struck().is_empty())
}

/// Checks what must hold after `operation` has failed, and repeats it.
fn survive(
    session: &mut Session,
    operation: &Operation,
    error: &io::Error,
    rule: Rule,
    durability: Durability,
) {
    let struck = session.faults.struck();
    assert!(!struck.is_empty(), "{operation:?} failed on its own: {error}");
    let mut after = session.model.clone();
    after.apply(operation).unwrap();
    // Only a flush can fail after the commit has been made.
    let flushes = durability == Durability::Sync;
    let mut is_there = false;
    if rule.is_lasting {
        if session.is_open() {
            is_there |= check_either(session, &after, flushes);
        }
        // While the fault lasts, nothing gets better or worse.
        if session.step(operation).is_ok() {
            return;
        }
        session.faults.heal();
    }
    if session.is_open() {
        is_there |= check_either(session, &after, flushes);
        match session.step(&Operation::Write(1, Value { len: 7, seed: 7 })) {
            Ok(()) => {
                let is_trusted =
                    is_there || (struck.contains(&CallKind::Sync) && flushes_data(operation));
                assert!(!is_trusted, "{operation:?}: a failed flush is trusted");
            }
            Err(error) => {
                let cause = poison(&error).unwrap_or_else(|| panic!("{error}"));
                assert!(
                    cause == PoisonCause::SyncFailed || rule.is_lasting,
                    "{operation:?}: {cause}"
                );
                let refused = perform(session.store(), &Operation::Delete(1)).unwrap_err();
                assert_eq!(poison(&refused), Some(cause));
                check_either(session, &after, flushes);
                session.drop_store();
                session.open().unwrap();
                check_either(session, &after, flushes);
            }
        }
    }
    // If a flush failed, the effect may be there already.
    session.step(operation).unwrap_or_else(|error| panic!("{operation:?} again: {error}"));
}

/// Whether a failed flush during `operation` is one of the store's data, rather than of a file that
/// a compaction was writing, or one that was part of opening the store.
fn flushes_data(operation: &Operation) -> bool {
    !matches!(
        operation,
        Operation::CloseAndReopen
            | Operation::DropAndReopen
            | Operation::KillAndReopen
            | Operation::Compact(_)
    )
}

/// Checks that there are no files beside the store, except the documented ones with bytes that were
/// cut off.
fn assert_tidy(directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "store.srd" || name.starts_with("store.srd.cut-"), "{name} is left");
    }
}

/// Checks that the failed operation had no effect, or, if `may_be_there`, all of its effect.
/// Returns whether it had.
fn check_either(session: &mut Session, after: &Model, may_be_there: bool) -> bool {
    let content = contents(session.store()).unwrap();
    let is_there = content != session.model.content() && content == after.content();
    if may_be_there && is_there {
        session.model = after.clone();
    }
    assert_same(session.store(), &session.model).unwrap();
    is_there
}

fn poison(error: &io::Error) -> Option<PoisonCause> {
    match error.get_ref()?.downcast_ref::<WriteError>()? {
        WriteError::Poisoned { cause } => Some(*cause),
        _ => None,
    }
}

fn fail_each_call(rule: impl Fn(u64) -> Rule, durability: Durability) -> u64 {
    let mut after = 0;
    while run(Some(rule(after)), durability).1 {
        after += 1;
    }
    after
}

fn fail_each_call_once(errno: Errno) {
    let fault = Fault::Error(errno);
    let rule = |after| Rule { kind: None, after, is_lasting: false, fault };
    assert!(fail_each_call(rule, Durability::Process) > 100);
}

#[test]
fn each_call_fails_once() {
    fail_each_call_once(Errno::Eio);
}

#[test]
fn each_call_finds_the_disk_full_once() {
    fail_each_call_once(Errno::Enospc);
}

#[test]
fn each_call_fails_once_where_every_commit_is_flushed() {
    let rule = |after| {
        let errno = Errno::FAILURES[after as usize % 4];
        Rule { kind: None, after, is_lasting: false, fault: Fault::Error(errno) }
    };
    assert!(fail_each_call(rule, Durability::Sync) > 100);
}

#[test]
fn each_call_and_all_after_it_fail() {
    let fault = Fault::Error(Errno::Eio);
    let rule = |after| Rule { kind: None, after, is_lasting: true, fault };
    assert!(fail_each_call(rule, Durability::Process) > 100);
}

#[test]
fn each_call_of_a_kind_and_all_such_after_it_fail() {
    use CallKind::{
        Allocate, CreateReplacement, Lock, Map, Place, Read, SetLen, Sync, SyncDirectory, Write,
    };
    let kinds =
        [Read, Write, SetLen, Allocate, Sync, Map, Lock, CreateReplacement, Place, SyncDirectory];
    for kind in kinds {
        let errno = |after| Errno::FAILURES[after as usize % 4];
        let fault = |after| Fault::Error(errno(after));
        let rule = |after| Rule { kind: Some(kind), after, is_lasting: true, fault: fault(after) };
        assert!(fail_each_call(rule, Durability::Process) > 1, "{kind:?}");
    }
}

#[test]
fn a_disk_fills_up_within_each_write() {
    for part in [1, 64, 1000] {
        let fault = Fault::ShortThenError(part, Errno::Enospc);
        let rule = |after| Rule { kind: Some(CallKind::Write), after, is_lasting: false, fault };
        assert!(fail_each_call(rule, Durability::Process) > 10);
    }
}

#[test]
fn interrupted_and_short_calls_are_not_seen() {
    let invisible = |kind, fault, is_lasting, after| {
        let directory = tempfile::tempdir().unwrap();
        let mut session = Session::new(&directory.path().join("store.srd"), 64);
        session.faults.arm(Rule { kind: Some(kind), after, is_lasting, fault });
        for operation in script() {
            session.step(&operation).unwrap();
        }
        session.check().unwrap();
        !session.faults.struck().is_empty()
    };
    for kind in [CallKind::Read, CallKind::Write] {
        for part in [1, 63, 4097] {
            let mut after = 0;
            while invisible(kind, Fault::Short(part), false, after) {
                after += 1;
            }
            assert!(after > 10);
        }
        assert!(invisible(kind, Fault::Short(1000), true, 0));
        let mut after = 0;
        while invisible(kind, Fault::Error(Errno::Eintr), false, after) {
            after += 1;
        }
    }
}

#[test]
fn a_recovery_in_which_a_call_fails_cuts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.srd");
    let mut session = Session::new(&path, 64);
    for operation in &script()[..4] {
        session.step(operation).unwrap();
    }
    session.step(&Operation::Write(2, Value { len: 2000, seed: 2 })).unwrap();
    let model = session.model.clone();
    let tail = session.store().stats().tail as usize;
    session.step(&Operation::Write(1, Value { len: 2000, seed: 1 })).unwrap();
    session.kill();
    let mut torn = fs::read(&path).unwrap();
    torn[tail + 700] ^= 1;

    for errno in [Errno::Eio, Errno::Enospc] {
        for after in 0.. {
            fs::write(&path, &torn).unwrap();
            let mut session = Session::new(&path, 64);
            session.model = model.clone();
            let fault = Fault::Error(errno);
            session.faults.arm(Rule { kind: None, after, is_lasting: false, fault });
            let is_open = session.open().is_ok();
            let struck = session.faults.struck();
            session.faults.heal();
            if !is_open {
                let left = fs::read(&path).unwrap();
                // The cut itself may have been made. It comes last, after everything has been read.
                let is_cut = left == torn[..tail] && struck != [CallKind::Read];
                assert!(left == torn || is_cut, "{struck:?}");
                let beside = fs::read_dir(directory.path()).unwrap().count() - 1;
                assert_eq!(
                    beside,
                    usize::from(is_cut),
                    "{struck:?}: saved if, and only if, it is cut"
                );
                session.open().unwrap();
            }
            session.check().unwrap();
            session.step(&Operation::Delete(1)).unwrap();
            session.step(&Operation::CloseAndReopen).unwrap();
            session.check().unwrap();
            for saved in fs::read_dir(directory.path()).unwrap() {
                let saved = saved.unwrap().path();
                if saved != path {
                    fs::remove_file(saved).unwrap();
                }
            }
            if struck.is_empty() {
                assert!(after > 10);
                break;
            }
        }
    }
}
