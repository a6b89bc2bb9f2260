//! Look-ups in a table.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::group::{Member, Record};
use super::line::WORDS;
use super::{Checks, FrozenIndex, LineDamaged, MAX_DISPLACEMENT};
use crate::current::{Current, LiveKeyed};
use crate::indexer::KeyIndexer;
use crate::quick::{Quick, quick_slot_of};
use crate::rebuild_source::RebuildSource;
use crate::slot_source::{ChainKey, Slot as _, SlotSource};
use crate::version::Version;

/// What a word of a bucket refers to, if its tag matches the hash being looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// A slot that ends here.
    Slot(u64),
    /// A record that begins with this line.
    Group(u64),
}

/// What a bucket tells at once.
pub(crate) enum Likely {
    /// The table does not hold the hash.
    Absent,
    /// The first candidate. There may be more.
    First(Candidate),
    /// Only a search can tell.
    Unclear,
}

/// Why a look-up failed.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    Line,
    Source(E),
}

impl<E> From<LineDamaged> for Failure<E> {
    fn from(_: LineDamaged) -> Self {
        Self::Line
    }
}

/// What a table holds under a hash.
pub(crate) enum Held<'t, 's> {
    /// The only chain of the hash.
    Single {
        version: Version,
        identity: ChainKey<'s>,
    },
    Group(Record<'t>),
}

impl FrozenIndex {
    /// Passes the words whose tag matches a mixed hash to `accept`, until it breaks.
    #[inline]
    fn search<B, E: From<LineDamaged>>(
        &self,
        mixed: u64,
        checks: Checks,
        mut accept: impl FnMut(Candidate) -> Result<ControlFlow<B>, E>,
    ) -> Result<Option<B>, E> {
        let home = self.geometry.bucket(mixed);
        let (tag, tag_mask) = (self.geometry.tag_in_word(mixed), self.geometry.tag_mask());
        let mut number = home;
        loop {
            let bucket = self.bucket(number, checks)?;
            let mut alike = bucket.words_like(tag);
            while alike != 0 {
                let at = (alike.trailing_zeros() / 8) as usize;
                alike &= alike - 1;
                let word = bucket.word(at);
                if word & tag_mask != tag {
                    continue;
                }
                let counts = bucket.counts().ok_or(LineDamaged)?;
                // Beyond its own bucket, an entry can only be among the displaced words at the
                // start of a line.
                let displaced = counts.displaced();
                let words = if number == home { displaced..counts.words() } else { 0..displaced };
                if !words.contains(&at) {
                    continue;
                }
                let candidate = self.candidate(word, counts.is_group(at));
                if let ControlFlow::Break(found) = accept(candidate)? {
                    return Ok(Some(found));
                }
            }
            // Before the last line with a displaced entry, lines are full of displaced words.
            let counts = bucket.counts().ok_or(LineDamaged)?;
            let is_last =
                if number == home { counts.overflow() == 0 } else { counts.displaced() < WORDS };
            if is_last {
                return Ok(None);
            }
            number += 1;
            if number - home > MAX_DISPLACEMENT {
                return Err(LineDamaged.into());
            }
        }
    }

    /// What the bucket of a mixed hash tells at once, which nearly always is enough.
    #[inline(always)]
    pub(crate) fn likely(&self, mixed: u64) -> Result<Likely, LineDamaged> {
        let home = self.geometry.bucket(mixed);
        let tag = self.geometry.tag_in_word(mixed);
        for distance in 0..2 {
            let bucket = self.bucket(home + distance, Checks::Once)?;
            let alike = bucket.words_like(tag);
            let counts = bucket.counts().ok_or(LineDamaged)?;
            let (displaced, words) = (counts.displaced(), counts.words());
            if alike == 0 {
                let is_last =
                    if distance == 0 { counts.overflow() == 0 } else { displaced < WORDS };
                if is_last {
                    return Ok(Likely::Absent);
                }
                continue;
            }
            let at = (alike.trailing_zeros() / 8) as usize;
            let word = bucket.word(at);
            let own = if distance == 0 { displaced..words } else { 0..displaced };
            if word & self.geometry.tag_mask() != tag || !own.contains(&at) {
                break;
            }
            return Ok(Likely::First(self.candidate(word, counts.is_group(at))));
        }
        Ok(Likely::Unclear)
    }

