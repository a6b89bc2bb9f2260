//! Look-ups through the layers.

use super::{BATCH, LayeredIndex, Tier};
use crate::current::Current;
use crate::frozen::{Candidate, Checks, Failure, FrozenIndex, Held, Likely};
use crate::indexer::KeyIndexer;
use crate::location::Location;
use crate::quick::{Quick, quick_slot_of};
use crate::rebuild_source::RebuildSource;
use crate::slot_source::{ChainKey, SlotSource};

impl LayeredIndex {
    /// The newest layer in memory that holds a hash.
    #[inline]
    pub(super) fn locate(&self, hash: u64, mixed: u64) -> Option<(&KeyIndexer, Location)> {
        if let Some(location) = self.active.locate(hash, mixed) {
            return Some((&self.active.index, location));
        }
        self.locate_sealed(hash, mixed)
    }

    /// The newest sealed layer that holds a hash.
    #[inline]
    pub(super) fn locate_sealed(&self, hash: u64, mixed: u64) -> Option<(&KeyIndexer, Location)> {
        let mut layers = self.sealed.iter();
        layers.find_map(|layer| Some((&layer.index, layer.locate(hash, mixed)?)))
    }

    /// The tables that may hold a hash, newest first.
    #[inline]
    pub(super) fn tables(&self, mixed: u64) -> impl Iterator<Item = &Tier> {
        self.frozen.iter().filter(move |table| table.may_hold(mixed))
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
    pub fn find<'s, S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &'s S,
    ) -> Result<Option<S::Slot<'s>>, S::Error> {
        match self.quick_find(hash, key, tail, source) {
            Quick::Found(slot) => Ok(Some(slot)),
            Quick::Absent => Ok(None),
            Quick::Unclear => self.find_slowly(hash, key, tail, source),
        }
    }

    /// [`find`](Self::find) for the usual case: the hash has one chain, the first slot whose tag
    /// matches is of the key, and nothing is damaged.
    ///
    /// All of it is inlined into the caller, so that the slot stays in registers.
    #[inline(always)]
    pub fn quick_find<'s, S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &'s S,
    ) -> Quick<S::Slot<'s>> {
        let mixed = self.mixer.mix(hash);
        if !self.is_in_tables() {
            let mut layers = std::iter::once(&self.active).chain(&self.sealed);
            if let Some(location) = layers.find_map(|layer| layer.locate(hash, mixed)) {
                return location.quick_resolve(key, tail, source);
            }
        }
        for table in self.tables(mixed) {
            if let Some(found) = table.quick_find(mixed, key, source) {
                return found;
            }
        }
        Quick::Absent
    }

    /// [`find`](Self::find) for every case.
    ///
    /// # Errors
    ///
    /// Any error of the source.
    #[inline(never)]
    pub fn find_slowly<'s, S: RebuildSource + ?Sized>(
        &self,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &'s S,
    ) -> Result<Option<S::Slot<'s>>, S::Error> {
        let mixed = self.mixer.mix(hash);
        if let Some((index, location)) = self.locate(hash, mixed) {
            return index.resolve(location, hash, key, tail, source);
        }
        Self::ask_frozen(
            self.tables(mixed),
            source,
            |table| table.find(hash, mixed, key, source),
            |index| index.find(hash, key, tail, source),
        )
    }

    /// Whether nothing is in memory.
    #[inline(always)]
    fn is_in_tables(&self) -> bool {
        // What was inserted before the reader's tail was published has been counted before.
        self.unfrozen() == 0 && self.sealed.is_empty()
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
        let mixed = self.mixer.mix(hash);
        if let Some((index, location)) = self.locate(hash, mixed) {
            return index.resolve_by_hash(location, hash, tail, source);
        }
        Self::ask_frozen(
            self.tables(mixed),
            source,
            |table| {
                Ok(match table.held(hash, mixed, Checks::Once, source)? {
                    None => None,
                    Some(Held::Single { version, .. }) => Some(version.live_end()),
                    Some(Held::Group(record)) => Some(record.newest_live()),
                })
            },
            |index| index.find_by_hash(hash, tail, source),
        )
    }

    /// [`LayeredIndex::find`] for many hashes, or [`LayeredIndex::find_by_hash`] if there are no
    /// keys. Calls `found` for each, in order, with its number and its slot, soon after that slot was
    /// prefetched.
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
    pub fn find_batch<'s, S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &'s S,
        mut found: impl FnMut(usize, Option<S::Slot<'s>>) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        assert!(keys.is_none_or(|keys| keys.len() == hashes.len()), "a key for each hash");
        for (number, chunk) in hashes.chunks(BATCH).enumerate() {
            let first = number * BATCH;
            let keys = keys.map(|keys| &keys[first..][..chunk.len()]);
            self.find_chunk(chunk, keys, tail, source, |at, end| found(first + at, end))?;
        }
        Ok(())
    }

    #[inline]
    fn find_chunk<'s, S: RebuildSource + ?Sized>(
        &self,
        hashes: &[u64],
        keys: Option<&[&[u8]]>,
        tail: u64,
        source: &'s S,
        mut found: impl FnMut(usize, Option<S::Slot<'s>>) -> Result<(), S::Error>,
    ) -> Result<(), S::Error> {
        let mut sought = [0; BATCH];
        for (mixed, hash) in sought.iter_mut().zip(hashes) {
            *mixed = self.mixer.mix(*hash);
        }
        let sought = &sought[..hashes.len()];
        if self.frozen.len() > 1 || !self.is_in_tables() {
            self.prefetch_filters(sought);
        }
        sought.iter().for_each(|mixed| self.prefetch_mixed(*mixed));
        let mut first = [First::Unknown; BATCH];
        let is_in_tables = self.is_in_tables();
        for ((hash, mixed), first) in hashes.iter().zip(sought).zip(&mut first) {
            if !is_in_tables {
                if let Some(location) = self.active.locate(*hash, *mixed) {
                    location.prefetch_end().into_iter().for_each(|end| source.prefetch(end));
                    *first = First::Active(location);
                    continue;
                }
                if self.locate_sealed(*hash, *mixed).is_some() {
                    continue;
                }
            }
            *first = self.first_candidate(*mixed);
            if let First::Frozen(Candidate::Slot(end)) = *first {
                source.prefetch(end);
            }
        }
        for (number, (hash, first)) in hashes.iter().zip(&first).enumerate() {
            let key = keys.map(|keys| keys[number]);
            let slot = match (*first, key) {
                (First::Absent, _) => None,
                (First::Active(location), Some(key)) => {
                    match location.quick_resolve(key, tail, source) {
                        Quick::Found(slot) => Some(slot),
                        Quick::Absent => None,
                        Quick::Unclear => {
                            self.active.index.resolve(location, *hash, key, tail, source)?
                        }
                    }
                }
                (First::Frozen(Candidate::Slot(end)), Some(key)) => {
                    match quick_slot_of(key, end, source) {
                        Quick::Found(slot) => Some(slot),
                        Quick::Absent => None,
                        Quick::Unclear => self.find_slowly(*hash, key, tail, source)?,
                    }
                }
                (_, Some(key)) => self.find_slowly(*hash, key, tail, source)?,
                (_, None) => {
                    let end = self.find_by_hash(*hash, tail, source)?;
                    end.map(|end| source.slot(end)).transpose()?
                }
            };
            found(number, slot)?;
        }
        Ok(())
    }

    /// Asks the system to read what look-ups of these hashes will read first in the tables and is
    /// not in memory. Does not wait for it. Returns whether there was anything.
    ///
    /// # Costs
    ///
    /// A system call for each hash and table, and another one for what is not in memory.
    pub fn fetch(&self, hashes: &[u64]) -> bool {
        let mixed = || hashes.iter().map(|hash| self.mixer.mix(*hash));
        let mut is_missing = false;
        for table in &self.frozen {
            is_missing |= table.fetch(mixed().filter(|mixed| table.may_hold(*mixed)));
        }
        is_missing
    }

    /// Where the slots end that look-ups of these hashes will most likely read.
    pub fn likely_ends(&self, hashes: &[u64]) -> Vec<u64> {
        let of_hash = |hash: &u64| {
            let mixed = self.mixer.mix(*hash);
            if let Some((_, location)) = self.locate(*hash, mixed) {
                return location.prefetch_end();
            }
            match self.first_candidate(mixed) {
                First::Frozen(Candidate::Slot(end)) => Some(end),
                _ => None,
            }
        };
        hashes.iter().filter_map(of_hash).collect()
    }

    /// The newest word in the tables whose tag matches a mixed hash.
    #[inline(always)]
    fn first_candidate(&self, mixed: u64) -> First {
        for table in self.tables(mixed) {
            match table.likely(mixed) {
                Ok(Likely::Absent) => {}
                Ok(Likely::First(candidate)) => return First::Frozen(candidate),
                Ok(Likely::Unclear) | Err(_) => return First::Unknown,
            }
        }
        First::Absent
    }

    /// Prefetches what a look-up of `hash` will read first in the tables.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.prefetch_mixed(self.mixer.mix(hash));
    }

    /// Prefetches what look-ups and insertions of up to 128 hashes will read and write first.
    pub fn prefetch_for_update(&self, hashes: &[u64]) {
        let mut mixed = [0; BATCH];
        for (mixed, hash) in mixed.iter_mut().zip(hashes) {
            *mixed = self.mixer.mix(*hash);
        }
        let mixed = &mixed[..hashes.len().min(BATCH)];
        // One layer after the other: a lock is a barrier to loads.
        self.prefetch_filters(mixed);
        mixed.iter().for_each(|mixed| self.prefetch_mixed(*mixed));
        hashes.iter().for_each(|hash| self.active.index.table.prefetch(*hash));
    }

    /// Prefetches what the filters need to know about some mixed hashes.
    #[inline]
    fn prefetch_filters(&self, mixed: &[u64]) {
        let of_layers =
            std::iter::once(&self.active).chain(&self.sealed).map(|layer| &layer.filter);
        let of_tables = self.frozen.iter().map(|tier| &tier.filter);
        for filter in of_layers.chain(of_tables).flatten() {
            mixed.iter().for_each(|mixed| filter.prefetch(*mixed));
        }
    }

    #[inline]
    fn prefetch_mixed(&self, mixed: u64) {
        self.tables(mixed).for_each(|table| table.prefetch(mixed));
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
        let mixed = self.mixer.mix(hash);
        if let Some((index, _)) = self.locate(hash, mixed) {
            return index.is_current(hash, end, identity, tail, source);
        }
        Self::ask_frozen(
            self.tables(mixed),
            source,
            |table| table.holds(hash, mixed, end, identity, source),
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
        let mixed = self.mixer.mix(hash);
        if self.active.locate(hash, mixed).is_some() {
            return self.active.index.current(hash, identity, source);
        }
        if let Some((index, location)) = self.locate_sealed(hash, mixed) {
            let current = index.current(hash, identity, source)?;
            let newest = if identity == ChainKey::Bare { current.bare } else { current.keyed };
            let is_settled = newest.is_some_and(|version| version.end == location.end());
            return Ok(Current { is_settled, ..current });
        }
        let current = Self::ask_frozen(
            self.tables(mixed),
            source,
            |table| table.current(hash, mixed, identity, source),
            |index| {
                let current = index.current(hash, identity, source)?;
                Ok(Current { is_settled: false, ..current })
            },
        )?;
        Ok(Current { is_settled: current.is_settled || !current.is_known_hash, ..current })
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
        let mixed = self.mixer.mix(hash);
        if let Some((index, _)) = self.locate(hash, mixed) {
            return Ok(index.live_chains(hash));
        }
        Self::ask_frozen(
            self.tables(mixed),
            source,
            |table| {
                Ok(match table.held(hash, mixed, Checks::Always, source)? {
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

/// The result of the first pass over a batch.
#[derive(Clone, Copy)]
enum First {
    /// In a sealed layer, or a line was damaged.
    Unknown,
    /// In the active layer.
    Active(Location),
    /// In no table.
    Absent,
    /// The newest candidate. No table holds a newer version of the hash.
    Frozen(Candidate),
}
