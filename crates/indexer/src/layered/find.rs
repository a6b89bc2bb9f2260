//! Look-ups through the layers.

use super::{BATCH, LayeredIndex, Tier};
use crate::current::Current;
use crate::frozen::{Candidate, Failure, FrozenIndex, Held};
use crate::indexer::KeyIndexer;
use crate::location::Location;
use crate::rebuild_source::RebuildSource;
use crate::slot_source::ChainKey;

impl LayeredIndex {
    /// The newest layer in memory that holds a hash.
    #[inline]
    pub(super) fn locate(&self, hash: u64, one: Sought) -> Option<(&KeyIndexer, Location)> {
        if let Some(location) = self.active.locate(hash, one) {
            return Some((&self.active.index, location));
        }
        self.locate_sealed(hash, one)
    }

    /// The newest sealed layer that holds a hash.
    #[inline]
    pub(super) fn locate_sealed(&self, hash: u64, one: Sought) -> Option<(&KeyIndexer, Location)> {
        let mut layers = self.sealed.iter();
        layers.find_map(|layer| Some((&layer.index, layer.locate(hash, one)?)))
    }

    /// The tables that may hold a hash, newest first.
    #[inline]
    pub(super) fn tables(&self, one: Sought) -> impl Iterator<Item = &Tier> {
        self.uncovered(one).iter().filter(move |table| table.may_hold(one.mixed))
    }

    /// [`tables`](Self::tables) for a reader. Readers mostly look for keys that exist, most likely
    /// in the oldest table, so its line is prefetched while its filter is checked.
    #[inline]
    fn tables_for_reader(&self, one: Sought) -> impl Iterator<Item = &Tier> {
        if let Some(oldest) = self.frozen.last() {
            oldest.prefetch(one.mixed);
        }
        self.tables(one)
    }

    /// [`tables`](Self::tables) for batched look-ups of a reader. Their lines are prefetched
    /// anyway, so the filter of the oldest table is not worth checking.
    #[inline]
    fn tables_of_many(&self, one: Sought) -> impl Iterator<Item = &Tier> {
        let is_asked = move |table: &&Tier| table.is_complete() || table.may_hold(one.mixed);
        self.uncovered(one).iter().filter(is_asked)
    }

    #[inline]
    fn uncovered(&self, one: Sought) -> &[Tier] {
        if one.is_recent { &self.frozen } else { &self.frozen[self.covered..] }
    }