    /// What a word refers to.
    #[inline(always)]
    fn candidate(&self, word: u64, is_group: bool) -> Candidate {
        let block = self.geometry.block(word);
        if is_group { Candidate::Group(block) } else { Candidate::Slot(block * BLOCK_SIZE) }
    }

    /// The live slot of `key`, in the usual case. `None` if the table does not hold its hash, so
    /// that the tables below answer.
    #[inline(always)]
    pub(crate) fn quick_find<'s, S: SlotSource + ?Sized>(
        &self,
        mixed: u64,
        key: &[u8],
        source: &'s S,
    ) -> Option<Quick<S::Slot<'s>>> {
        match self.likely(mixed) {
            Ok(Likely::Absent) => None,
            Ok(Likely::First(Candidate::Slot(end))) => Some(quick_slot_of(key, end, source)),
            _ => Some(Quick::Unclear),
        }
    }

    /// The live slot of `key`, or else the live bare entry of its hash. `None` if the table does not
    /// hold the hash; `Some(None)` if it does but there is no such slot.
    pub(crate) fn find<'s, S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        mixed: u64,
        key: &[u8],
        source: &'s S,
    ) -> Result<Option<Option<S::Slot<'s>>>, Failure<S::Error>> {
        self.search(mixed, Checks::Once, |candidate| match candidate {
            Candidate::Slot(end) => {
                let slot = source.slot(end).map_err(Failure::Source)?;
                let live = (!slot.is_tombstone()).then_some(slot);
                Ok(match slot.chain_key() {
                    ChainKey::Keyed(other) if other == key => ControlFlow::Break(live),
                    // Most likely an entry of another hash. If not, it is the only chain of this
                    // one.
                    _ if slot.hash() != hash => ControlFlow::Continue(()),
                    ChainKey::Keyed(_) => ControlFlow::Break(None),
                    ChainKey::Bare => ControlFlow::Break(live),
                })
            }
            Candidate::Group(line) => {
                let record = Record::load(self, line)?;
                if record.hash != hash {
                    return Ok(ControlFlow::Continue(()));
                }
                let end = self.find_in(&record, key, source)?;
                let slot = end.map(|end| source.slot(end)).transpose();
                slot.map(ControlFlow::Break).map_err(Failure::Source)
            }
        })
    }

    #[cold]
    fn find_in<S: SlotSource + ?Sized>(
        &self,
        record: &Record<'_>,
        key: &[u8],
        source: &S,
    ) -> Result<Option<u64>, Failure<S::Error>> {
        let keyed = self.member_of(record, key, source)?;
        if let Some(member) = keyed.filter(|member| !member.is_tombstone) {
            return Ok(Some(member.end));
        }
        Ok(record.bare.and_then(Version::live_end))
    }

    /// The member for the chain of `key`.
    fn member_of<S: SlotSource + ?Sized>(
        &self,
        record: &Record<'_>,
        key: &[u8],
        source: &S,
    ) -> Result<Option<Member>, Failure<S::Error>> {
        for member in record.with_fingerprint(self.fingerprint(key))? {
            let slot = source.slot(member.end).map_err(Failure::Source)?;
            if slot.chain_key() == ChainKey::Keyed(key) {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }

    pub(crate) fn fingerprint(&self, key: &[u8]) -> u64 {
        fingerprint(key, self.fingerprint_seed)
    }

    /// What the table holds under a hash; `None` if it does not hold the hash.
    #[inline]
    pub(crate) fn held<'s, S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        mixed: u64,
        checks: Checks,
        source: &'s S,
    ) -> Result<Option<Held<'_, 's>>, Failure<S::Error>> {
        self.search(mixed, checks, |candidate| match candidate {
            Candidate::Slot(end) => {
                let slot = source.slot(end).map_err(Failure::Source)?;
                if slot.hash() != hash {
                    return Ok(ControlFlow::Continue(()));
                }
                let version = Version { end, is_tombstone: slot.is_tombstone() };
                let identity = slot.chain_key();
                Ok(ControlFlow::Break(Held::Single { version, identity }))
            }
            Candidate::Group(line) => {
                let record = Record::load(self, line)?;
                if record.hash != hash {
                    return Ok::<_, Failure<S::Error>>(ControlFlow::Continue(()));
                }
                Ok(ControlFlow::Break(Held::Group(record)))
            }
        })
    }

    /// Whether the table holds the slot that ends at `end`, with this hash and identity. `None` if
    /// it does not hold the hash. If it holds the slot, the slot is not read.
    #[inline]
    pub(crate) fn holds<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        mixed: u64,
        end: u64,
        identity: ChainKey<'_>,
        source: &S,
    ) -> Result<Option<bool>, Failure<S::Error>> {
        self.search(mixed, Checks::Once, |candidate| match candidate {
            Candidate::Slot(other) if other == end => Ok(ControlFlow::Break(true)),
            Candidate::Slot(_) if self.is_complete() => Ok(ControlFlow::Continue(())),
            Candidate::Slot(other) => {
                let slot = source.slot(other).map_err(Failure::Source)?;
                Ok(if slot.hash() == hash {
                    ControlFlow::Break(false)
                } else {
                    ControlFlow::Continue(())
                })
            }
            Candidate::Group(line) => {
                let record = Record::load(self, line)?;
                if record.hash != hash {
                    return Ok::<_, Failure<S::Error>>(ControlFlow::Continue(()));
                }
                Ok(ControlFlow::Break(self.record_holds(&record, end, identity)?))
            }
        })
    }

    /// Whether the table holds the slot that ends at `end` as the only chain of some hash.
    pub(crate) fn is_single(&self, mixed: u64, end: u64) -> Result<bool, LineDamaged> {
        let found = self.search(mixed, Checks::Always, |candidate| {
            Ok::<_, LineDamaged>(if candidate == Candidate::Slot(end) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        })?;
        Ok(found.is_some())
    }

    #[cold]
    fn record_holds(
        &self,
        record: &Record<'_>,
        end: u64,
        identity: ChainKey<'_>,
    ) -> Result<bool, LineDamaged> {
        Ok(match identity {
            ChainKey::Bare => record.bare.is_some_and(|bare| bare.end == end),
            ChainKey::Keyed(key) => {
                let members = record.with_fingerprint(self.fingerprint(key))?;
                members.iter().any(|member| member.end == end)
            }
        })
    }

    /// See [`KeyIndexer::current`]; `None` if the table does not hold the hash.
    pub(crate) fn current<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        mixed: u64,
        identity: ChainKey<'_>,
        source: &S,
    ) -> Result<Option<Current>, Failure<S::Error>> {
        let current = match self.held(hash, mixed, Checks::Always, source)? {
            None => return Ok(None),
            Some(Held::Single { version, identity: ChainKey::Bare }) => Current {
                bare: Some(version),
                is_known_hash: true,
                is_settled: identity == ChainKey::Bare,
                ..Current::default()
            },
            Some(Held::Single { version, identity: found }) => Current {
                keyed: (found == identity).then_some(version),
                bare: None,
                is_known_hash: true,
                is_settled: found == identity,
                live_keyed: version.live_end().map_or(LiveKeyed::None, LiveKeyed::One),
            },
            Some(Held::Group(record)) => {
                let member = match identity {
                    ChainKey::Keyed(key) => self.member_of(&record, key, source)?,
                    ChainKey::Bare => None,
                };
                let version =
                    |member: Member| Version { end: member.end, is_tombstone: member.is_tombstone };
                Current {
                    keyed: member.map(version),
                    bare: record.bare,
                    is_known_hash: true,
                    is_settled: false,
                    live_keyed: record.live_keyed(),
                }
            }
        };
        Ok(Some(current))
    }

    /// Returns an index in memory of the same slots, built from the log because a line is damaged.
    /// Once built, it answers in place of the table.
    ///
    /// # Locking
    ///
    /// Threads that need it at the same time wait for the one that builds it.
    #[cold]
    pub(crate) fn rebuild<S: RebuildSource + ?Sized>(
        &self,
        source: &S,
    ) -> Result<&KeyIndexer, S::Error> {
        let _until_free = source.under_lock();
        let _one_at_a_time = self.rebuilding.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = self.rebuilt.get() {
            return Ok(index);
        }
        let index = source.rebuild(self.tail())?;
        Ok(self.rebuilt.get_or_init(|| index))
    }

    #[inline]
    pub(crate) fn rebuilt(&self) -> Option<&KeyIndexer> {
        self.rebuilt.get()
    }
}

/// The secret hash that orders the keys of one hash.
pub(crate) fn fingerprint(key: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(key, seed)
}
