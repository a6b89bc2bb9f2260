//! The moments of a recorded history, and what a crash at each one may leave.

use crate::directory::Directory;
use crate::disk::{Disk, Loss};
use crate::journal::{Change, FileId};
use crate::model::Model;
use crate::recorded::Recorded;
use crate::rng::Rng;

/// The moment just before a change to a file, or just after it.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Number of the change.
    pub position: usize,
    /// Whether the change has been made.
    pub is_done: bool,
    /// Whether the change may show in the store, rather than only in a file beside it.
    pub shows: bool,
    /// Whether it is the first change of an operation.
    pub is_first: bool,
    /// The file that changes.
    pub file: FileId,
    /// The change.
    pub change: &'a Change,
    /// The files at this moment.
    pub directory: &'a Directory,
    /// What the store holds without the operation that is in progress, and with it.
    pub states: [&'a Model; 2],
    /// What the store may hold after a loss of power, oldest first.
    pub after_loss: &'a [&'a Model],
}

impl Moment<'_> {
    /// How many bytes the change writes; 0 if it is not a write.
    pub fn written_len(&self) -> usize {
        if let Change::Write { bytes, .. } = self.change { bytes.len() } else { 0 }
    }

    /// The store's file if the process dies when `len` bytes of the next write have been written,
    /// and what the store may hold then. `None` if the change is not a write to the store, has been
    /// made, or is not longer than `len` bytes.
    pub fn within(&self, len: usize) -> Option<(Vec<u8>, &[&Model])> {
        let Change::Write { offset, bytes } = self.change else { return None };
        if self.is_done || !self.shows || len >= bytes.len() {
            return None;
        }
        let image = self.directory.store().seen_with_part(*offset, bytes, len);
        // There are zeros beyond the tail. So if the rest of the write is zeros, the write may be
        // complete.
        let is_whole = bytes[len..].iter().all(|byte| *byte == 0);
        Some((image, &self.states[..if is_whole { 2 } else { 1 }]))
    }

    /// A file that a loss of power at this moment may leave.
    pub fn lose_power(&self, rng: &mut Rng) -> Vec<u8> {
        self.directory.after_power_loss(*rng.pick(&Loss::ALL), rng)
    }
}

impl Recorded {
    /// Calls `visit` with every moment, in order. At the start, the medium holds `disk`, a store
    /// that holds `before`.
    pub fn each_moment(&self, before: &Model, disk: Disk, mut visit: impl FnMut(&Moment<'_>)) {
        let mut directory = Directory::new(disk);
        let mut states = vec![before];
        // A loss of power cannot bring back states before this one.
        let mut oldest = 0;
        let mut step = 0;
        for (position, (file, change)) in self.changes.iter().enumerate() {
            while self.steps[step].end <= position {
                states.push(&self.steps[step].model);
                if self.steps[step].is_flushed {
                    oldest = states.len() - 1;
                }
                step += 1;
            }
            let is_first = position == 0 || self.steps[step].start == position;
            for is_done in [false, true] {
                let mut shows = *file == directory.current();
                if is_done {
                    shows = directory.apply(*file, change);
                    if directory.is_flushed() {
                        // Everything that was acknowledged is on the medium, and so is the step in
                        // progress if its commit has been written.
                        oldest = states.len() - 1;
                    }
                }
                let under_way = &self.steps[step].model;
                let after_loss: Vec<_> =
                    states[oldest..].iter().copied().chain([under_way]).collect();
                visit(&Moment {
                    position,
                    is_done,
                    shows,
                    is_first,
                    file: *file,
                    change,
                    directory: &directory,
                    states: [states[states.len() - 1], under_way],
                    after_loss: &after_loss,
                });
            }
        }
    }
}