    /// Searches the tables, newest first, and returns the first answer. If a table is damaged, the
    /// index rebuilt in its place answers for it and everything below.
    #[inline]
    pub(super) fn ask_frozen<'t, R: Default, S: RebuildSource + ?Sized>(
        tables: impl Iterator<Item = &'t Tier>,
        source: &S,
        ask: impl Fn(&FrozenIndex) -> Result<Option<R>, Failure<S::Error>>,
        ask_rebuilt: impl FnOnce(&KeyIndexer) -> Result<R, S::Error>,
    ) -> Result<R, S::Error> {
        for table in tables {
            if let Some(index) = table.rebuilt() {
                return ask_rebuilt(index);
            }
            match ask(table) {
                Ok(None) => {}
                Ok(Some(found)) => return Ok(found),
                Err(Failure::Source(error)) => return Err(error),
                Err(Failure::Line) => return ask_rebuilt(table.rebuild(source)?),
            }
        }
        Ok(R::default())
    }

    /// See [`KeyIndexer::find`].
    ///
    /// # Errors
    ///
    /// Any error of the source.
    #[inline]
    pub fn find<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        let one = self.sought_one(hash);
        if let Some((index, location)) = self.locate(hash, one) {
            return index.resolve(location, hash, key, tail, source);
        }
        Self::ask_frozen(
            self.tables_for_reader(one),
            source,
            |table| table.find(hash, one.mixed, key, source),
            |index| index.find(hash, key, tail, source),
        )
    }

    /// See [`KeyIndexer::find_by_hash`].
    ///
    /// # Errors
    ///
    /// Any error of the source.
    #[inline]
    pub fn find_by_hash<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        let one = self.sought_one(hash);
        if let Some((index, location)) = self.locate(hash, one) {
            return index.resolve_by_hash(location, hash, tail, source);
        }
        Self::ask_frozen(
            self.tables_for_reader(one),
            source,
            |table| {
                Ok(match table.held(hash, one.mixed, source)? {
                    None => None,
                    Some(Held::Single { version, .. }) => Some(version.live_end()),
                    Some(Held::Group(record)) => Some(record.newest_live()),
                })
            },
            |index| index.find_by_hash(hash, tail, source),
        )
    }

    /// [`LayeredIndex::find`] for many hashes, or [`LayeredIndex::find_by_hash`] if there are no
    /// keys. Calls `found` for each, in order, with its number and where its slot ends, soon after
    /// that slot was prefetched.
    ///
    /// # Errors
    ///
    /// Any error of the source or of `found`, which is not called again after one.
    ///
    /// # Costs
    ///
    /// Less than as many single look-ups: buckets and slots of some look-ups are fetched from
    /// memory while others are processed.
    ///
    /// # Panics
    ///
    /// If there are keys, but not as many as hashes.
    pub fn find_batch<S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &S,
        mut found: impl FnMut(usize, Option<u64>) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        assert!(keys.is_none_or(|keys| keys.len() == hashes.len()), "a key for each hash");
        let is_live_only = self.sealed.is_empty() && self.frozen.is_empty();
        if is_live_only {
            return self.find_batch_live(hashes, keys, tail, source, found);
        }
        for (number, chunk) in hashes.chunks(BATCH).enumerate() {
            let first = number * BATCH;
            let keys = keys.map(|keys| &keys[first..][..chunk.len()]);
            self.find_chunk(chunk, keys, tail, source, |at, end| found(first + at, end))?;
        }
        Ok(())
    }

    fn find_batch_live<S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &S,
        mut found: impl FnMut(usize, Option<u64>) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        let index = &self.active.index;
        let mut locations = Vec::with_capacity(hashes.len());
        index.locate_batch(hashes, &mut locations);
        for end in locations.iter().flatten().filter_map(|location| location.prefetch_end()) {
            source.prefetch(end);
        }
        for (number, (hash, location)) in hashes.iter().zip(&locations).enumerate() {
            let end = match (location, keys) {
                (None, _) => None,
                (Some(location), None) => index.resolve_by_hash(*location, *hash, tail, source)?,
                (Some(location), Some(keys)) => {
                    index.resolve(*location, *hash, keys[number], tail, source)?
                }
            };
            found(number, end)?;
        }
        Ok(())
    }

    #[inline]
    fn find_chunk<S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &S,
        mut found: impl FnMut(usize, Option<u64>) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        let sought = self.sought(hashes);
        for one in &sought[..hashes.len()] {
            self.prefetch_sought(*one);
        }
        let mut first = [First::Unknown; BATCH];
        for ((hash, one), first) in hashes.iter().zip(&sought).zip(&mut first) {
            if let Some((_, location)) = self.locate(*hash, *one) {
                location.prefetch_end().into_iter().for_each(|end| source.prefetch(end));
                continue;
            }
            *first = self.first_candidate(*one);
            if let First::Frozen(Candidate::Slot(end)) = *first {
                source.prefetch(end);
            }
        }
        for (number, (hash, first)) in hashes.iter().zip(&first).enumerate() {
            let key = keys.map(|keys| keys[number]);
            let end = match (*first, key) {
                (First::Absent, _) => None,
                (First::Frozen(Candidate::Slot(end)), Some(key)) => {
                    let slot = source.slot(end)?;
                    if slot.identity == ChainKey::Keyed(key) {
                        (!slot.is_tombstone).then_some(end)
                    } else {
                        self.find(*hash, key, tail, source)?
                    }
                }
                (_, Some(key)) => self.find(*hash, key, tail, source)?,
                (_, None) => self.find_by_hash(*hash, tail, source)?,
            };
            found(number, end)?;
        }
        Ok(())
    }

    /// The newest word in the tables whose tag matches a mixed hash.
    #[inline]
    fn first_candidate(&self, one: Sought) -> First {
        for table in self.tables_of_many(one) {
            match table.first(one.mixed) {
                _ if table.is_rebuilt() => return First::Unknown,
                Ok(None) => {}
                Ok(Some(candidate)) => return First::Frozen(candidate),
                Err(_) => return First::Unknown,
            }
        }
        First::Absent
    }

    /// Prefetches what the writer's look-ups of these hashes will read first in the tables.
    pub fn prefetch_batch(&self, hashes: &[u64]) {
        for chunk in hashes.chunks(BATCH) {
            let sought = self.sought(chunk);
            for one in &sought[..chunk.len()] {
                self.tables(*one).for_each(|table| table.prefetch(one.mixed));
            }
        }
    }

    /// Prefetches what a look-up of `hash` will read first in the tables.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.prefetch_sought(self.sought_one(hash));
    }

    #[inline]
    fn prefetch_sought(&self, one: Sought) {
        self.tables_of_many(one).for_each(|table| table.prefetch(one.mixed));
    }

    /// Where to look for a hash.
    #[inline]
    pub(super) fn sought_one(&self, hash: u64) -> Sought {
        let mixed = self.mixer.mix(hash);
        let is_recent = self.recent.as_ref().is_none_or(|recent| recent.may_hold(mixed));
        Sought { mixed, is_recent }
    }

    /// Where to look for up to [`BATCH`] hashes. Branch-free per hash, so that the words of the
    /// filter are fetched in parallel.
    #[inline]
    fn sought(&self, hashes: &[u64]) -> [Sought; BATCH] {
        let mut sought = [Sought::default(); BATCH];
        for (one, hash) in sought.iter_mut().zip(hashes) {
            *one = self.sought_one(*hash);
        }
        sought
    }

    /// See [`KeyIndexer::is_current`].
    ///
    /// # Errors
    ///
    /// Any error of the source.
    #[inline]
    pub fn is_current<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        end: u64,
        identity: ChainKey<'_>,
        tail: u64,
        source: &S,
    ) -> Result<bool, S::Error> {
        let one = self.sought_one(hash);
        if let Some((index, _)) = self.locate(hash, one) {
            return index.is_current(hash, end, identity, tail, source);
        }
        Self::ask_frozen(
            self.tables_of_many(one),
            source,
            |table| table.holds(hash, one.mixed, end, identity, source),
            |index| index.is_current(hash, end, identity, tail, source),
        )
    }

    /// See [`KeyIndexer::current`].
    ///
    /// # Errors
    ///
    /// Any error of the source.
    pub fn current<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        identity: ChainKey<'_>,
        source: &S,
    ) -> Result<Current, S::Error> {
        let one = self.sought_one(hash);
        if let Some((index, _)) = self.locate(hash, one) {
            return index.current(hash, identity, source);
        }
        Self::ask_frozen(
            self.tables(one),
            source,
            |table| table.current(hash, one.mixed, identity, source),
            |index| index.current(hash, identity, source),
        )
    }

    /// See [`KeyIndexer::live_chains`].
    ///
    /// # Errors
    ///
    /// Any error of the source.
    pub fn live_chains<S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        source: &S,
    ) -> Result<Vec<u64>, S::Error> {
        let one = self.sought_one(hash);
        if let Some((index, _)) = self.locate(hash, one) {
            return Ok(index.live_chains(hash));
        }
        Self::ask_frozen(
            self.tables(one),
            source,
            |table| {
                Ok(match table.held(hash, one.mixed, source)? {
                    None => None,
                    Some(Held::Single { version, .. }) => {
                        Some(version.live_end().into_iter().collect())
                    }
                    Some(Held::Group(record)) => Some(record.live_ends()?),
                })
            },
            |index| Ok(index.live_chains(hash)),
        )
    }
}

/// A hash being looked up.
#[derive(Clone, Copy, Default)]
pub(super) struct Sought {
    pub(super) mixed: u64,
    /// Whether it may be in one of the layers and tables that `recent` covers.
    pub(super) is_recent: bool,
}

/// The result of the first pass over a batch.
#[derive(Clone, Copy)]
enum First {
    /// In memory, or a line was damaged.
    Unknown,
    /// In no table.
    Absent,
    /// The newest candidate. No table holds a newer version of the hash.
    Frozen(Candidate),
}
