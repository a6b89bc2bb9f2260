//! A naive model, which answers by reading the whole log.

use std::collections::BTreeMap;

use simd_r_drive_indexer::{ChainKey, Current, LiveKeyed, Version};

use super::log::Log;

/// The newest version of every chain of a hash, by key; `None` is the bare chain.
pub struct Chains<'a>(BTreeMap<Option<&'a [u8]>, Version>);

impl<'a> Chains<'a> {
    pub fn at(log: &'a Log, hash: u64, tail: u64) -> Self {
        let slots = log.iter().filter(|(end, slot)| slot.hash == hash && *end <= tail);
        let versions = slots.map(|(end, slot)| {
            (slot.key.as_deref(), Version { end, is_tombstone: slot.is_tombstone })
        });
        Self(versions.collect())
    }

    pub fn newest(log: &'a Log, hash: u64) -> Self {
        Self::at(log, hash, u64::MAX)
    }

    pub fn chain(&self, key: Option<&[u8]>) -> Option<Version> {
        self.0.get(&key).copied()
    }

    pub fn live_end(&self, key: Option<&[u8]>) -> Option<u64> {
        self.chain(key).and_then(Version::live_end)
    }

    pub fn find(&self, key: &[u8]) -> Option<u64> {
        self.live_end(Some(key)).or_else(|| self.live_end(None))
    }

    /// The ends of all live chains, oldest first.
    pub fn live_ends(&self) -> Vec<u64> {
        let mut ends: Vec<_> = self.0.values().filter_map(|version| version.live_end()).collect();
        ends.sort_unstable();
        ends
    }

    pub fn current(&self, identity: ChainKey<'_>) -> Current {
        let keyed_lines = self.0.iter().filter(|(key, _)| key.is_some());
        let live_keyed: Vec<_> = keyed_lines.filter_map(|(_, v)| v.live_end()).collect();
        Current {
            is_known_hash: !self.0.is_empty(),
            // All chains are in one layer.
            is_settled: true,
            keyed: match identity {
                ChainKey::Keyed(key) => self.chain(Some(key)),
                ChainKey::Bare => None,
            },
            bare: self.chain(None),
            live_keyed: match live_keyed[..] {
                [] => LiveKeyed::None,
                [end] => LiveKeyed::One(end),
                _ => LiveKeyed::Many(live_keyed.len()),
            },
        }
    }
}
