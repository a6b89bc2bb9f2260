//! The same questions answered by reading the whole log.

use std::collections::BTreeMap;

use simd_r_drive_indexer::{Current, Identity, LiveKeyed, Version};

use super::log::Log;

type Lines<'a> = BTreeMap<Option<&'a [u8]>, Version>;

/// Newest version at `tail` of every line of `hash`, by key; `None` is the bare line.
fn lines(log: &Log, hash: u64, tail: u64) -> Lines<'_> {
    log.iter()
        .filter(|(end, slot)| slot.hash == hash && *end <= tail)
        .map(|(end, slot)| (slot.key.as_deref(), Version { end, is_tombstone: slot.is_tombstone }))
        .collect()
}

pub fn newest(log: &Log, hash: u64, key: Option<&[u8]>) -> Option<Version> {
    lines(log, hash, u64::MAX).get(&key).copied()
}

pub fn find(log: &Log, hash: u64, key: &[u8], tail: u64) -> Option<u64> {
    let lines = lines(log, hash, tail);
    let live_end = |key| lines.get(&key).copied().and_then(Version::live_end);
    live_end(Some(key)).or_else(|| live_end(None))
}

pub fn find_by_hash(log: &Log, hash: u64, tail: u64) -> Option<u64> {
    lines(log, hash, tail).into_values().filter_map(Version::live_end).max()
}

pub fn is_current(log: &Log, end: u64, tail: u64) -> bool {
    let slot = log.at(end);
    let lines = lines(log, slot.hash, tail);
    lines.get(&slot.key.as_deref()).copied().and_then(Version::live_end) == Some(end)
}

pub fn live_lines(log: &Log, hash: u64) -> Vec<u64> {
    let lines = lines(log, hash, u64::MAX);
    let mut ends: Vec<_> = lines.into_values().filter_map(Version::live_end).collect();
    ends.sort_unstable();
    ends
}

pub fn current(log: &Log, hash: u64, identity: Identity<'_>) -> Current {
    let lines = lines(log, hash, u64::MAX);
    let live_keyed: Vec<_> =
        lines.iter().filter(|(key, _)| key.is_some()).filter_map(|(_, v)| v.live_end()).collect();
    Current {
        keyed: match identity {
            Identity::Keyed(key) => lines.get(&Some(key)).copied(),
            Identity::Bare => None,
        },
        bare: lines.get(&None).copied(),
        live_keyed: match live_keyed[..] {
            [] => LiveKeyed::None,
            [end] => LiveKeyed::One(end),
            _ => LiveKeyed::Many(live_keyed.len()),
        },
    }
}
