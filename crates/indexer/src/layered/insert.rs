//! Insertion into the newest layer.

use std::num::NonZeroUsize;
use std::panic;
use std::thread;

use super::find::Sought;
use super::{BATCH, Layer, LayeredIndex};
use crate::filter::Filter;
use crate::frozen::{Failure, Held};
use crate::indexer::KeyIndexer;
use crate::insert::Insertion;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, RebuildSource};
use crate::version::Version;

/// How many slots [`LayeredIndex::fill`] inserts in one step.
const STEP: usize = 1024;

/// With fewer slots, starting a thread takes longer than it saves.
const THREAD_MIN: usize = 1 << 14;

/// More threads wait for one another, and for memory.
const THREADS_MAX: usize = 4;

impl LayeredIndex {
    /// Inserts what a log holds beyond the tables, in log order, into an index that nobody else knows yet. Each of up to
    /// four threads inserts the hashes of one range.
    ///
    /// # Errors
    ///
    /// What the source returns. Part of the slots is in the index then.
    pub fn fill<S>(&self, items: &[Insertion], source: &S) -> Result<(), S::Error>
    where
        S: RebuildSource + Sync + ?Sized,
        S::Error: Send,
    {
        self.reserve(items.len());
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let parts = cores.min(THREADS_MAX).min(items.len() / THREAD_MIN).max(1);
        let new_hashes = thread::scope(|scope| {
            let others: Vec<_> = (1..parts)
                .map(|part| {
                    let fill = move || self.fill_part(items, (part, parts), source);
                    (part, thread::Builder::new().spawn_scoped(scope, fill))
                })
                .collect();
            let first = self.fill_part(items, (0, parts), source);
            others.into_iter().fold(first, |sum, (part, thread)| {
                let more = match thread {
                    Ok(thread) => thread.join().unwrap_or_else(|cause| panic::resume_unwind(cause)),
                    // There is no other thread to be had.
                    Err(_) => self.fill_part(items, (part, parts), source),
                };
                Ok(sum? + more?)
            })
        })?;
        Layer::count(&self.active.inserted, items.len() as u64);
        Layer::count(&self.active.new_hashes, new_hashes);
        Ok(())
    }

