//! The payloads of special slots.

use crate::bytes::{put, u64_at};

const AT_DURABLE_TAIL: usize = 0;
const AT_DURABLE_SEAL: usize = 8;
const AT_LIVE_KEYS: usize = 16;
const AT_DEAD_BYTES: usize = 24;
const AT_DEAD_SLOTS: usize = 32;
const AT_ALL_HASHES: usize = 40;
const AT_TABLES: usize = 48;

/// The payload of a barrier slot: a durable point in the log itself, and the index tables that are
/// in use there.
///
/// A barrier is written after everything before it has been flushed. So damage is never mistaken
/// for a torn tail, even if the hints in the header are lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Barrier {
    /// Everything below this offset was on the medium when the barrier was written.
    pub durable_tail: u64,
    /// Seal of the slot that ends there, or the identity's checksum if none does.
    pub durable_seal: u64,
    /// Live keys below the barrier.
    pub live_keys: u64,
    /// Bytes of slots below the barrier that hold no live value.
    pub dead_bytes: u64,
    /// The tables in use; `None` if there are none.
    pub tables: Option<BarrierTables>,
}

/// The tables that are in use at a barrier.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BarrierTables {
    /// Slots below the barrier that hold no live value.
    pub dead_slots: u64,
    /// Upper bound on the number of distinct hashes in the tables.
    pub all_hashes: u64,
    /// Where the index slots of the tables end, newest table first. From one to
    /// [`Barrier::MAX_TABLES`].
    pub ends: Vec<u64>,
}

impl Barrier {
    /// Length in bytes of a payload without tables. Together with the trailer, it fills one block.
    pub const MIN_LEN: usize = AT_DEAD_SLOTS;

    /// The most tables that a barrier can name.
    pub const MAX_TABLES: usize = 10;

    /// Largest length of a payload in bytes.
    pub const MAX_LEN: usize = Self::len_with(Self::MAX_TABLES);

    /// Length of the payload in bytes.
    pub fn payload_len(&self) -> usize {
        Self::len_with(self.tables.as_ref().map_or(0, |tables| tables.ends.len()))
    }

    /// Length in bytes of the payload of a barrier that names `tables` tables.
    pub const fn len_with(tables: usize) -> usize {
        if tables == 0 { Self::MIN_LEN } else { AT_TABLES.saturating_add(tables.saturating_mul(8)) }
    }

    /// Reads a barrier's payload. `None` if no barrier has a payload of this length.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let tables = match payload.get(AT_TABLES..) {
            None if payload.len() == Self::MIN_LEN => None,
            Some(ends) if !ends.is_empty() && payload.len() <= Self::MAX_LEN => {
                let (ends, []) = ends.as_chunks() else { return None };
                Some(BarrierTables {
                    dead_slots: u64_at(payload, AT_DEAD_SLOTS)?,
                    all_hashes: u64_at(payload, AT_ALL_HASHES)?,
                    ends: ends.iter().map(|end| u64::from_le_bytes(*end)).collect(),
                })
            }
            _ => return None,
        };
        Some(Self {
            durable_tail: u64_at(payload, AT_DURABLE_TAIL)?,
            durable_seal: u64_at(payload, AT_DURABLE_SEAL)?,
            live_keys: u64_at(payload, AT_LIVE_KEYS)?,
            dead_bytes: u64_at(payload, AT_DEAD_BYTES)?,
            tables,
        })
    }

    /// The payload's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = vec![0; self.payload_len()];
        put(&mut payload, AT_DURABLE_TAIL, &self.durable_tail.to_le_bytes());
        put(&mut payload, AT_DURABLE_SEAL, &self.durable_seal.to_le_bytes());
        put(&mut payload, AT_LIVE_KEYS, &self.live_keys.to_le_bytes());
        put(&mut payload, AT_DEAD_BYTES, &self.dead_bytes.to_le_bytes());
        if let Some(tables) = &self.tables {
            put(&mut payload, AT_DEAD_SLOTS, &tables.dead_slots.to_le_bytes());
            put(&mut payload, AT_ALL_HASHES, &tables.all_hashes.to_le_bytes());
            for (at, end) in (AT_TABLES..).step_by(8).zip(&tables.ends) {
                put(&mut payload, at, &end.to_le_bytes());
            }
        }
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn barriers_round_trip() {
        let mut barrier = Barrier {
            durable_tail: 1,
            durable_seal: u64::MAX,
            live_keys: 3,
            dead_bytes: 4,
            tables: None,
        };
        assert_eq!(barrier.encode().len(), Barrier::MIN_LEN);
        assert_eq!(Barrier::decode(&barrier.encode()), Some(barrier.clone()));
        for count in 1..=Barrier::MAX_TABLES {
            let ends = (1..).map(|number| number << 40).take(count).collect();
            barrier.tables = Some(BarrierTables { dead_slots: 5, all_hashes: 6, ends });
            let payload = barrier.encode();
            assert_eq!(payload.len(), barrier.payload_len());
            assert_eq!(Barrier::decode(&payload), Some(barrier.clone()));
        }
        for len in (0..200).filter(|len| *len != 32 && !(56..=128).step_by(8).any(|it| it == *len))
        {
            assert_eq!(Barrier::decode(&vec![0; len]), None, "{len} bytes");
        }
    }
}
