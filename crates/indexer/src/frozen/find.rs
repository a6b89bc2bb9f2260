//! Look-ups in a table.

use std::ops::ControlFlow;
use std::sync::PoisonError;

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::group::{Member, Record};
use super::{FrozenIndex, LineDamaged, MAX_DISPLACEMENT};
use crate::current::{Current, LiveKeyed};
use crate::indexer::KeyIndexer;
use crate::rebuild_source::RebuildSource;
use crate::slot_source::{ChainKey, SlotSource};
use crate::version::Version;

/// What a word of a bucket refers to, if its tag matches the hash being looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Candidate {
    /// A slot that ends here.
    Slot(u64),
    /// A record that begins with this line.
    Group(u64),
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
        mut accept: impl FnMut(Candidate) -> Result<ControlFlow<B>, E>,
    ) -> Result<Option<B>, E> {
        let home = self.geometry.bucket(mixed);
        let (tag, tag_mask) = (self.geometry.tag_in_word(mixed), self.geometry.tag_mask());
        let mut line = self.bucket(home)?;
        let mut words = line.displaced()..line.count();
        let mut number = home;
        loop {
            let mut alike = usize::from(line.words_like(tag, tag_mask));
            alike &= (1 << words.end) - (1 << words.start);
            while alike != 0 {
                let at = alike.trailing_zeros() as usize;
                alike &= alike - 1;
                let block = self.geometry.block(line.word(at));
                let candidate = if line.is_group(at) {
                    Candidate::Group(block)
                } else {
                    Candidate::Slot(block * BLOCK_SIZE)
                };
                if let ControlFlow::Break(found) = accept(candidate)? {
                    return Ok(Some(found));
                }
            }
            // Beyond its own bucket, an entry can only be among the displaced words at the start of
            // a line. A line before it is full of displaced words.
            let is_last = if number == home {
                line.overflow() == 0
            } else {
                line.displaced() < super::line::WORDS
            };
            if is_last {
                return Ok(None);
            }
            number += 1;
            if number - home > MAX_DISPLACEMENT {
                return Err(LineDamaged.into());
            }
            line = self.bucket(number)?;
            words = 0..line.displaced();
        }
    }

    /// The first candidate for a mixed hash, so that it can be prefetched.
    #[inline]
    pub(crate) fn first(&self, mixed: u64) -> Result<Option<Candidate>, LineDamaged> {
        self.search(mixed, |candidate| Ok::<_, LineDamaged>(ControlFlow::Break(candidate)))
    }

    /// Where the live slot of `key` ends, or else the live bare entry of its hash. `None` if the
    /// table does not hold the hash; `Some(None)` if it does but there is no such slot.
    #[inline]
    pub(crate) fn find<S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        mixed: u64,
        key: &[u8],
        source: &S,
    ) -> Result<Option<Option<u64>>, Failure<S::Error>> {
        self.search(mixed, |candidate| match candidate {
            Candidate::Slot(end) => {
                let slot = source.slot(end).map_err(Failure::Source)?;
                let live_end = (!slot.is_tombstone).then_some(end);
                Ok(match slot.identity {
                    ChainKey::Keyed(other) if other == key => ControlFlow::Break(live_end),
                    // Most likely an entry of another hash. If not, it is the only chain of this
                    // one.
                    _ if source.hash_of(&slot) != hash => ControlFlow::Continue(()),
                    ChainKey::Keyed(_) => ControlFlow::Break(None),
                    ChainKey::Bare => ControlFlow::Break(live_end),
                })
            }
            Candidate::Group(line) => {
                let record = Record::load(self, line)?;
                if record.hash != hash {
                    return Ok(ControlFlow::Continue(()));
                }
                self.find_in(&record, key, source).map(ControlFlow::Break)
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
            if slot.identity == ChainKey::Keyed(key) {
                return Ok(Some(member));
            }
        }
        Ok(None)
    }

    pub(crate) fn fingerprint(&self, key: &[u8]) -> u64 {
        fingerprint(key, self.mixer.fingerprint_seed)
    }

    /// What the table holds under a hash; `None` if it does not hold the hash.
    #[inline]
    pub(crate) fn held<'s, S: SlotSource + ?Sized>(
        &self,
        hash: u64,
        mixed: u64,
        source: &'s S,
    ) -> Result<Option<Held<'_, 's>>, Failure<S::Error>> {
        self.search(mixed, |candidate| match candidate {
            Candidate::Slot(end) => {
                let slot = source.slot(end).map_err(Failure::Source)?;
                if source.hash_of(&slot) != hash {
                    return Ok(ControlFlow::Continue(()));
                }
                let version = Version { end, is_tombstone: slot.is_tombstone };
                let identity = slot.identity;
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
        self.search(mixed, |candidate| match candidate {
            Candidate::Slot(other) if other == end => Ok(ControlFlow::Break(true)),
            Candidate::Slot(_) if self.is_complete() => Ok(ControlFlow::Continue(())),
            Candidate::Slot(other) => {
                let slot = source.slot(other).map_err(Failure::Source)?;
                let is_hash = source.hash_of(&slot) == hash;
                Ok(if is_hash { ControlFlow::Break(false) } else { ControlFlow::Continue(()) })
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
        let found = self.search(mixed, |candidate| {
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
        let current = match self.held(hash, mixed, source)? {
            None => return Ok(None),
            Some(Held::Single { version, identity: ChainKey::Bare }) => {
                Current { bare: Some(version), is_known_hash: true, ..Current::default() }
            }
            Some(Held::Single { version, identity: found }) => Current {
                keyed: (found == identity).then_some(version),
                bare: None,
                is_known_hash: true,
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
