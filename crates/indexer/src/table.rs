//! The main table: one word per hash, in shards with a lock each.

use dashmap::{DashMap, SharedValue};

use simd_r_drive_entry_handle::prefetch;

use crate::mix::Mixer;
use crate::packed_slot::PackedSlot;

/// A shard holds its lock while it grows and moves its entries, so small shards keep that pause
/// short. A fixed number, because asking how many processors there are takes longer than opening a
/// store.
const SHARDS: usize = 128;

/// Maps a hash to its [`PackedSlot`].
///
/// Only this type knows the shards. All access goes through [`Mixer::mix`] and the shard it selects.
/// No guard escapes a method, and the code that runs under one belongs to this crate and neither
/// blocks nor locks.
pub(crate) struct Table {
    shards: DashMap<u64, PackedSlot, Mixer>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { shards: DashMap::with_hasher_and_shard_amount(Mixer::random(), SHARDS) }
    }

    #[inline]
    fn mix(&self, hash: u64) -> u64 {
        self.shards.hasher().mix(hash)
    }

    #[inline]
    fn shard_of(&self, mixed: u64) -> usize {
        self.shards.determine_shard(mixed as usize)
    }

    #[inline]
    pub(crate) fn get(&self, hash: u64) -> Option<PackedSlot> {
        let mixed = self.mix(hash);
        let shard = self.shards.shards()[self.shard_of(mixed)].read();
        shard.get(mixed, |(other, _)| *other == hash).map(|(_, slot)| *slot.get())
    }

    /// Prefetches what a look-up of `hash` will read, and what its insertion will write.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        let mixed = self.mix(hash);
        let shard = self.shards.shards()[self.shard_of(mixed)].read();
        let (end, buckets) = (shard.data_end(), shard.buckets());
        drop(shard);
        // The control bytes follow the entries, whose order is reversed.
        let bucket = mixed as usize & (buckets - 1);
        prefetch(end.as_ptr().cast::<u8>().wrapping_add(bucket));
        prefetch(end.as_ptr().wrapping_sub(bucket + 1).cast::<u8>());
    }

    /// Sets the slot of `hash`, or removes it.
    pub(crate) fn set(&self, hash: u64, slot: Option<PackedSlot>) {
        match slot {
            Some(slot) => {
                self.update(hash, |_| Some(slot));
            }
            None => {
                let mixed = self.mix(hash);
                let mut shard = self.shards.shards()[self.shard_of(mixed)].write();
                shard.remove_entry(mixed, |(other, _)| *other == hash);
            }
        }
    }

    /// Shows `decide` the slot of `hash` and stores what it returns, if anything. Returns the
    /// previous slot.
    #[inline]
    pub(crate) fn update(
        &self,
        hash: u64,
        decide: impl FnOnce(Option<PackedSlot>) -> Option<PackedSlot>,
    ) -> Option<PackedSlot> {
        let mixed = self.mix(hash);
        let mut shard = self.shards.shards()[self.shard_of(mixed)].write();
        if let Some((_, slot)) = shard.get_mut(mixed, |(other, _)| *other == hash) {
            let before = *slot.get();
            if let Some(after) = decide(Some(before)) {
                *slot.get_mut() = after;
            }
            return Some(before);
        }
        if let Some(after) = decide(None) {
            shard.insert_entry(mixed, (hash, SharedValue::new(after)), |(h, _)| self.mix(*h));
        }
        None
    }

    /// Makes room for `additional` more hashes, assuming they spread evenly over the shards.
    pub(crate) fn reserve(&self, additional: usize) {
        let shards = self.shards.shards();
        let mean = additional / shards.len() + 1;
        // The fill of a shard deviates by about the square root of its mean. Six deviations leave
        // no shard to grow later.
        let share = if additional == 0 { 0 } else { mean + 6 * mean.isqrt() };
        for shard in shards {
            shard.write().reserve(share, |(hash, _)| self.mix(*hash));
        }
    }

    /// Calls `visit` for every hash, in no particular order, each under its shard's lock.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(u64, PackedSlot)) {
        for entry in self.shards.iter() {
            visit(*entry.key(), *entry.value());
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.shards().iter().map(|shard| shard.read().len()).sum()
    }

    /// The memory of all shards: one control byte and one entry per bucket.
    pub(crate) fn heap_bytes(&self) -> usize {
        let bucket_len = size_of::<(u64, PackedSlot)>() + 1;
        self.shards.shards().iter().map(|shard| shard.read().buckets() * bucket_len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Families of hashes that callers use or attackers choose, `n` members each.
    fn families(n: u64) -> Vec<(&'static str, Vec<u64>)> {
        vec![
            ("1, 2, 3, ...", (1..=n).collect()),
            ("multiples of 64", (1..=n).map(|i| i << 6).collect()),
            ("low half empty", (1..=n).map(|i| i << 32).collect()),
            ("high bits only", (1..=n).map(|i| i << (64 - n.ilog2() - 1)).collect()),
            ("just below the top", (1..=n).map(u64::wrapping_neg).collect()),
            ("a byte each", (1..=n).map(|i| (i & 0xFF) << 40 | (i >> 8)).collect()),
        ]
    }

    /// How far counts deviate from an even spread: about 1 for random hashes, 0 for perfectly even
    /// ones. The secrets are random, so the bounds leave room: the maximum of 20,000 tries was 1.8.
    fn chi_square_per_slot(counts: &[usize]) -> f64 {
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        let deviation = |count: &usize| (*count as f64 - mean).powi(2) / mean;
        counts.iter().map(deviation).sum::<f64>() / counts.len() as f64
    }

    #[test]
    fn patterned_hashes_spread_over_shards() {
        for (name, hashes) in families(1 << 16) {
            let table = Table::new();
            for &hash in &hashes {
                table.set(hash, Some(PackedSlot::group(hash)));
            }
            let counts: Vec<_> =
                table.shards.shards().iter().map(|shard| shard.read().len()).collect();
            assert_eq!(table.len(), hashes.len(), "{name}");
            let spread = chi_square_per_slot(&counts);
            assert!(spread < 2.5, "{name}: {spread} over {} shards", counts.len());
        }
    }

    /// The table selects a bucket by the low bits, and compares the top seven bits before it looks
    /// at an entry.
    #[test]
    fn patterned_hashes_spread_over_buckets_and_control_bytes() {
        for (name, hashes) in families(1 << 16) {
            let table = Table::new();
            let mut buckets = vec![0; 1 << 12];
            let mut control_bytes = vec![0; 1 << 7];
            for &hash in &hashes {
                let mixed = table.mix(hash);
                buckets[mixed as usize & 0xFFF] += 1;
                control_bytes[(mixed >> 57) as usize] += 1;
            }
            let spread = chi_square_per_slot(&buckets);
            assert!(spread < 2.5, "{name}: {spread} over buckets");
            let spread = chi_square_per_slot(&control_bytes);
            assert!(spread < 2.5, "{name}: {spread} over control bytes");
        }
    }

    #[test]
    fn two_tables_do_not_share_their_secret() {
        let (a, b) = (Table::new(), Table::new());
        assert!((1..=8).any(|hash| a.mix(hash) != b.mix(hash)));
    }

    #[test]
    fn room_once_made_suffices() {
        let table = Table::new();
        table.reserve(100_000);
        let bytes = table.heap_bytes();
        for hash in 0..100_000 {
            table.set(hash, Some(PackedSlot::group(hash)));
        }
        assert_eq!(table.heap_bytes(), bytes);
    }
}
