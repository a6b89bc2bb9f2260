//! Small store files, built from fixed seeds. The same input gives the same bytes. False contents
//! are sealed correctly, so that they pass the checksums.

use arbitrary::Arbitrary;
use simd_r_drive_entry_handle::constants::{BLOCK_SIZE, METADATA_SIZE, PAGE_SIZE};
use simd_r_drive_entry_handle::{
    Alignment, Barrier, BarrierTables, Checkpoint, Flags, Identity, IdentitySeeds, Kind, Layout,
    PublishedTail, Trailer,
};

use crate::keys;

/// Length of the longest file that is built, in bytes.
const MAX_LEN: u64 = 8 << 20;

/// A recipe for a store file.
#[derive(Debug, Arbitrary)]
pub struct Image {
    alignment: Align,
    slots: Vec<Slot>,
    checkpoints: [Option<Hint>; 2],
    published: Option<Hint>,
    damage: Vec<Damage>,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Align {
    A64,
    A128,
    A4096,
    A65536,
}

/// A recipe for a slot. False fields are sealed correctly, too.
#[derive(Debug, Arbitrary)]
struct Slot {
    content: Content,
    is_commit: bool,
    is_opaque: bool,
    replaces_live: bool,
    previous: Option<Place>,
    wrong: Option<Wrong>,
}

#[derive(Debug, Arbitrary)]
enum Content {
    Value {
        key: u8,
        len: u16,
        byte: u8,
    },
    Bare {
        hash: u8,
        len: u8,
        byte: u8,
    },
    Delete {
        key: u8,
    },
    DeleteBare {
        hash: u8,
    },
    Barrier {
        durable: Hint,
        live_keys: u64,
        dead_bytes: u64,
        /// None of the slots that are built here is a table, so these are always wrong.
        tables: Vec<Place>,
        all_hashes: u64,
    },
    Index {
        len: u16,
        byte: u8,
    },
    /// Any kind with any payload and key.
    Odd {
        kind: u8,
        is_bare: bool,
        key: [u8; 8],
        payload: [u8; 32],
    },
    /// A second store inside a payload.
    Nested,
}

/// A place in the log.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Place {
    /// The end of the slot with this number, modulo the number of slots.
    Slot(u8),
    /// Any block.
    Block(u32),
    Header,
    FarAway(u64),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
struct Hint {
    place: Place,
    /// XORed with the right seal.
    wrong_seal: u8,
    flag: bool,
    sequence: u8,
    barrier: Place,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Wrong {
    Link,
    Crc,
    Seal,
    /// The payload claims to be this many blocks longer, so that the slot covers the blocks before
    /// it.
    Longer(u8),
    Length(u64),
    Padding,
    /// The next slot overwrites this one. What it does not cover stays.
    Abandoned,
}

/// A change to the finished file.
#[derive(Debug, Arbitrary)]
enum Damage {
    Set { at: u32, byte: u8 },
    Flip { at: u32, bit: u8 },
    Truncate { len: u32 },
    Extend { zeros: u32 },
    Append { bytes: Vec<u8> },
    Copy { from: u32, to: u32, len: u16 },
    Zero { from: u32, len: u16 },
}

/// The identity of all images with this alignment.
pub fn identity(alignment: Alignment) -> Identity {
    let seeds =
        IdentitySeeds { store_id: [1; 16], file_id: [2; 16], seal_key: *b"a secret of none" };
    Identity::new(seeds, alignment, 0, 0)
}

/// A file that is being built.
struct File {
    identity: Identity,
    layout: Layout,
    /// Where the next slot starts. What is beyond has been abandoned.
    tail: usize,
    bytes: Vec<u8>,
    /// End and seal of each point that a hint may name. The first is the end of the header.
    points: Vec<(u64, u64)>,
    predecessor: u32,
}

impl Image {
    /// Builds the file.
    pub fn build(&self) -> Vec<u8> {
        let log2 = match self.alignment {
            Align::A64 => 6,
            Align::A128 => 7,
            Align::A4096 => 12,
            Align::A65536 => 16,
        };
        let alignment = Alignment::from_log2(log2).expect("a legal alignment");
        let mut file = File::new(identity(alignment));
        for slot in &self.slots {
            file.push(slot);
        }
        file.write_hints(self);
        let mut bytes = file.bytes;
        for damage in &self.damage {
            damage.apply(&mut bytes);
        }
        bytes
    }
}

impl File {
    fn new(identity: Identity) -> Self {
        let layout = identity.layout();
        let header_len = layout.header_len();
        let mut bytes = vec![0; header_len as usize];
        bytes[..PAGE_SIZE].copy_from_slice(&identity.encode());
        let points = vec![(header_len, identity.checksum())];
        let tail = bytes.len();
        Self { identity, layout, tail, bytes, points, predecessor: layout.root() }
    }

