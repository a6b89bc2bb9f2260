//! The payloads of special slots.

use crate::bytes::{put, u64_at};

/// Payload of a barrier slot: a durable point that stands in the log itself.
///
/// It is written after a sync of everything before it, so that the loss of the header's hints never turns
/// damage into a torn tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Barrier {
    /// Everything below this offset was on the medium when the barrier was written.
    pub durable_tail: u64,
    /// Seal of the slot that ends there; the identity's checksum if there is none.
    pub durable_seal: u64,
    /// Live keys below the barrier.
    pub live_keys: u64,
    /// Bytes of slots below the barrier that hold no live value.
    pub dead_bytes: u64,
}

impl Barrier {
    /// Length of the payload in bytes: with the trailer, one block.
    pub const LEN: usize = 32;

    /// Reads a barrier's payload; `None` if it has another length.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        if payload.len() != Self::LEN {
            return None;
        }
        Some(Self {
            durable_tail: u64_at(payload, 0)?,
            durable_seal: u64_at(payload, 8)?,
            live_keys: u64_at(payload, 16)?,
            dead_bytes: u64_at(payload, 24)?,
        })
    }

    /// The payload's bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut payload = [0; Self::LEN];
        put(&mut payload, 0, &self.durable_tail.to_le_bytes());
        put(&mut payload, 8, &self.durable_seal.to_le_bytes());
        put(&mut payload, 16, &self.live_keys.to_le_bytes());
        put(&mut payload, 24, &self.dead_bytes.to_le_bytes());
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn barriers_round_trip() {
        let barrier =
            Barrier { durable_tail: 1, durable_seal: u64::MAX, live_keys: 3, dead_bytes: 4 };
        assert_eq!(Barrier::decode(&barrier.encode()), Some(barrier));
        assert_eq!(Barrier::decode(&[0; 31]), None);
        assert_eq!(Barrier::decode(&[0; 33]), None);
    }
}
