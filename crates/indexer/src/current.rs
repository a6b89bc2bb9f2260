//! What a writer asks the index before it appends.

use crate::group::{Group, Place};
use crate::groups::Probe;
use crate::indexer::KeyIndexer;
use crate::packed_slot::PackedSlot;
use crate::slot_source::{ChainKey, Slot as _, SlotSource};
use crate::version::Version;

/// What the index holds for an identity and its hash. See [`KeyIndexer::current`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Current {
    /// The newest version of the key's chain. `None` if there is no such chain, or if the identity
    /// is bare.
    pub keyed: Option<Version>,
    /// The newest version of the hash's bare chain.
    pub bare: Option<Version>,
    /// The live keyed chains of the hash, including the key's own.
    pub live_keyed: LiveKeyed,
    /// Whether the index holds any chain of the hash, live or deleted.
    pub is_known_hash: bool,
    /// Whether a new version of the identity can be inserted without copying other chains of the
    /// hash into the active layer: that layer holds them all, or there are none.
    pub is_settled: bool,
}

/// How many keyed chains of a hash are live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LiveKeyed {
    /// None.
    #[default]
    None,
    /// One. Its newest slot ends at this offset.
    One(u64),
    /// At least two; this is their number. [`KeyIndexer::live_chains`] lists them.
    Many(usize),
}

/// Queries for the writer. They take no tail, because a writer sees everything inserted so far.
impl KeyIndexer {
    /// What a new version of `identity` under `hash` would follow and supersede.
    ///
    /// # Errors
    ///
    /// Any error of the source.
    ///
    /// # Costs
    ///
    /// One look-up in the table. If the hash has a keyed chain, one source call to compare its key.
    /// A hash with several chains costs two more look-ups.
    ///
    /// # Locking
    ///
    /// Takes a shard's lock, shared, for each look-up.
    #[inline]
    pub fn current<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        identity: ChainKey<'_>,
        source: &S,
    ) -> Result<Current, S::Error> {
        match self.table.get(hash) {
            None => Ok(Current { is_settled: true, ..Current::default() }),
            Some(slot) if slot.is_group() => self.current_in_group(hash, identity, source),
            Some(slot) => current_of_single(slot, identity, source),
        }
    }

    /// The ends of the newest slots of all live chains of `hash`, keyed and bare, oldest first.
    ///
    /// # Locking
    ///
    /// Holds a shard's lock, shared, while the ends are copied.
    pub fn live_chains(&self, hash: u64) -> Vec<u64> {
        match self.table.get(hash) {
            None => Vec::new(),
            Some(slot) if slot.is_group() => {
                self.groups.look(hash, |group| group.live_ends().collect()).unwrap_or_default()
            }
            Some(slot) => Version::from(slot).live_end().into_iter().collect(),
        }
    }

    #[cold]
    fn current_in_group<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        identity: ChainKey<'_>,
        source: &S,
    ) -> Result<Current, S::Error> {
        let keyed = match identity {
            ChainKey::Keyed(_) => {
                self.groups.probe(hash, identity, 0, source).map(Probe::newest)?
            }
            ChainKey::Bare => None,
        };
        let keyed = keyed.map(Version::from);
        let copy_out = |group: &Group| Current {
            keyed,
            is_known_hash: group.chain_count() > 0,
            is_settled: true,
            bare: group.chain(Place::Bare).map(Version::from),
            live_keyed: match (group.live_keyed_count(), group.newest_live_keyed()) {
                (0, _) | (_, None) => LiveKeyed::None,
                (1, Some(end)) => LiveKeyed::One(end),
                (count, _) => LiveKeyed::Many(count),
            },
        };
        Ok(self.groups.look(hash, copy_out).unwrap_or_default())
    }
}

#[inline]
fn current_of_single<S: SlotSource + ?Sized>(
    slot: PackedSlot,
    identity: ChainKey<'_>,
    source: &S,
) -> Result<Current, S::Error> {
    let version = Version::from(slot);
    if slot.is_bare() {
        return Ok(Current {
            bare: Some(version),
            is_known_hash: true,
            is_settled: true,
            ..Current::default()
        });
    }
    let is_same = match identity {
        ChainKey::Keyed(_) => source.slot(slot.end())?.chain_key() == identity,
        ChainKey::Bare => false,
    };
    Ok(Current {
        keyed: is_same.then_some(version),
        bare: None,
        is_known_hash: true,
        is_settled: true,
        live_keyed: version.live_end().map_or(LiveKeyed::None, LiveKeyed::One),
    })
}