    fn resolve(&self, place: Place) -> (u64, u64) {
        match place {
            Place::Slot(number) => self.points[usize::from(number) % self.points.len()],
            Place::Block(block) => (u64::from(block) * BLOCK_SIZE, 0),
            Place::Header => self.points[0],
            Place::FarAway(offset) => (offset, 0),
        }
    }

    fn push(&mut self, slot: &Slot) {
        let (kind, is_bare, key, payload) = self.content(&slot.content);
        let Ok(len) = self.layout.slot_len(payload.len(), key.len()) else { return };
        let start = self.tail;
        let end = start + len as usize;
        if end as u64 > MAX_LEN {
            return;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        let bytes = &mut self.bytes[start..end];
        bytes.fill(0);
        bytes[..payload.len()].copy_from_slice(&payload);
        let mut trailer = Trailer {
            payload_len: payload.len() as u64,
            key_len: key.len() as u16,
            previous_end: slot.previous.map_or(0, |place| self.resolve(place).0),
            kind,
            flags: Flags::NONE
                .with_if(Flags::COMMIT, slot.is_commit)
                .with_if(Flags::OPAQUE, slot.is_opaque)
                .with_if(Flags::REPLACES_LIVE, slot.replaces_live)
                .with_if(Flags::BARE_HASH, is_bare),
            written_at: start as u64,
            payload_crc: if slot.is_opaque { 0 } else { crc32fast::hash(&payload) },
        };
        let mut predecessor = self.predecessor;
        match slot.wrong {
            Some(Wrong::Link) => predecessor ^= 1,
            Some(Wrong::Crc) => trailer.payload_crc ^= 1,
            Some(Wrong::Longer(blocks)) => trailer.payload_len += u64::from(blocks) * BLOCK_SIZE,
            Some(Wrong::Length(len)) => trailer.payload_len = len,
            Some(Wrong::Padding) => {
                // If there is no padding, this is a part of key or trailer, which is overwritten
                // below.
                self.bytes[start + payload.len()] ^= 1;
            }
            Some(Wrong::Seal | Wrong::Abandoned) | None => {}
        }
        let at = end - key.len() - METADATA_SIZE;
        let seal = self
            .layout
            .seal_into(&mut self.bytes[at..end], &key, trailer, end as u64, predecessor)
            .expect("the key fits");
        self.points.push((end as u64, seal.0));
        match slot.wrong {
            Some(Wrong::Seal) => self.bytes[end - 5] ^= 1,
            Some(Wrong::Abandoned) => return,
            _ => {}
        }
        self.tail = end;
        self.predecessor = seal.self_half();
    }

    fn content(&self, content: &Content) -> (Kind, bool, Vec<u8>, Vec<u8>) {
        let bare = |hash: u8| keys::hash(hash).to_le_bytes().to_vec();
        match *content {
            Content::Value { key, len, byte } => {
                (Kind::Value, false, short_key(key), vec![byte; usize::from(len)])
            }
            Content::Bare { hash, len, byte } => {
                (Kind::Value, true, bare(hash), vec![byte; usize::from(len)])
            }
            Content::Delete { key } => (Kind::Tombstone, false, short_key(key), Vec::new()),
            Content::DeleteBare { hash } => (Kind::Tombstone, true, bare(hash), Vec::new()),
            Content::Barrier { durable, live_keys, dead_bytes, ref tables, all_hashes } => {
                let (durable_tail, seal) = self.resolve(durable.place);
                let durable_seal = seal ^ u64::from(durable.wrong_seal);
                let ends: Vec<u64> = tables.iter().map(|place| self.resolve(*place).0).collect();
                let tables = BarrierTables { dead_slots: dead_bytes, all_hashes, ends };
                let tables = Some(tables).filter(|tables| !tables.ends.is_empty());
                let barrier = Barrier { durable_tail, durable_seal, live_keys, dead_bytes, tables };
                (Kind::Barrier, false, Vec::new(), barrier.encode())
            }
            Content::Index { len, byte } => {
                (Kind::Index, false, Vec::new(), vec![byte; usize::from(len)])
            }
            Content::Odd { kind, is_bare, key, payload } => {
                let kind = match kind % 4 {
                    0 => Kind::Value,
                    1 => Kind::Tombstone,
                    2 => Kind::Barrier,
                    _ => Kind::Index,
                };
                (kind, is_bare, key.to_vec(), payload.to_vec())
            }
            Content::Nested => {
                let mut inner = Self::new(self.identity.clone());
                for key in [3, 4] {
                    inner.push(&Slot {
                        content: Content::Value { key, len: 40, byte: 7 },
                        is_commit: true,
                        is_opaque: false,
                        replaces_live: false,
                        previous: None,
                        wrong: None,
                    });
                }
                (Kind::Value, false, b"nested".to_vec(), inner.bytes)
            }
        }
    }

    fn write_hints(&mut self, image: &Image) {
        for (number, hint) in image.checkpoints.iter().enumerate() {
            let page = number + 1;
            let Some(hint) = hint else { continue };
            let (durable_tail, seal) = self.resolve(hint.place);
            let checkpoint = Checkpoint {
                sequence: u64::from(hint.sequence) * 2 + number as u64,
                durable_tail,
                durable_seal: seal ^ u64::from(hint.wrong_seal),
                barrier_end: self.resolve(hint.barrier).0,
                is_clean: hint.flag,
                is_copying: hint.sequence & 64 != 0,
            };
            self.bytes[page * PAGE_SIZE..][..PAGE_SIZE]
                .copy_from_slice(&checkpoint.encode(&self.identity));
        }
        if let Some(hint) = image.published {
            let published = PublishedTail { tail: self.resolve(hint.place).0, is_moved: hint.flag };
            self.bytes[3 * PAGE_SIZE..][..PublishedTail::LEN].copy_from_slice(&published.encode());
        }
    }
}

/// A key that a trailer can describe: keys that are too long are truncated.
fn short_key(number: u8) -> Vec<u8> {
    let key = keys::key(number);
    key[..key.len().min(u16::MAX as usize)].to_vec()
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let len = bytes.len();
        // Half of all offsets count from the end, where the newest slots are.
        let place = |at: u32| {
            let offset = (at >> 1) as usize % (len + 1);
            if at & 1 == 0 { offset } else { len - offset }
        };
        match self {
            Self::Set { at, byte } => {
                if let Some(target) = bytes.get_mut(place(*at)) {
                    *target = *byte;
                }
            }
            Self::Flip { at, bit } => {
                if let Some(target) = bytes.get_mut(place(*at)) {
                    *target ^= 1 << (bit % 8);
                }
            }
            Self::Truncate { len } => bytes.truncate(place(*len)),
            Self::Extend { zeros } => {
                bytes.resize((len + *zeros as usize % (2 << 20)).min(MAX_LEN as usize), 0);
            }
            Self::Append { bytes: more } => bytes.extend(more),
            Self::Copy { from, to, len } => {
                let (from, to) = (place(*from), place(*to));
                let end = (from + usize::from(*len)).min(bytes.len());
                let piece = bytes[from..end].to_vec();
                for (target, byte) in bytes[to..].iter_mut().zip(piece) {
                    *target = byte;
                }
            }
            Self::Zero { from, len } => {
                bytes[place(*from)..].iter_mut().take(usize::from(*len)).for_each(|byte| *byte = 0);
            }
        }
    }
}
