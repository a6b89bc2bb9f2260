//! A flush was once skipped if nothing had been committed since the store was opened, although
//! recovery had found commits that had not been flushed. After `sync`, a loss of power could still
//! take them.

use std::io;

use simd_r_drive_testkit::{CallKind, Operation, Session, Value};

#[test]
fn a_sync_flushes_what_recovery_found() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let mut session = Session::new(&directory.path().join("store.srd"), 64);
    session.step(&Operation::Write(1, Value { len: 100, seed: 1 }))?;
    session.step(&Operation::KillAndReopen)?;
    let tail = session.store().stats().tail;
    let flushes = session.faults.count(Some(CallKind::Sync));
    let writes = session.faults.count(Some(CallKind::Write));
    session.step(&Operation::Sync)?;
    assert_eq!(session.faults.count(Some(CallKind::Sync)), flushes + 1);
    assert!(session.faults.count(Some(CallKind::Write)) > writes, "written again first");
    session.step(&Operation::Sync)?;
    assert_eq!(session.faults.count(Some(CallKind::Sync)), flushes + 1, "once is enough");
    assert_eq!(session.store().stats().tail, tail);
    session.check()
}
