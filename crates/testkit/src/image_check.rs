//! Checks a file that a crash left.

use std::fs;
use std::io;
use std::path::Path;

use simd_r_drive::RecoveryReport;
use simd_r_drive::traits::DataStoreReader;

use crate::case::Value;
use crate::compare::contents;
use crate::model::{Content, Model};
use crate::operation::Operation;
use crate::session::Session;

/// What a crash image was found to hold.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Index of the allowed state that it holds.
    pub state: usize,
    /// What the writable open reported.
    pub report: RecoveryReport,
}

/// Checks the following:
///
/// - `image` opens, and holds one of the states `allowed`;
/// - a reader finds the same contents and changes nothing;
/// - what recovery cuts off is saved first, and counted;
/// - opening what recovery left gives the same contents again;
/// - the store then accepts writes and a checkpoint, and keeps them.
///
/// # Errors
/// Any error of the store.
///
/// # Panics
/// If a check fails.
pub fn check_image(
    directory: &Path,
    image: &[u8],
    alignment: u64,
    allowed: &[&Model],
) -> io::Result<Checked> {
    let path = directory.join("image.srd");
    let again = directory.join("again.srd");
    fs::write(&path, image)?;

    let mut session = Session::new(&path, alignment);
    let read_only = session.reader().ok().map(|reader| contents(&reader)).transpose()?;
    assert!(session.journal.is_empty(), "a reader changes nothing");

    let report = session.open()?.recovery_report().clone();
    let content = contents(session.store())?;
    let state = state_of(&content, allowed);
    session.model = allowed[state].clone();
    assert_eq!(content.len(), session.store().len()?);
    match read_only {
        Some(read_only) => assert_eq!(read_only, content, "a reader finds the same"),
        None => assert!(report.is_new, "a reader refuses only what is not a store yet"),
    }
    check_cut(image, &path, &report)?;

    fs::copy(&path, &again)?;
    let mut second = Session::new(&again, alignment);
    let second_report = second.open()?.recovery_report().clone();
    assert_eq!(contents(second.store())?, content, "opened twice");
    assert_eq!(second_report.uncommitted_bytes, 0, "cut once and for all");
    assert_eq!(second_report.tail, report.tail);
    second.kill();

    session.check()?;
    let value = Value { len: 100, seed: 9 };
    session.step(&Operation::Write(1, value))?;
    session.step(&Operation::BatchWrite(vec![(2, value), (0, Value { len: 0, seed: 1 })]))?;
    session.step(&Operation::Checkpoint)?;
    session.drop_store();
    let reopened = session.open()?;
    assert!(reopened.recovery_report().is_index_used);
    assert!(reopened.recovery_report().was_clean, "{:?}", reopened.recovery_report());
    session.check()?;
    session.kill();
    if let Some(saved) = &report.saved_to {
        fs::remove_file(saved)?;
    }
    Ok(Checked { state, report })
}

/// Index of the newest allowed state with this content.
fn state_of(content: &Content, allowed: &[&Model]) -> usize {
    let state = allowed.iter().rposition(|model| model.content() == *content);
    state.unwrap_or_else(|| {
        let lens: Vec<usize> = allowed.iter().map(|model| model.len()).collect();
        panic!("{} entries, unlike any state (of {lens:?} entries)", content.len())
    })
}

/// Checks that what was beyond the tail has been counted and cut off, and was saved first, byte for
/// byte.
fn check_cut(image: &[u8], path: &Path, report: &RecoveryReport) -> io::Result<()> {
    let data_end = image.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let tail = report.tail as usize;
    let beyond = image.get(tail..data_end).unwrap_or_default();
    assert_eq!(report.uncommitted_bytes, beyond.len() as u64);
    match &report.saved_to {
        None => assert!(beyond.is_empty(), "cut off and not saved"),
        Some(saved) => {
            assert_eq!(fs::read(saved)?, beyond);
            assert_eq!(fs::metadata(path)?.len(), report.tail);
        }
    }
    Ok(())
}
