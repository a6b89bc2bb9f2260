//! Keys, values and the order in which they are asked for: the same for every store and in every run.

/// Length of every key, in bytes.
pub const KEY_LEN: usize = 20;

/// Length of the largest value, in bytes.
pub const MAX_VALUE_LEN: usize = 16 << 20;

pub type Key = [u8; KEY_LEN];

/// A bijection that looks random (the finisher of splitmix64).
#[inline]
pub fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The key of entry `number`. Keys of consecutive numbers are in no order.
#[inline]
pub fn key(number: u64) -> Key {
    let mut key = *b"key:................";
    key[4..12].copy_from_slice(&mix(number).to_be_bytes());
    key[12..].copy_from_slice(&mix(!number).to_be_bytes());
    key
}

/// What the first 8 bytes of a value say: of which entry it is, and which version of it.
#[inline]
pub fn stamp(number: u64, version: u64) -> u64 {
    mix(number ^ (version << 40))
}

/// Values of one length. All but their first 8 bytes are the same, and do not compress.
pub struct Values {
    bytes: Vec<u8>,
}

impl Values {
    /// # Panics
    /// If the length is less than 8 bytes.
    pub fn new(len: usize) -> Self {
        assert!(len >= 8, "a value has at least 8 bytes");
        let mut bytes = Vec::with_capacity(len + 8);
        let mut state = 7_u64;
        while bytes.len() < len {
            state = mix(state);
            bytes.extend_from_slice(&state.to_le_bytes());
        }
        bytes.truncate(len);
        Self { bytes }
    }

    pub fn value_len(&self) -> usize {
        self.bytes.len()
    }

    /// The value of entry `number`, in place.
    #[inline]
    pub fn of(&mut self, number: u64, version: u64) -> &[u8] {
        self.bytes[..8].copy_from_slice(&stamp(number, version).to_le_bytes());
        &self.bytes
    }

    /// Whether this is the value of entry `number`, byte by byte.
    #[inline]
    pub fn is_value(&self, value: &[u8], number: u64, version: u64) -> bool {
        match value.split_first_chunk::<8>() {
            Some((first, rest)) => {
                u64::from_le_bytes(*first) == stamp(number, version) && rest == &self.bytes[8..]
            }
            None => false,
        }
    }

    /// Whether this is a value of some entry, and the stamp that it carries.
    #[inline]
    pub fn stamp_of(&self, value: &[u8]) -> Option<u64> {
        let (first, rest) = value.split_first_chunk::<8>()?;
        (rest == &self.bytes[8..]).then_some(u64::from_le_bytes(*first))
    }
}

/// A batch of entries whose memory is used again and again.
pub struct Batch {
    keys: Vec<Key>,
    values: Vec<u8>,
    value_len: usize,
}

impl Batch {
    pub fn new(values: &Values, len: usize) -> Self {
        Self {
            keys: vec![[0; KEY_LEN]; len],
            values: values.bytes.repeat(len),
            value_len: values.value_len(),
        }
    }

    /// Hands out a batch of these entries, at most as many as the batch has room for.
    pub fn fill<T>(
        &mut self,
        numbers: impl Iterator<Item = u64>,
        version: u64,
        act: impl FnOnce(&[(&[u8], &[u8])]) -> T,
    ) -> T {
        let mut len = 0;
        let slots = self.keys.iter_mut().zip(self.values.chunks_exact_mut(self.value_len));
        for ((key_slot, value), number) in slots.zip(numbers) {
            *key_slot = key(number);
            value[..8].copy_from_slice(&stamp(number, version).to_le_bytes());
            len += 1;
        }
        let entries: Vec<(&[u8], &[u8])> = self.keys[..len]
            .iter()
            .zip(self.values.chunks_exact(self.value_len))
            .map(|(key, value)| (&key[..], value))
            .collect();
        act(&entries)
    }
}

/// An endless sequence of numbers below a limit that looks random.
pub struct Random {
    state: u64,
    limit: u64,
}

impl Random {
    pub fn below(limit: u64, seed: u64) -> Self {
        Self { state: mix(seed), limit }
    }
}

impl Iterator for Random {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = mix(self.state);
        // The high half of the product: without a division.
        Some(((u128::from(mixed) * u128::from(self.limit)) >> 64) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Batch, Random, Values, key, stamp};

    #[test]
    fn keys_and_stamps_are_distinct() {
        let keys: HashSet<_> = (0..10_000).map(key).collect();
        assert_eq!(keys.len(), 10_000);
        let stamps: HashSet<_> =
            (0..1000).flat_map(|n| (0..10).map(move |v| stamp(n, v))).collect();
        assert_eq!(stamps.len(), 10_000);
    }

    #[test]
    fn a_value_is_told_from_every_other() {
        for len in [8, 9, 100] {
            let mut values = Values::new(len);
            let value = values.of(5, 1).to_vec();
            assert_eq!(value.len(), len);
            assert!(values.is_value(&value, 5, 1));
            assert!(!values.is_value(&value, 6, 1));
            assert!(!values.is_value(&value, 5, 2));
            assert!(!values.is_value(&value[..len - 1], 5, 1));
            for at in 0..len {
                let mut changed = value.clone();
                changed[at] ^= 1;
                assert!(!values.is_value(&changed, 5, 1), "byte {at} of {len}");
            }
        }
    }

    #[test]
    fn a_batch_holds_the_same_values() {
        let mut values = Values::new(100);
        let mut batch = Batch::new(&values, 4);
        batch.fill([3, 1, 2].into_iter(), 7, |entries| {
            assert_eq!(entries.len(), 3);
            for ((entry_key, value), number) in entries.iter().zip([3, 1, 2]) {
                assert_eq!(*entry_key, key(number));
                assert_eq!(*value, values.of(number, 7));
            }
        });
    }

    #[test]
    fn random_numbers_reach_the_whole_range() {
        let seen: HashSet<_> = Random::below(10, 1).take(1000).collect();
        assert_eq!(seen, (0..10).collect());
    }
}
