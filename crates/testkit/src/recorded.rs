//! A history of a store, with every change to its files.

use std::io;
use std::path::Path;

use crate::faults::Rule;
use crate::journal::{Change, FileId};
use crate::model::Model;
use crate::operation::Operation;
use crate::session::Session;

/// An operation of a recorded history, or a part of one that was acknowledged by itself.
#[derive(Debug, Clone)]
pub struct Step {
    /// Number of changes before the step.
    pub start: usize,
    /// Number of changes when the step returned.
    pub end: usize,
    /// Whether the step promised that everything up to its end is on the medium.
    pub is_flushed: bool,
    /// What the store holds after the step.
    pub model: Model,
}

/// A recorded history. The first step opens the store.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The changes to the files, in order.
    pub changes: Vec<(FileId, Change)>,
    /// The steps that made them.
    pub steps: Vec<Step>,
}

impl Recorded {
    /// Opens or creates the store at `path`, which holds `model`, and performs `operations`.
    /// `fault` applies from the first operation on. An operation that it makes fail must have had
    /// no effect, and is not repeated. A store that refuses writes afterwards is opened again.
    ///
    /// # Errors
    /// Any error of the store that is not caused by `fault`.
    ///
    /// # Panics
    /// If the store and the model differ.
    pub fn run(
        path: &Path,
        alignment: u64,
        model: Model,
        operations: &[Operation],
        fault: Option<Rule>,
    ) -> io::Result<Self> {
        let mut session = Session::new(path, alignment);
        session.model = model;
        session.open()?;
        let mut steps = vec![session.recorded(0, false)];
        if let Some(rule) = fault {
            session.faults.arm(rule);
        }
        for operation in operations {
            let mut start = session.journal.len();
            let result = session.step(operation);
            let is_flushed = result.is_ok() && operation.flushes();
            // The commits during a compaction are steps of their own: each is acknowledged when it
            // returns.
            for (end, model) in std::mem::take(&mut session.acknowledged) {
                steps.push(Step { start, end, is_flushed: false, model });
                start = end;
            }
            if let Err(error) = result {
                if session.faults.struck().is_empty() {
                    return Err(error);
                }
                session.faults.heal();
                if session.open().is_err() || session.store().sync().is_err() {
                    session.kill();
                }
                session.open()?;
            }
            steps.push(session.recorded(start, is_flushed));
        }
        session.check()?;
        let changes = session.journal.changes();
        session.kill();
        Ok(Self { changes, steps })
    }
}

impl Session {
    fn recorded(&self, start: usize, is_flushed: bool) -> Step {
        Step { start, end: self.journal.len(), is_flushed, model: self.model.clone() }
    }
}
