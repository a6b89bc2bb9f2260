//! The copying part of a compaction: the newest version of each chain in a stretch of the log.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use simd_r_drive_entry_handle::{Kind, MappedSlot, verify_slot};
use simd_r_drive_indexer::ChainKey;

use super::CompactionProgress;
use crate::events;
use crate::log::{ReadState, chain_of};
use crate::write::{CommitBuilder, Writer};

/// Bytes of slots copied per commit.
const COPY_LEN: u64 = 1 << 20;

/// Entries copied per commit.
const COPY_ENTRIES: usize = 4096;

/// The new file is flushed each time this many bytes have been copied, to keep the last flush
/// short: writers wait for it.
pub(crate) const FLUSH_DISTANCE: u64 = 64 << 20;

/// The log is walked backward but copied forward. It is cut into stretches of about this many
/// bytes, and only the chains of one stretch are remembered at a time.
const STRETCH_LEN: u64 = 16 << 20;

/// A compaction in progress.
pub(super) struct Compaction<'a> {
    pub(super) source: Arc<ReadState>,
    pub(super) target: Writer,
    /// `None` where no foreign code may run.
    pub(super) progress: Option<&'a mut dyn FnMut(CompactionProgress) -> ControlFlow<()>>,
}

impl Compaction<'_> {
    /// Copies what is live now. Returns the tail as of which that is.
    pub(super) fn copy_live(&mut self) -> io::Result<u64> {
        let source = Arc::clone(&self.source);
        let tail = source.publication.tail();
        source.forget_checks();
        self.copy_newest(source.layout.header_len(), tail, |slot, chain| {
            if slot.fields().kind != Kind::Value {
                return Ok(false);
            }
            source.index.is_current(chain.hash, slot.end, chain.identity, tail, &*source.log)
        })?;
        Ok(tail)
    }

    /// Brings the new file from the state of the log at `from` to that at `to`. Both are ends of
    /// commits.
    ///
    /// Readers do not see the new file yet, so intermediate states do not matter: a key written
    /// several times is copied once, and many commits become one.
    pub(super) fn catch_up(&mut self, from: u64, to: u64) -> io::Result<()> {
        self.copy_newest(from, to, |_, _| Ok(true))
    }

    /// Copies the newest slot of each chain that `is_wanted`, stretch by stretch of `(from, to]`.
    fn copy_newest(
        &mut self,
        from: u64,
        to: u64,
        is_wanted: impl Fn(&MappedSlot<'_>, Chain<'_>) -> io::Result<bool>,
    ) -> io::Result<()> {
        let source = Arc::clone(&self.source);
        for stretch in stretches(&source, from, to)?.windows(2).rev() {
            let mut seen = HashSet::new();
            let mut slots = Vec::new();
            for_each_slot_backward(&source, stretch[0], stretch[1], |slot| {
                let fields = slot.fields();
                if !fields.kind.is_keyed() {
                    return Ok(());
                }
                let (hash, identity) = chain_of(fields.is_bare(), slot.key());
                let chain = Chain { hash, identity };
                // A writer that keeps overwriting one key makes a long chain. It is followed only
                // once.
                if seen.insert(chain) && is_wanted(slot, chain)? {
                    slots.push(slot.start..slot.end);
                }
                Ok(())
            })?;
            slots.reverse();
            self.copy_slots(&source, &slots, to)?;
        }
        Ok(())
    }

    /// Copies slots of different chains, many per commit.
    fn copy_slots(
        &mut self,
        source: &ReadState,
        slots: &[Range<u64>],
        total: u64,
    ) -> io::Result<()> {
        let mut rest = slots;
        while let Some(first) = rest.first() {
            let mut len = first.end - first.start;
            let fits = |slot: &&Range<u64>| {
                len += slot.end - slot.start;
                len <= COPY_LEN
            };
            let count = 1 + rest[1..].iter().take(COPY_ENTRIES - 1).take_while(fits).count();
            let (chunk, later) = rest.split_at(count);
            copy_chains(source, chunk, &mut self.target)?;
            if self.target.unflushed() >= FLUSH_DISTANCE {
                self.target.flush()?;
            }
            rest = later;
            self.report(chunk[count - 1].end, total)?;
        }
        Ok(())
    }

    fn report(&mut self, done_bytes: u64, total_bytes: u64) -> io::Result<()> {
        let Some(progress) = &mut self.progress else { return Ok(()) };
        let now = CompactionProgress { done_bytes, total_bytes };
        events::compaction_progressed(now);
        match progress(now) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

/// A key, or a bare hash.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Chain<'a> {
    hash: u64,
    identity: ChainKey<'a>,
}

impl Hash for Chain<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The hash is enough: it stands for the key.
        self.hash.hash(state);
    }
}

/// Cuts `(from, to]` into stretches: ends of commits, newest first, followed by `from`.
fn stretches(source: &ReadState, from: u64, to: u64) -> io::Result<Vec<u64>> {
    let mut cuts = vec![to];
    let mut last_cut = to;
    for_each_slot_backward(source, to, from, |slot| {
        if slot.fields().is_commit() && last_cut - slot.end >= STRETCH_LEN {
            cuts.push(slot.end);
            last_cut = slot.end;
        }
        Ok(())
    })?;
    cuts.push(from);
    Ok(cuts)
}

/// Calls `visit` with the slots of `(from, to]`, newest first.
fn for_each_slot_backward<'s>(
    source: &'s ReadState,
    to: u64,
    from: u64,
    mut visit: impl FnMut(&MappedSlot<'s>) -> io::Result<()>,
) -> io::Result<()> {
    let mut end = to;
    while end > from {
        let slot = source.slot_at(end)?;
        source.check_seal(&slot)?;
        visit(&slot)?;
        end = slot.start;
    }
    Ok(())
}

/// Checks slots of different chains and writes them to another file as one commit. They keep their
/// write times.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) if a slot is not as it was written.
fn copy_chains(source: &ReadState, slots: &[Range<u64>], target: &mut Writer) -> io::Result<()> {
    let state = target.state();
    let mut commit = CommitBuilder::new(&state, slots.len());
    for slot in slots {
        let slot = source.slot_at(slot.end)?;
        verify_slot(&slot, &source.layout)?;
        let fields = slot.fields();
        let (hash, identity) = chain_of(fields.is_bare(), slot.key());
        commit.stamp(fields.written_at);
        if fields.kind == Kind::Value {
            commit.put_chain(hash, identity, slot.key(), slot.payload())?;
        } else {
            commit.remove_chain(hash, identity)?;
        }
    }
    target.commit(&commit).map(drop)
}
