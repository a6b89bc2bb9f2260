//! The index of a simd-r-drive store.
//!
//! You probably want [`simd-r-drive`](https://docs.rs/simd-r-drive), the store itself. This crate
//! provides only its index, for building something else on the same log.
//!
//! # Slots, chains, tails
//!
//! A store is a log of *slots*. A slot is identified by its *end*, the byte offset where it stops:
//! a multiple of 64, never 0. It holds one version of one entry: a value, or a *tombstone* that
//! deletes it.
//!
//! The versions of one entry form a *chain*. A chain is identified by a 64-bit hash and a
//! [`ChainKey`]: the exact key bytes, or [`ChainKey::Bare`] for an entry written under a bare hash.
//! Every slot links down to the previous version in its chain.
//!
//! [`KeyIndexer`] maps a hash to the newest slot of each of its chains, almost always exactly one.
//! It stores no key bytes. Where it must compare keys it reads them from the log, through the
//! [`SlotSource`] passed to every call. So a look-up never returns the slot of another key,
//! whatever the hashes are.
//!
//! A reader sees the log up to a *tail* that it loaded before. A slot beyond that tail does not
//! exist for it yet, and the index follows the links down to the version that does. This is why a
//! commit becomes visible all at once, and why a snapshot is a single integer.
//!
//! A bare entry answers for every key of its hash. A store never keeps a bare entry live next to a
//! keyed one: the commit that writes one deletes the other.
//!
//! ```
//! use simd_r_drive_indexer::{ChainKey, Insertion, KeyIndexer, SlotRef, SlotSource};
//!
//! /// A log in memory: slot `n` ends at `64 * (n + 1)`. All keys have the same hash.
//! struct Log(Vec<(&'static [u8], u64)>);
//!
//! impl SlotSource for Log {
//!     type Error = String;
//!     type Slot<'a> = SlotRef<'a>;
//!
//!     fn slot(&self, end: u64) -> Result<SlotRef<'_>, String> {
//!         let number = (end / 64).checked_sub(1).ok_or("no slot ends at 0")?;
//!         let (key, previous_end) =
//!             *self.0.get(number as usize).ok_or_else(|| format!("no slot ends at {end}"))?;
//!         let chain_key = ChainKey::Keyed(key);
//!         Ok(SlotRef { end, chain_key, hash: 7, is_tombstone: false, previous_end })
//!     }
//! }
//!
//! // Two versions of "apple", and "pear", which happens to have the same hash.
//! let log = Log(vec![(b"apple", 0), (b"apple", 64), (b"pear", 0)]);
//! let index = KeyIndexer::new();
//! let value = Insertion {
//!     hash: 7,
//!     end: 64,
//!     replaces: 0,
//!     is_tombstone: false,
//!     is_bare: false,
//!     is_new: false,
//!     is_settled: false,
//! };
//! index.insert(&value, &log)?;
//! index.insert_batch(
//!     &[Insertion { end: 128, replaces: 64, ..value }, Insertion { end: 192, ..value }],
//!     &log,
//! )?;
//!
//! let find = |key: &[u8], tail| {
//!     let slot = index.find(7, key, tail, &log)?;
//!     Ok::<_, String>(slot.map(|slot| slot.end))
//! };
//! assert_eq!(find(b"apple", 192)?, Some(128));
//! assert_eq!(find(b"pear", 192)?, Some(192));
//! assert_eq!(find(b"plum", 192)?, None);
//! // The same as of an earlier tail.
//! assert_eq!(find(b"apple", 64)?, Some(64));
//! assert_eq!(find(b"pear", 64)?, None);
//! # Ok::<(), String>(())
//! ```
//!
//! # Threads
//!
//! Any number of threads read while one writes. There is no global lock: the table is split into
//! shards, and a look-up holds the lock of one shard, shared, for some nanoseconds. No lock is held
//! when a method returns or while the [`SlotSource`] is called.
//!
//! # Arbitrary hashes
//!
//! Hashes may be page numbers, or chosen by an attacker. They are mixed with a secret of the index
//! before they select a place. Keys that share a hash form a group, in which they are found by a
//! second, secret hash of the key bytes: inserting 100,000 keys with one hash takes near-linear
//! time.
//!
//! # In the file
//!
//! [`LayeredIndex`] puts a [`KeyIndexer`] for recent writes over [`FrozenIndex`]es, hash tables in
//! the log itself. They are read through the memory map of the log, without a lock and without
//! memory per key.
//!
//! # Memory
//!
//! 16 bytes and one control byte per hash, in tables filled from 7/16 to 7/8: about 19 to 39 bytes.
//! A hash with several chains takes about 500 bytes more, or about 80 per chain if it has many. In
//! the file, a hash takes 10.7 bytes. Tables in the file take no memory.

#[cfg(test)]
extern crate self as simd_r_drive_indexer;

mod current;
mod filter;
mod fingerprint;
mod frozen;
mod group;
mod groups;
mod indexer;
mod insert;
mod layered;
mod location;
mod mix;
mod packed_slot;
mod place;
mod quick;
mod read;
mod rebuild_source;
mod replay;
mod slot_source;
mod stats;
mod table;
mod version;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
#[cfg(test)]
mod weak_fingerprint_tests;

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use current::{Current, LiveKeyed};
pub use frozen::{BuildError, BuiltTable, FrozenIndex};
pub use indexer::KeyIndexer;
pub use insert::Insertion;
pub use layered::{LayeredIndex, LayeredStats, Merging, TablePlan};
pub use location::Location;
pub use packed_slot::MAX_SLOT_END;
pub use quick::Quick;
pub use rebuild_source::RebuildSource;
pub use slot_source::{ChainKey, Slot, SlotRef, SlotSource};
pub use stats::IndexStats;
pub use version::Version;
