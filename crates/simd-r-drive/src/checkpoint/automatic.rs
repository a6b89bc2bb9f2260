//! Automatic checkpoints, in a thread of their own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use simd_r_drive_indexer::LayeredIndex;

use crate::events;
use crate::shared::Shared;

/// With fewer writes since the last checkpoint, the open store makes none.
const AUTOMATIC_MIN: u64 = 1 << 15;

/// Nor with fewer writes than this fraction of the hashes in the file: one in 128.
const AUTOMATIC_SHARE: u64 = 128;

/// Whether enough was written since the last checkpoint for another one.
///
/// This keeps what a crash leaves to replay small compared to the store.
#[inline]
pub(crate) fn is_due(index: &LayeredIndex) -> bool {
    index.unfrozen() >= AUTOMATIC_MIN.max(index.frozen_hashes() / AUTOMATIC_SHARE)
}

impl Shared {
    /// Starts a checkpoint, unless one is running.
    pub(crate) fn start_checkpoint(self: &Arc<Self>, unfrozen: u64) {
        let Some(running) = self.checkpoints.begin(unfrozen) else { return };
        let weak = Arc::downgrade(self);
        let run = move || {
            // Dropped last: the store must be released before a caller of `Checkpoints::stop`
            // learns that this is over.
            let running = running;
            running.on_this_thread();
            if let Some(shared) = weak.upgrade() {
                shared.run_checkpoint(unfrozen);
            }
        };
        if let Err(error) = thread::Builder::new().name("simd-r-drive-index".into()).spawn(run) {
            self.checkpoints.failed(unfrozen);
            events::checkpoint_failed(&error);
        }
    }

    fn run_checkpoint(&self, unfrozen: u64) {
        match self.checkpoint_if_alone() {
            Ok(()) => self.checkpoints.succeeded(),
            Err(error) => {
                if !self.checkpoints.is_cancelled().load(Ordering::Relaxed) {
                    events::checkpoint_failed(&error);
                }
                self.checkpoints.failed(unfrozen);
            }
        }
    }

    fn checkpoint_if_alone(&self) -> io::Result<()> {
        // A running compaction makes a checkpoint itself.
        let Some(_one_at_a_time) = self.maintenance.try_begin() else { return Ok(()) };
        self.checkpoint_and_merge(self.checkpoints.is_cancelled())
    }
}
