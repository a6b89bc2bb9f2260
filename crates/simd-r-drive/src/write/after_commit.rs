//! What a commit brings about once it is visible.

use std::io;
use std::sync::Arc;

use super::{CommitBuilder, Writer};
use crate::checkpoint;
use crate::durability::Durability;
use crate::events::{self, QuietGuard};
use crate::shared::{Shared, URGENT_DISTANCE};

/// When this many bytes follow the last barrier, writers flush themselves. This bounds recovery
/// even if the medium is slower than they are.
const HARD_DISTANCE: u64 = 64 << 20;

impl Shared {
    /// Commits what a commit builder holds, with the durability that the store promises. Returns
    /// the new tail.
    ///
    /// # Errors
    /// Those of [`Writer::commit`] and [`Shared::after_commit`].
    pub(crate) fn commit(
        self: &Arc<Self>,
        mut writer: QuietGuard<'_, Writer>,
        commit: &CommitBuilder<'_>,
    ) -> io::Result<u64> {
        let tail = writer.commit(commit)?;
        self.after_commit(writer)?;
        Ok(tail)
    }

    /// Ends a commit: releases the writer's lock, and makes the commit as durable as the store
    /// promises.
    ///
    /// # Errors
    /// Those of the flush, and [`StoreError::Deleted`], at [`Durability::Sync`].
    pub(crate) fn after_commit(self: &Arc<Self>, writer: QuietGuard<'_, Writer>) -> io::Result<()> {
        let append = writer.progress().appends;
        let commit_len = writer.commit_len();
        let distance = writer.barrier_distance();
        let index = &writer.state().index;
        let wants_checkpoint = self.options.automatic_checkpoints && checkpoint::is_due(index);
        let unfrozen = index.unfrozen();
        drop(writer);
        self.pace.keep(commit_len);
        if wants_checkpoint {
            self.start_checkpoint(unfrozen);
        }
        self.background.note(self, distance >= URGENT_DISTANCE);
        if self.options.durability == Durability::Sync {
            self.flush_to(append)?;
            return Ok(self.check_not_deleted()?);
        }
        if distance >= HARD_DISTANCE {
            // The commit stands in any case. A failed flush makes the next write fail.
            if let Err(error) = self.flush_to(append).and_then(|()| self.barrier(false)) {
                events::background_flush_failed(&self.path, &error);
            }
        }
        Ok(())
    }
}
