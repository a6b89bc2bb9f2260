//! Recovery cuts off what was not committed, and flushes that, before the first append. A recovery that died between
//! the two left a file that the next one took for complete, and did not flush.

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
    // As that recovery left it.
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
