//! Insertion into the active layer.

use std::num::NonZeroUsize;
use std::panic;
use std::thread;

use super::{BATCH, Layer, LayeredIndex};
use crate::filter::Filter;
use crate::frozen::{Checks, Failure, Held};
use crate::indexer::KeyIndexer;
use crate::insert::Insertion;
use crate::packed_slot::PackedSlot;
use crate::rebuild_source::RebuildSource;
use crate::slot_source::{ChainKey, Slot as _};
use crate::version::Version;

/// The number of slots [`LayeredIndex::fill`] inserts at a time.
const STEP: usize = 1024;

/// With fewer slots, starting a thread takes longer than it saves.
const THREAD_MIN: usize = 1 << 14;

/// More threads would wait for one another, and for memory.
const THREADS_MAX: usize = 4;

impl LayeredIndex {
    /// Inserts what a log holds beyond the tables, in log order, into an index that is not shared
    /// yet. Uses up to four threads, each for a range of hashes.
    ///
    /// # Errors
    ///
    /// Any error of the source. The index then holds some of the slots.
    pub fn fill<S>(&self, items: &[Insertion], source: &S) -> Result<(), S::Error>
    where
        S: RebuildSource + Sync + ?Sized,
        S::Error: Send,
    {
        if items.is_empty() {
            return Ok(());
        }
        self.reserve(items.len());
        let most = THREADS_MAX.min(items.len() / THREAD_MIN);
        // Asking for the number of processors takes a while.
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let parts = if most > 1 { most.min(cores()) } else { 1 };
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
                    // No thread could be started.
                    Err(_) => self.fill_part(items, (part, parts), source),
                };
                Ok(sum? + more?)
            })
        })?;
        Layer::count(&self.active.inserted, items.len() as u64);
        Layer::count(&self.active.new_hashes, new_hashes);
        Ok(())
    }

    /// Inserts the items whose hashes fall into one of several parts. Returns how many of these
    /// hashes no layer held.
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

    /// See [`KeyIndexer::insert_batch`]. The same as [`prepare`](Self::prepare) followed by
    /// [`insert_prepared`](Self::insert_prepared).
    ///
    /// # Errors
    ///
    /// Any error of the source. The index then holds nothing of the commit.
    pub fn insert_batch<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        self.prepare(items, source)?;
        self.insert_prepared(items, source)
    }

    /// Performs the part of an insertion that reads older slots and so can meet damage. It must
    /// come before the commit is written, since that cannot be undone. Changes no answer. The ends
    /// of the items' slots need not be known yet.
    ///
    /// # Errors
    ///
    /// Any error of the source.
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
            let is_known = |item: &Insertion| item.is_new || item.is_settled;
            for item in chunk.iter().filter(|item| chunk.len() > 1 && !is_known(item)) {
                self.prefetch(item.hash);
            }
            for item in chunk {
                let is_new = if is_known(item) {
                    filter.insert(self.mixer.mix(item.hash));
                    item.is_new
                } else {
                    self.copy_up(item, filter, source)?
                };
                new_hashes += u64::from(is_new);
            }
        }
        Ok(new_hashes)
    }

    /// Inserts the slots of a commit that was [prepared](Self::prepare). Nothing may be inserted in
    /// between.
    ///
    /// # Errors
    ///
    /// Any error of the source. The index then holds nothing of the commit.
    pub fn insert_prepared<S: RebuildSource + ?Sized>(
        &self,
        items: &[Insertion],
        source: &S,
    ) -> Result<(), S::Error> {
        Layer::count(&self.active.inserted, items.len() as u64);
        self.active.index.insert_batch(items, source)
    }

    /// Ensures that the active layer will hold all chains of a hash, not only the one about to be
    /// inserted. Returns whether no layer holds the hash.
    fn copy_up<S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        filter: &Filter,
        source: &S,
    ) -> Result<bool, S::Error> {
        let mixed = self.mixer.mix(item.hash);
        if self.active.locate(item.hash, mixed).is_some() {
            return Ok(false);
        }
        let mut is_new = false;
        let chains = match self.locate_sealed(item.hash, mixed) {
            Some((_, location)) if item.replaces != 0 && location.end() == item.replaces => {
                // The only chain of the hash, and `item` continues it.
                Vec::new()
            }
            Some((index, _)) => chains_of(index, item.hash, source)?,
            None => {
                let chains = self.frozen_chains(item, mixed, source)?;
                is_new = chains.is_none();
                chains.unwrap_or_default()
            }
        };
        // The filter first: it must not keep a reader from the layer once that holds the chains.
        filter.insert(mixed);
        self.active.index.adopt(item.hash, &chains);
        Ok(is_new)
    }

    /// The chains of a hash in the tables; empty if it has only one and `item` continues it. `None`
    /// if the tables do not hold the hash.
    fn frozen_chains<'s, S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        mixed: u64,
        source: &'s S,
    ) -> Result<Option<Vec<(ChainKey<'s>, PackedSlot)>>, S::Error> {
        let hash = item.hash;
        Self::ask_frozen(
            self.tables(mixed),
            source,
            |table| {
                if item.replaces != 0 && table.is_single(mixed, item.replaces)? {
                    return Ok(Some(Some(Vec::new())));
                }
                let slot = |version: Version, is_bare| {
                    PackedSlot::new(hash, version.end, version.is_tombstone, is_bare)
                };
                Ok(match table.held(hash, mixed, Checks::Always, source)? {
                    None => None,
                    Some(Held::Single { version, identity }) => {
                        Some(Some(vec![(identity, slot(version, identity == ChainKey::Bare))]))
                    }
                    Some(Held::Group(record)) => {
                        let mut chains = Vec::with_capacity(record.keyed_count());
                        for member in record.keyed()? {
                            let found = source.slot(member.end).map_err(Failure::Source)?;
                            let Version { end, is_tombstone } =
                                Version { end: member.end, is_tombstone: member.is_tombstone };
                            chains.push((
                                found.chain_key(),
                                slot(Version { end, is_tombstone }, false),
                            ));
                        }
                        chains.extend(record.bare.map(|bare| (ChainKey::Bare, slot(bare, true))));
                        Some(Some(chains))
                    }
                })
            },
            |index| match index.locate(hash) {
                None => Ok(None),
                Some(_) => chains_of(index, hash, source).map(Some),
            },
        )
    }
}

/// All chains of a hash.
fn chains_of<'s, S: RebuildSource + ?Sized>(
    index: &KeyIndexer,
    hash: u64,
    source: &'s S,
) -> Result<Vec<(ChainKey<'s>, PackedSlot)>, S::Error> {
    let slots = index.chains(hash).into_iter();
    slots
        .map(|slot| {
            let identity =
                if slot.is_bare() { ChainKey::Bare } else { source.slot(slot.end())?.chain_key() };
            Ok((identity, slot))
        })
        .collect()
}
