//! A history of a store, with everything that was done to its file.

use std::io;
use std::path::Path;

use crate::faults::Rule;
use crate::journal::{Change, FileId};
use crate::model::Model;
use crate::operation::Operation;
use crate::session::Session;

/// One operation of a recorded history, or a part of one that was acknowledged on its own.
#[derive(Debug, Clone)]
pub struct Step {
    /// How many changes there were before it.
    pub start: usize,
    /// How many changes there were when it returned.
    pub end: usize,
    /// Whether it promised that everything before it is on the medium.
    pub is_flushed: bool,
    /// What the store holds afterwards.
    pub model: Model,
}

/// A recorded history. The first step opens the store.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What was done to the file.
    pub changes: Vec<(FileId, Change)>,
    /// By which operation.
    pub steps: Vec<Step>,
}

impl Recorded {
    /// Opens (or creates) the store at `path`, which holds `model`, and does `operations`, with a fault from
    /// the first operation on. An operation that fails because of it must have had no effect, and is not
    /// tried again; a store that takes no more writes is opened again.
    ///
    /// # Errors
    /// The store's, without a fault.
    ///
    /// # Panics
    /// If store and model do not agree.
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
            // A compaction's commits are steps of their own: each is acknowledged when it returns.
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
