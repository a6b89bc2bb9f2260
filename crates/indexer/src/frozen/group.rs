//! Records of hashes that have several chains.
//!
//! A record is a line with the hash and a summary of its chains, followed by lines of up to four
//! members each, sorted by fingerprint. A *member* is the newest version of one chain.

use simd_r_drive_entry_handle::constants::BLOCK_SIZE;

use super::line::Line;
use super::{FrozenIndex, LineDamaged};
use crate::current::LiveKeyed;
use crate::version::Version;

/// Members per line.
const PER_LINE: usize = 4;
const MEMBER_LEN: usize = 14;
const BLOCK_LEN: usize = 5;

const TOMBSTONE: u8 = 1;
/// Set in the flags of the bare member if there is one.
const PRESENT: u8 = 2;

/// The newest version of one keyed chain of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) fingerprint: u64,
    pub(crate) end: u64,
    pub(crate) is_tombstone: bool,
}

impl Member {
    fn live_end(self) -> Option<u64> {
        (!self.is_tombstone).then_some(self.end)
    }
}

/// A complete record to be written.
#[derive(Debug)]
pub(crate) struct NewRecord {
    pub(crate) hash: u64,
    pub(crate) keyed: Vec<Member>,
    pub(crate) bare: Option<Version>,
}

/// The number of lines of a record with `keyed` keyed members.
pub(crate) fn record_lines(keyed: usize) -> u64 {
    1 + keyed.div_ceil(PER_LINE) as u64
}

impl NewRecord {
    /// The content of the record's lines.
    pub(crate) fn encode(&mut self) -> Vec<Line> {
        self.keyed.sort_unstable();
        let live = || self.keyed.iter().filter_map(|member| member.live_end());
        let newest_keyed = live().max().unwrap_or(0);
        let live_bare = self.bare.and_then(Version::live_end).unwrap_or(0);
        let mut content = Vec::with_capacity(32);
        content.extend_from_slice(&self.hash.to_le_bytes());
        content.extend_from_slice(&(self.keyed.len() as u32).to_le_bytes());
        content.extend_from_slice(&(live().count() as u32).to_le_bytes());
        content.extend_from_slice(&block_bytes(newest_keyed.max(live_bare)));
        content.extend_from_slice(&block_bytes(newest_keyed));
        content.extend_from_slice(&block_bytes(self.bare.map_or(0, |version| version.end)));
        content.push(match self.bare {
            None => 0,
            Some(version) => PRESENT | u8::from(version.is_tombstone),
        });
        let mut lines = vec![Line::record(&content)];
        for members in self.keyed.chunks(PER_LINE) {
            content.clear();
            for member in members {
                content.extend_from_slice(&member.fingerprint.to_le_bytes());
                content.extend_from_slice(&block_bytes(member.end));
                content.push(u8::from(member.is_tombstone));
            }
            lines.push(Line::record(&content));
        }
        lines
    }
}

/// A record read from a table.
pub(crate) struct Record<'a> {
    table: &'a FrozenIndex,
    /// Number of its first line.
    number: u64,
    pub(crate) hash: u64,
    keyed: usize,
    live_keyed: usize,
    newest_live: u64,
    newest_live_keyed: u64,
    pub(crate) bare: Option<Version>,
}

impl<'a> Record<'a> {
    pub(crate) fn load(table: &'a FrozenIndex, number: u64) -> Result<Self, LineDamaged> {
        let line = table.line(number)?;
        let content = &line.content();
        let u32_at = |at: usize| {
            let bytes = content.get(at..).and_then(<[u8]>::first_chunk);
            bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes)) as usize
        };
        let flags = content[31];
        let bare = Version { end: end_at(content, 26), is_tombstone: flags & TOMBSTONE != 0 };
        Ok(Self {
            table,
            number,
            hash: u64_at(content, 0),
            keyed: u32_at(8),
            live_keyed: u32_at(12),
            newest_live: end_at(content, 16),
            newest_live_keyed: end_at(content, 21),
            bare: (flags & PRESENT != 0).then_some(bare),
        })
    }

    /// All lines of the record.
    pub(crate) fn all_lines(&self) -> Result<Vec<Line>, LineDamaged> {
        (0..record_lines(self.keyed)).map(|number| self.line(number)).collect()
    }

    /// Line `number` of the record.
    fn line(&self, number: u64) -> Result<Line, LineDamaged> {
        self.table.line(self.number.saturating_add(number))
    }

    pub(crate) fn keyed_count(&self) -> usize {
        self.keyed
    }

    /// The end of the newest live version of any member.
    pub(crate) fn newest_live(&self) -> Option<u64> {
        (self.newest_live != 0).then_some(self.newest_live)
    }

    pub(crate) fn live_keyed(&self) -> LiveKeyed {
        match self.live_keyed {
            0 => LiveKeyed::None,
            1 => LiveKeyed::One(self.newest_live_keyed),
            many => LiveKeyed::Many(many),
        }
    }

    fn member(&self, number: usize) -> Result<Member, LineDamaged> {
        let line = self.line(1 + (number / PER_LINE) as u64)?;
        let at = number % PER_LINE * MEMBER_LEN;
        let content = &line.content();
        Ok(Member {
            fingerprint: u64_at(content, at),
            end: end_at(content, at + 8),
            is_tombstone: content[at + 8 + BLOCK_LEN] & TOMBSTONE != 0,
        })
    }

    /// The members with a fingerprint: nearly always one or none.
    pub(crate) fn with_fingerprint(&self, fingerprint: u64) -> Result<Vec<Member>, LineDamaged> {
        let (mut low, mut high) = (0, self.keyed);
        while low < high {
            let middle = low.midpoint(high);
            if self.member(middle)?.fingerprint < fingerprint {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut found = Vec::new();
        for number in low..self.keyed {
            let member = self.member(number)?;
            if member.fingerprint != fingerprint {
                break;
            }
            found.push(member);
        }
        Ok(found)
    }

    /// All keyed members.
    pub(crate) fn keyed(&self) -> Result<Vec<Member>, LineDamaged> {
        (0..self.keyed).map(|number| self.member(number)).collect()
    }

    /// The ends of all live members, oldest first.
    pub(crate) fn live_ends(&self) -> Result<Vec<u64>, LineDamaged> {
        let mut ends: Vec<u64> = self.keyed()?.into_iter().filter_map(Member::live_end).collect();
        ends.extend(self.bare.and_then(Version::live_end));
        ends.sort_unstable();
        Ok(ends)
    }
}

fn block_bytes(end: u64) -> [u8; BLOCK_LEN] {
    let [b0, b1, b2, b3, b4, ..] = (end / BLOCK_SIZE).to_le_bytes();
    [b0, b1, b2, b3, b4]
}

fn end_at(content: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    if let Some(block) = content.get(at..at + BLOCK_LEN) {
        bytes[..BLOCK_LEN].copy_from_slice(block);
    }
    u64::from_le_bytes(bytes) * BLOCK_SIZE
}

fn u64_at(content: &[u8], at: usize) -> u64 {
    let bytes = content.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
