//! Look-ups as of a tail.

use crate::group::{Group, Place};
use crate::indexer::KeyIndexer;
use crate::location::Location;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, Slot as _, SlotSource};
use crate::version::{Version, version_at};

/// Look-ups. Each answers for one point in time, the `tail`: a slot that ends beyond it does not
/// exist yet, and the version before it counts instead.
impl KeyIndexer {
    /// The slot of `key` at `tail`: its live version, or else the live entry written under its bare
    /// hash. Never the slot of another key.
    ///
    /// `hash` must be the hash under which the key was inserted.
    ///
    /// # Errors
    ///
    /// Any error of the source.
    ///
    /// # Costs
    ///
    /// One look-up in the table. If the hash is present, one source call and a comparison of key
    /// bytes. Each version beyond `tail` adds a call. A hash with several chains costs one more
    /// look-up.
    ///
    /// # Locking
    ///
    /// Holds a shard's lock, shared, only for the look-up.
    #[inline]
    pub fn find<'s, S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &'s S,
    ) -> Result<Option<S::Slot<'s>>, S::Error> {
        match self.locate(hash) {
            Some(location) => self.resolve(location, hash, key, tail, source),
            None => Ok(None),
        }
    }

    /// The newest live slot of any chain of `hash` at `tail`. Keys are not compared: if keys
    /// collide, the slot may belong to any of them.
    ///
    /// # Errors
    ///
    /// Any error of the source.
    ///
    /// # Costs
    ///
    /// One look-up in the table, and one source call for each version beyond `tail` in every chain
    /// of the hash.
    ///
    /// # Locking
    ///
    /// Holds a shard's lock, shared, only for the look-up.
    #[inline]
    pub fn find_by_hash<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        match self.locate(hash) {
            Some(location) => self.resolve_by_hash(location, hash, tail, source),
            None => Ok(None),
        }
    }

    /// The first half of [`find`](Self::find): what the index holds for `hash`. Reads no slot.
    /// `None` means that no key with this hash exists.
    ///
    /// # Locking
    ///
    /// Takes a shard's lock, shared.
    #[inline]
    pub fn locate(&self, hash: u64) -> Option<Location> {
        let slot = self.table.get(hash)?;
        debug_assert!(slot.has_tag_of(hash), "slot {slot:?} stands under foreign hash {hash:#x}");
        Some(Location(slot))
    }

    /// The second half of [`find`](Self::find): from a location of `hash` to the slot of `key`.
    ///
    /// # Errors
    ///
    /// Any error of the source.
    ///
    /// # Locking
    ///
    /// None, or a shard's lock, shared, if the hash has several chains.
    #[inline]
    pub fn resolve<'s, S: SlotSource + ?Sized>(
        &self,
        location: Location,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &'s S,
    ) -> Result<Option<S::Slot<'s>>, S::Error> {
        let newest = location.0;
        if newest.is_group() || newest.end() > tail {
            let end = self.find_elsewhere(newest, hash, key, tail, source)?;
            return end.map(|end| source.slot(end)).transpose();
        }
        if newest.is_tombstone() {
            return Ok(None);
        }
        let slot = source.slot(newest.end())?;
        let is_match = newest.is_bare() || slot.chain_key() == ChainKey::Keyed(key);
        Ok(is_match.then_some(slot))
    }

    /// The slot of `key` if that is not simply the newest one of the hash.
    #[cold]
    fn find_elsewhere<S: SlotSource + ?Sized>(
        &self,
        newest: PackedSlot,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        if newest.is_group() {
            return self.find_in_group(hash, key, tail, source);
        }
        if !newest.is_bare() && source.slot(newest.end())?.chain_key() != ChainKey::Keyed(key) {
            return Ok(None);
        }
        live_end_at(Some(newest), tail, source)
    }

    /// The second half of [`find_by_hash`](Self::find_by_hash).
    ///
    /// # Errors
    ///
    /// Any error of the source.
    ///
    /// # Locking
    ///
    /// None, or a shard's lock, shared, if the hash has several chains.
    #[inline]
    pub fn resolve_by_hash<S: SlotSource + ?Sized>(
        &self,
        location: Location,
        hash: u64,
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        if location.0.is_group() {
            return self.newest_live_in_group(hash, tail, source);
        }
        Ok(version_at(location.0, tail, source)?.and_then(Version::live_end))
    }

    /// Whether the slot that ends at `end`, with this hash and identity, is current at `tail`: the
    /// newest version of its chain there, and not a tombstone. Scans of the log call this for every
    /// slot.
    ///
    /// # Errors
    ///
    /// Any error of the source.
    ///
    /// # Costs
    ///
    /// One look-up in the table. No source call is needed for a slot that is current at the newest
    /// tail, or that is outdated there and belongs to the only chain of its hash.
    ///
    /// # Locking
    ///
    /// Holds a shard's lock, shared, only for the look-up.
    #[inline]
    pub fn is_current<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        end: u64,
        identity: ChainKey<'_>,
        tail: u64,
        source: &S,
    ) -> Result<bool, S::Error> {
        if end > tail {
            return Ok(false);
        }
        let newest = match self.table.get(hash) {
            None => return Ok(false),
            Some(slot) if slot.is_group() => {
                if self.groups.look(hash, |group| group.is_live(end)).unwrap_or(false) {
                    return Ok(true);
                }
                match self.groups.probe(hash, identity, end, source)?.newest() {
                    None => return Ok(false),
                    Some(newest) => newest,
                }
            }
            // The only chain of its hash, so it is the slot's own.
            Some(single) => single,
        };
        let version = version_at(newest, tail, source)?;
        Ok(version.and_then(Version::live_end) == Some(end))
    }

    fn find_in_group<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        key: &[u8],
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        let keyed = self.groups.probe(hash, ChainKey::Keyed(key), 0, source)?.newest();
        if let Some(end) = live_end_at(keyed, tail, source)? {
            return Ok(Some(end));
        }
        live_end_at(self.groups.chain(hash, Place::Bare), tail, source)
    }

    #[cold]
    fn newest_live_in_group<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        tail: u64,
        source: &S,
    ) -> Result<Option<u64>, S::Error> {
        let copy_out = |group: &Group| {
            (group.newest_live_until(tail), group.newest_beyond(tail).collect::<Vec<_>>())
        };
        let Some((mut found, beyond)) = self.groups.look(hash, copy_out) else {
            return Ok(None);
        };
        for newest in beyond {
            // An absent version is `None`, which is less than any end.
            found = found.max(live_end_at(Some(newest), tail, source)?);
        }
        Ok(found)
    }
}

fn live_end_at<S: SlotSource + ?Sized>(
    newest: Option<PackedSlot>,
    tail: u64,
    source: &S,
) -> Result<Option<u64>, S::Error> {
    let Some(newest) = newest else { return Ok(None) };
    Ok(version_at(newest, tail, source)?.and_then(Version::live_end))
}
