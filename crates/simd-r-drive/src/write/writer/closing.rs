//! Barriers, hints, and closing.

use std::io;

use simd_r_drive_entry_handle::{Barrier, BarrierTables, Checkpoint, FormatError, Seal};
use simd_r_drive_writer::PoisonCause;

use super::Writer;
use crate::events;
use crate::log::{Delta, LogPosition, Totals, checkpoint_at, write_hints};

impl Writer {
    fn next_barrier(&self) -> Barrier {
        let Totals { live_keys, dead_slots, dead_bytes, .. } = self.totals;
        let index = &self.state().index;
        let ends: Vec<u64> = index.frozen().map(|table| table.end()).collect();
        let all_hashes = index.frozen_hashes();
        // A barrier that named more would be no barrier. Plans keep the number of tables lower.
        let tables = (1..=Barrier::MAX_TABLES).contains(&ends.len()).then_some(BarrierTables {
            dead_slots,
            all_hashes,
            ends,
        });
        let LogPosition { end: durable_tail, seal: Seal(durable_seal) } = self.durable;
        Barrier { durable_tail, durable_seal, live_keys, dead_bytes, tables }
    }

    /// Appends a barrier that names the durable point and the tables in use.
    pub(crate) fn append_barrier(&mut self) -> io::Result<()> {
        let barrier = self.next_barrier();
        let len = self.log.layout.slot_len(barrier.payload_len(), 0)?;
        self.make_room(len)?;
        let end = self.appender.append_barrier(&barrier);
        let end = self.appended(end)?;
        self.publish(end, Delta::default(), |_| Ok(()))?;
        self.barrier_end = end;
        self.tables.named_by = end;
        self.barriers += 1;
        Ok(())
    }

    /// Writes the durable point and the published tail into the header. These are hints: if they
    /// fail to reach the medium, only the next open takes longer.
    pub(crate) fn write_hints(&mut self, is_clean: bool) -> io::Result<()> {
        self.checkpoint_sequence += 1;
        let (sequence, named_by) = (self.checkpoint_sequence, self.tables.named_by);
        let is_copying = self.durable.end < self.copied_until;
        let checkpoint = checkpoint_at(sequence, self.durable, named_by);
        let checkpoint = Checkpoint { is_clean, is_copying, ..checkpoint };
        write_hints(&*self.log.file, &self.log.identity, &checkpoint, self.tail())
    }

    /// Flushes, appends a barrier, trims the file, marks it clean and unlocks it. A second call
    /// does nothing.
    ///
    /// With `has_checkpoints`, also makes a checkpoint if enough was written since the last one.
    pub(crate) fn close(&mut self, has_checkpoints: bool) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        self.is_closed = true;
        let result = self.write_clean_end(has_checkpoints);
        self.appender.poison(PoisonCause::Closed);
        // A handle that outlives the store keeps the file open. It must not keep the file locked.
        result.and(self.log.file.unlock())
    }

    fn write_clean_end(&mut self, has_checkpoints: bool) -> io::Result<()> {
        self.check()?;
        if self.remains.is_some() {
            // The next open tries again to save the remains.
            return Ok(());
        }
        let is_trimmed = self.appender.allocated() == self.tail();
        if self.is_clean && is_trimmed {
            return Ok(());
        }
        let mut reserved = None;
        if has_checkpoints && self.is_worth_checkpoint() {
            // Without the checkpoint, only the next open takes longer.
            reserved = self.checkpoint_alone().inspect_err(events::checkpoint_failed).ok();
        }
        // The table too must be on the medium before a barrier names it.
        self.flush()?;
        let ends_with_barrier = self.barriers > 0 && self.barrier_distance() == 0;
        if !ends_with_barrier && let Err(error) = self.append_barrier() {
            self.check()?;
            // The header names the durable point too. A full disk costs no more than the barrier.
            events::barrier_not_written(&error);
        }
        self.appender.trim()?;
        self.flush()?;
        self.write_hints(true)?;
        if let Some(reserved) = reserved {
            let result = reserved.give_back(&self.needed_tables());
            // Space that cannot be trimmed does no harm.
            let _ = result.inspect_err(events::space_not_given_back);
        }
        Ok(())
    }

    /// Makes everything durable and records that in the header, and also in a barrier if the log
    /// then stays shorter than `most`. For a new file that is about to be shown to readers.
    pub(crate) fn finish_new(&mut self, most: u64) -> io::Result<()> {
        self.flush()?;
        if self.tail_after_barrier()? <= most {
            self.append_barrier()?;
            // The hints lead to the tables through the barrier.
            self.flush()?;
        }
        self.write_hints(false)
    }

    /// The tail that the log would have after a barrier.
    pub(crate) fn tail_after_barrier(&self) -> Result<u64, FormatError> {
        let payload_len = self.next_barrier().payload_len();
        self.appender.tail_after(self.log.layout.slot_len(payload_len, 0)?)
    }
}
