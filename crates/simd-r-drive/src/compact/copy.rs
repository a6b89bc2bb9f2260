//! What a compaction copies: of each chain, the newest version in a stretch of the log.

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

/// How many bytes of slots are copied in one commit.
const COPY_LEN: u64 = 1 << 20;

/// How many entries are copied in one commit.
const COPY_ENTRIES: usize = 4096;

/// The new file is flushed whenever this many bytes have been copied, so that the last flush, for which
/// writers wait, is short.
pub(crate) const FLUSH_DISTANCE: u64 = 64 << 20;

/// The log is walked backward, but copied forward: it is cut into stretches of about this many bytes, whose
/// chains are remembered one stretch at a time.
const STRETCH_LEN: u64 = 16 << 20;

/// A file on its way to another one.
pub(super) struct Compaction<'a> {
    pub(super) source: Arc<ReadState>,
    pub(super) target: Writer,
    /// `None` where no code of others may run.
    pub(super) progress: Option<&'a mut dyn FnMut(CompactionProgress) -> ControlFlow<()>>,
}

impl Compaction<'_> {
    /// Copies what is live as of now. Returns the tail up to which that is.
    pub(super) fn copy_live(&mut self) -> io::Result<u64> {
        let source = Arc::clone(&self.source);
        let tail = source.publication.tail();
        self.copy_newest(source.layout.header_len(), tail, |slot, chain| {
            if slot.trailer.fields.kind != Kind::Value {
                return Ok(false);
            }
            source.index.is_current(chain.hash, slot.end, chain.identity, tail, &*source.log)
        })?;
        Ok(tail)
    }

    /// Brings the new file from the state that the log had at `from`, the end of a commit, to that of `to`, another one.
    ///
    /// Nobody has seen the new file yet, so that the states between do not matter: what was written several times is
    /// copied once, and many commits become one.
    pub(super) fn catch_up(&mut self, from: u64, to: u64) -> io::Result<()> {
        self.copy_newest(from, to, |_, _| Ok(true))
    }

    /// Copies, stretch by stretch of `(from, to]`, the newest slot of each chain that `is_wanted`.
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
                let fields = &slot.trailer.fields;
                if !fields.kind.is_keyed() {
                    return Ok(());
                }
                let (hash, identity) = chain_of(fields.is_bare(), slot.key());
                let chain = Chain { hash, identity };
                // Whoever writes one key over and over makes a long chain of versions, which is followed once.
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

    /// Copies slots of different chains, many in a commit.
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

/// A key, or a hash that was written without one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Chain<'a> {
    hash: u64,
    identity: ChainKey<'a>,
}

impl Hash for Chain<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // It stands for the key.
        self.hash.hash(state);
    }
}

/// Cuts `(from, to]` into stretches: the ends of commits, newest first, and last `from`.
fn stretches(source: &ReadState, from: u64, to: u64) -> io::Result<Vec<u64>> {
    let mut cuts = vec![to];
    let mut last_cut = to;
    for_each_slot_backward(source, to, from, |slot| {
        if slot.trailer.fields.is_commit() && last_cut - slot.end >= STRETCH_LEN {
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
        let (_, slot) = source.mapped_slot(end)?;
        visit(&slot)?;
        end = slot.start;
    }
    Ok(())
}

/// Writes slots of different chains to another file, as one commit, after checking them. They keep the time at which
/// they were written.
///
/// # Errors
/// [`FormatError::Damaged`](crate::FormatError::Damaged) if a slot is not as it was written.
fn copy_chains(source: &ReadState, slots: &[Range<u64>], target: &mut Writer) -> io::Result<()> {
    let state = target.state();
    let mut commit = CommitBuilder::new(&state, slots.len());
    for slot in slots {
        let (_, slot) = source.mapped_slot(slot.end)?;
        verify_slot(&slot, &source.layout)?;
        let fields = &slot.trailer.fields;
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
