//! The last byte of a trailer belongs to a hash, so once in 256 times it is zero. Recovery once
//! took the last nonzero byte for the end of what it may read, and failed with `UnexpectedEof` on
//! the last slot.

use std::io;

use simd_r_drive_testkit::{Operation, Session, Value};

#[test]
fn a_killed_store_opens_whatever_its_last_byte_is() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let mut session = Session::new(&path, 64);
    let mut zeros = 0;
    let mut writes = 0;
    while zeros < 3 && writes < 10_000 {
        session.step(&Operation::Write(1, Value { len: 8, seed: 1 }))?;
        let tail = session.store().stats().tail as usize;
        let file = std::fs::read(&path)?;
        if file[tail - 1] == 0 {
            zeros += 1;
            session.step(&Operation::KillAndReopen)?;
            session.check()?;
            assert_eq!(session.store().recovery_report().uncommitted_bytes, 0);
        }
        writes += 1;
        if writes % 50 == 0 {
            session.step(&Operation::CloseAndReopen)?;
        }
    }
    assert_ne!(zeros, 0, "no such trailer in {writes} writes");
    Ok(())
}
