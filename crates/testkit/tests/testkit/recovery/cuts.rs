//! Recovery cuts off what was not committed, and flushes the cut before the first append. If the
//! process died between the two, the next recovery once took the file for complete, and did not
//! flush it.

use std::fs;
use std::io;

use simd_r_drive_testkit::{Change, Operation, Session, Value};

#[test]
fn the_next_open_flushes_a_cut_that_was_not_flushed() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let value = Value { len: 700, seed: 1 };
    let mut session = Session::new(&path, 64);
    session.step(&Operation::Write(1, value))?;
    session.step(&Operation::Write(2, value))?;
    let model = session.model.clone();
    let tail = session.store().stats().tail;
    session.kill();
    // The file as such a recovery left it.
    fs::OpenOptions::new().write(true).open(&path)?.set_len(tail)?;

    let mut session = Session::new(&path, 64);
    session.model = model;
    session.open()?;
    assert_eq!(session.store().recovery_report().uncommitted_bytes, 0);
    session.step(&Operation::Write(3, value))?;
    let changes = session.journal.changes();
    let position = |wanted: fn(&Change) -> bool| {
        changes.iter().position(|(_, change)| wanted(change)).expect("such a change")
    };
    let flush = position(|change| *change == Change::Flush);
    let write = position(|change| matches!(change, Change::Write { .. } | Change::Allocate { .. }));
    assert!(flush < write, "{changes:?}");
    session.check()
}
