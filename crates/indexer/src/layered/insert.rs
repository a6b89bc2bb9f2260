//! Insertion into the newest layer.

use super::{BATCH, Layer, LayeredIndex};
use crate::filter::Filter;
use crate::frozen::{Failure, Held};
use crate::indexer::KeyIndexer;
use crate::insert::Insertion;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{Identity, RebuildSource};
use crate::version::Version;

impl LayeredIndex {
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
        let Some(filter) = &self.live.filter else { return Ok(()) };
        for chunk in items.chunks(BATCH) {
            if chunk.len() > 1 {
                let unknown = chunk.iter().filter(|item| !item.is_new);
                unknown.for_each(|item| self.prefetch(item.hash));
            }
            for item in chunk {
                if item.is_new {
                    filter.insert(self.mixer.mix(item.hash));
                    Layer::count(&self.live.new_hashes, 1);
                } else {
                    self.make_whole(item, filter, source)?;
                }
            }
        }
        Ok(())
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
        Layer::count(&self.live.inserted, items.len() as u64);
        self.live.index.insert_batch(items, source)
    }

    /// Sees to it that the live layer will hold all lines of a hash, not only the one that is about to be inserted.
    fn make_whole<S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        filter: &Filter,
        source: &S,
    ) -> Result<(), S::Error> {
        let mixed = self.mixer.mix(item.hash);
        if self.live.locate(item.hash, mixed).is_some() {
            return Ok(());
        }
        let lines = match self.locate(item.hash, mixed) {
            Some((_, location)) if item.replaces != 0 && location.end() == item.replaces => {
                // The only line of the hash, and the one that goes on.
                Vec::new()
            }
            Some((index, _)) => lines_of(index, item.hash, source)?,
            None => {
                let lines = self.frozen_lines(item, mixed, source)?;
                if lines.is_none() {
                    Layer::count(&self.live.new_hashes, 1);
                }
                lines.unwrap_or_default()
            }
        };
        // Before the lines: who finds them must not be kept away from what comes after them.
        filter.insert(mixed);
        self.live.index.adopt(item.hash, &lines);
        Ok(())
    }

    /// The lines of a hash that the table holds, but for the one that `item` goes on with if that is the only one;
    /// `None` if it holds none.
    fn frozen_lines<'s, S: RebuildSource + ?Sized>(
        &self,
        item: &Insertion,
        mixed: u64,
        source: &'s S,
    ) -> Result<Option<Vec<(Identity<'s>, PackedSlot)>>, S::Error> {
        let hash = item.hash;
        self.ask_frozen(
            mixed,
            source,
            |table| {
                if item.replaces != 0 && table.is_single(mixed, item.replaces)? {
                    return Ok(Some(Some(Vec::new())));
                }
                let slot = |version: Version, is_bare| {
                    PackedSlot::new(hash, version.end, version.is_tombstone, is_bare)
                };
                Ok(match table.held(hash, mixed, source)? {
                    None => None,
                    Some(Held::Single { version, identity }) => {
                        Some(Some(vec![(identity, slot(version, identity == Identity::Bare))]))
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
                        lines.extend(record.bare.map(|bare| (Identity::Bare, slot(bare, true))));
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
) -> Result<Vec<(Identity<'s>, PackedSlot)>, S::Error> {
    let slots = index.lines(hash).into_iter();
    slots
        .map(|slot| {
            let identity =
                if slot.is_bare() { Identity::Bare } else { source.slot(slot.end())?.identity };
            Ok((identity, slot))
        })
        .collect()
}
