//! Whatever goes wrong in a commit, the log is unchanged, or refuses further writes.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use simd_r_drive_entry_handle::constants::{MAX_KEY_LEN, MAX_PAYLOAD_LEN};
use simd_r_drive_entry_handle::{Alignment, FormatError, LogCursor};
use simd_r_drive_writer::{Appender, PoisonCause, WriteError};

use crate::support::{Faults, MemoryFile, empty_log, identity, value};

/// Two direct writes and the rest: three writes in all.
const LARGE: usize = 300 << 10;

/// Everything beyond the tail is zero, and the log below it is whole and has `slots` slots.
fn check(file: &MemoryFile, log: &Appender, slots: usize) {
    let bytes = file.bytes().clone();
    let tail = log.tail() as usize;
    assert!(bytes[tail..].iter().all(|byte| *byte == 0), "something stands beyond the tail");
    let layout = identity(Alignment::DEFAULT).layout();
    let newest = Some(log.tail_seal().self_half());
    let mut cursor = LogCursor::new(&bytes[..], layout, log.tail(), newest);
    let mut count = 0;
    while cursor.previous().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, slots);
}

#[test]
fn a_commit_that_finds_no_space_is_cut_off_again() {
    for writes in 0..3 {
        let (file, _, mut log) = empty_log(Alignment::DEFAULT);
        let first = log.append(&[value(b"first", b"1")]).unwrap();
        file.faults().writes_left = Some(writes);
        let error = log.append(&[value(b"large", &vec![7; LARGE])]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(log.tail(), first);
        file.heal();
        check(&file, &log, 1);
        assert_eq!(file.bytes().len() as u64, first, "the file was cut to the tail");
        log.append(&[value(b"second", b"2")]).unwrap();
        check(&file, &log, 2);
    }
}

#[test]
fn where_the_file_cannot_be_cut_zeros_are_written() {
    let (file, _, mut log) = empty_log(Alignment::DEFAULT);
    // If the reader ends early, the commit fails after its payload has been written, without a
    // failed write.
    file.faults().set_len_fails = true;
    let payload = vec![7; 3 << 20];
    let entry = value(b"stream", b"");
    let len = payload.len() as u64 + 1;
    let error = log.append_from(&[], &entry, &mut &payload[..], len, None).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    check(&file, &log, 0);
    log.append(&[value(b"second", b"2")]).unwrap();
    check(&file, &log, 1);
}

#[test]
fn what_cannot_be_undone_ends_writing() {
    let (file, _, mut log) = empty_log(Alignment::DEFAULT);
    let first = log.append(&[value(b"first", b"1")]).unwrap();
    *file.faults() = Faults { writes_left: Some(1), set_len_fails: true, ..Faults::default() };
    // The commit's own error is reported first.
    let error = log.append(&[value(b"large", &vec![7; LARGE])]).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    file.heal();
    for _ in 0..2 {
        let error = log.append(&[value(b"second", b"2")]).unwrap_err();
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        let cause = PoisonCause::RollbackFailed;
        assert!(matches!(inner, Some(WriteError::Poisoned { cause: c }) if *c == cause), "{error}");
        assert!(log.trim().is_err());
    }
    assert_eq!(log.tail(), first);
}

#[test]
fn a_panic_in_a_stream_is_undone_by_the_next_commit() {
    struct Bomb(usize);
    impl io::Read for Bomb {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).expect("on purpose");
            buffer.fill(7);
            Ok(buffer.len())
        }
    }

    let (file, _, mut log) = empty_log(Alignment::DEFAULT);
    file.faults().allocate_fails = Some(io::ErrorKind::Unsupported);
    let entry = value(b"stream", b"");
    let result = catch_unwind(AssertUnwindSafe(|| {
        log.append_from(&[], &entry, &mut Bomb(1000), 1 << 40, None)
    }));
    assert!(result.is_err());
    log.append(&[value(b"first", b"1")]).unwrap();
    check(&file, &log, 1);
}

#[test]
fn short_and_interrupted_writes_are_continued() {
    let payload: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    let entries = [value(b"a", b"small"), value(b"b", &payload), value(b"c", b"")];
    let (expected, _, mut log) = empty_log(Alignment::DEFAULT);
    log.append(&entries).unwrap();
    let (file, _, mut log) = empty_log(Alignment::DEFAULT);
    *file.faults() = Faults { write_len_max: Some(1000), interrupts: true, ..Faults::default() };
    log.append(&entries).unwrap();
    assert!(*file.bytes() == *expected.bytes());
}

#[test]
fn writes_go_on_where_no_space_can_be_allocated_ahead() {
    for kind in [io::ErrorKind::Unsupported, io::ErrorKind::StorageFull] {
        let (file, _, mut log) = empty_log(Alignment::DEFAULT);
        file.faults().allocate_fails = Some(kind);
        let tail = log.append(&[value(b"first", b"1")]).unwrap();
        assert_eq!(log.allocated(), tail);
        assert_eq!(file.bytes().len() as u64, tail);
        check(&file, &log, 1);
    }
}

#[test]
fn limits_are_checked_before_the_first_byte() {
    let (file, _, mut log) = empty_log(Alignment::DEFAULT);
    let before = file.bytes().clone();
    let long = vec![b'k'; MAX_KEY_LEN + 1];
    let refused = log.append(&[value(b"good", b"1"), value(&long, b"2")]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    let mut never_read = io::empty();
    for len in [MAX_PAYLOAD_LEN + (1 << 20), 1 << 48, u64::MAX] {
        let entry = value(b"stream", b"");
        let refused = log.append_from(&[], &entry, &mut never_read, len, None).unwrap_err();
        let inner = refused.get_ref().and_then(|inner| inner.downcast_ref());
        assert!(matches!(inner, Some(FormatError::StoreFull { .. })), "{len}: {refused}");
    }
    assert!(*file.bytes() == before);
    log.append(&[value(&long[1..], b"1")]).unwrap();
    check(&file, &log, 1);
}

#[test]
fn empty_commits_change_nothing_and_trim_gives_back() {
    let (file, layout, mut log) = empty_log(Alignment::DEFAULT);
    assert_eq!(log.append(&[]).unwrap(), layout.header_len());
    let tail = log.append(&[value(b"first", b"1")]).unwrap();
    assert!(log.allocated() > tail);
    log.trim().unwrap();
    assert_eq!(file.bytes().len() as u64, tail);
    log.append(&[value(b"second", b"2")]).unwrap();
    check(&file, &log, 2);
}