    /// Inserts the items whose hashes fall into one part of several. Returns how many of these no layer held.
    fn fill_part<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        (part, parts): (usize, usize),
        source: &S,
    ) -> Result<u64, S::Error> {
        let part_of = |hash| (u128::from(self.mixer.mix(hash)) * parts as u128) >> u64::BITS;
        let mut mine = items.iter().filter(|item| part_of(item.hash) == part as u128);
        let mut step = Vec::with_capacity(STEP);
        let mut new_hashes = 0;
        loop {
            step.clear();
            step.extend(mine.by_ref().take(STEP));
            if step.is_empty() {
                return Ok(new_hashes);
            }
            new_hashes += self.make_all_whole(&step, source)?;
            self.active.index.insert_batch(&step, source)?;
        }
    }

    /// See [`KeyIndexer::insert_batch`]. The same as [`prepare`](Self::prepare) and
    /// [`insert_prepared`](Self::insert_prepared).
    ///
    /// # Errors
    ///
    /// What the source returns. Nothing of the commit is in the index then.
    pub fn insert_batch<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        self.prepare(items, source)?;
        self.insert_prepared(items, source)
    }

    /// Does the part of an insertion that reads older slots, and so can meet damage: before the commit is written,
    /// since it cannot be taken back afterwards. Changes no answer. Where the items' slots end is not needed yet.
    ///
    /// # Errors
    ///
    /// What the source returns.
    pub fn prepare<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        let new_hashes = self.make_all_whole(items, source)?;
        Layer::count(&self.active.new_hashes, new_hashes);
        Ok(())
    }

    /// [`copy_up`](Self::copy_up) for many items. Returns how many of their hashes no layer holds.
    fn make_all_whole<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<u64, S::Error> {
        let Some(filter) = &self.active.filter else { return Ok(0) };
        let mut new_hashes = 0;
        for chunk in items.chunks(BATCH) {
            for item in chunk.iter().filter(|item| chunk.len() > 1 && !item.is_new) {
                self.prefetch(item.hash);
            }
            for item in chunk {
                let is_new = if item.is_new {
                    self.note(filter, self.mixer.mix(item.hash));
                    true
                } else {
                    self.copy_up(item, filter, source)?
                };
                new_hashes += u64::from(is_new);
            }
        }
        Ok(new_hashes)
    }

    /// Lets look-ups of a hash pass to the live layer.
    #[inline]
    fn note(&self, filter: &Filter, mixed: u64) {
        filter.insert(mixed);
        for filter in self.recent.iter().chain(&self.coming) {
            filter.insert(mixed);
        }
    }

    /// Inserts the slots of a commit that was [prepared](Self::prepare), with nothing inserted in between.
    ///
    /// # Errors
    ///
    /// What the source returns. Nothing of the commit is in the index then.
    pub fn insert_prepared<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        Layer::count(&self.active.inserted, items.len() as u64);
        self.active.index.insert_batch(items, source)
    }

    /// Sees to it that the live layer will hold all lines of a hash, not only the one that is about to be inserted.
    /// Returns whether no layer holds the hash.
    fn copy_up<S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        filter: &Filter,
        source: &S,
    ) -> Result<bool, S::Error> {
        let one = self.sought_one(item.hash);
        if self.active.locate(item.hash, one).is_some() {
            return Ok(false);
        }
        let mut is_new = false;
        let lines = match self.locate_sealed(item.hash, one) {
            Some((_, location)) if item.replaces != 0 && location.end() == item.replaces => {
                // The only line of the hash, and the one that goes on.
                Vec::new()
            }
            Some((index, _)) => lines_of(index, item.hash, source)?,
            None => {
                let lines = self.frozen_lines(item, one, source)?;
                is_new = lines.is_none();
                lines.unwrap_or_default()
            }
        };
        // Before the lines: who finds them must not be kept away from what comes after them.
        self.note(filter, one.mixed);
        self.active.index.adopt(item.hash, &lines);
        Ok(is_new)
    }

    /// The lines of a hash that the table holds, but for the one that `item` goes on with if that is the only one;
    /// `None` if it holds none.
    fn frozen_lines<'s, S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        one: Sought,
        source: &'s S,
    ) -> Result<Option<Vec<(ChainKey<'s>, PackedSlot)>>, S::Error> {
        let hash = item.hash;
        Self::ask_frozen(
            self.tables(one),
            source,
            |table| {
                if item.replaces != 0 && table.is_single(one.mixed, item.replaces)? {
                    return Ok(Some(Some(Vec::new())));
                }
                let slot = |version: Version, is_bare| {
                    PackedSlot::new(hash, version.end, version.is_tombstone, is_bare)
                };
                Ok(match table.held(hash, one.mixed, source)? {
                    None => None,
                    Some(Held::Single { version, identity }) => {
                        Some(Some(vec![(identity, slot(version, identity == ChainKey::Bare))]))
                    }
                    Some(Held::Group(record)) => {
                        let mut lines = Vec::with_capacity(record.keyed_count());
                        for member in record.keyed()? {
                            let found = source.slot(member.end).map_err(Failure::Source)?;
                            let Version { end, is_tombstone } =
                                Version { end: member.end, is_tombstone: member.is_tombstone };
                            lines
                                .push((found.identity, slot(Version { end, is_tombstone }, false)));
                        }
                        lines.extend(record.bare.map(|bare| (ChainKey::Bare, slot(bare, true))));
                        Some(Some(lines))
                    }
                })
            },
            |index| match index.locate(hash) {
                None => Ok(None),
                Some(_) => lines_of(index, hash, source).map(Some),
            },
        )
    }
}

/// All lines of a hash.
fn lines_of<'s, S: RebuildSource + ?Sized>(
    index: &KeyIndexer,
    hash: u64,
    source: &'s S,
) -> Result<Vec<(ChainKey<'s>, PackedSlot)>, S::Error> {
    let slots = index.lines(hash).into_iter();
    slots
        .map(|slot| {
            let identity =
                if slot.is_bare() { ChainKey::Bare } else { source.slot(slot.end())?.identity };
            Ok((identity, slot))
        })
        .collect()
}
