//! Walks the log backward: each slot ends where the next one starts.

use std::io;

use crate::constants::METADATA_SIZE;
use crate::error::{Damage, FormatError};
use crate::layout::Layout;
use crate::seal::Seal;
use crate::trailer::{SealedTrailer, Trailer};

/// A source of log bytes: a mapped file, or positional reads through a buffer.
pub trait LogSource {
    /// Exactly `len` bytes at `offset`.
    ///
    /// # Errors
    /// Any error of the read; `UnexpectedEof` if the log ends before.
    fn read(&mut self, offset: u64, len: usize) -> io::Result<&[u8]>;
}

impl LogSource for &[u8] {
    fn read(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let bytes: &[u8] = self;
        usize::try_from(offset)
            .ok()
            .and_then(|start| bytes.get(start..start.checked_add(len)?))
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// A slot whose key and trailer have been checked against their seal. Its payload has not been
/// read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSlot<'a> {
    /// Where the slot, and its payload, starts, in bytes.
    pub start: u64,
    /// Where the slot ends, in bytes.
    pub end: u64,
    /// The trailer's fields.
    pub trailer: Trailer,
    /// The key's bytes.
    pub key: &'a [u8],
    /// The slot's seal.
    pub seal: Seal,
    /// The `self` half of the seal that its predecessor must have.
    pub predecessor: u32,
}

impl<'a> LogSlot<'a> {
    /// Checks the slot that ends at `end`. `bytes` are the bytes before `end`, and include at least
    /// the key and the trailer.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] or [`FormatError::NoSuchSlot`] if there is no genuine slot.
    #[inline]
    pub fn check(bytes: &'a [u8], layout: &Layout, end: u64) -> Result<Self, FormatError> {
        let Some(trailer) = bytes.last_chunk() else {
            return Err(FormatError::no_such_slot(end));
        };
        let trailer = SealedTrailer::decode_at(trailer, end)?;
        let start = start_of(layout, &trailer, end)?;
        let sealed_len = usize::from(trailer.fields.key_len).wrapping_add(METADATA_SIZE);
        match bytes.len().checked_sub(sealed_len).and_then(|at| bytes.get(at..)) {
            Some(sealed) => Self::check_sealed(sealed, trailer, layout, start, end),
            None => Err(FormatError::no_such_slot(end)),
        }
    }

    /// Checks a slot whose key and trailer are `sealed`.
    #[inline]
    fn check_sealed(
        sealed: &'a [u8],
        trailer: SealedTrailer,
        layout: &Layout,
        start: u64,
        end: u64,
    ) -> Result<Self, FormatError> {
        let seal = layout.check_seal(sealed, &trailer, end)?;
        let Some(key) = sealed.get(..usize::from(trailer.fields.key_len)) else {
            return Err(FormatError::no_such_slot(end));
        };
        let predecessor = seal.predecessor(trailer.link);
        Ok(Self { start, end, trailer: trailer.fields, key, seal, predecessor })
    }
}

/// Reads and checks the slot that ends at `end`.
///
/// # Errors
/// [`FormatError::Damaged`] or [`FormatError::NoSuchSlot`] inside the `io::Error` if there is no
/// genuine slot; any error of the source.
#[inline]
pub fn read_slot<'a>(
    source: &'a mut impl LogSource,
    layout: &Layout,
    end: u64,
) -> io::Result<LogSlot<'a>> {
    const TRAILER_LEN: u64 = METADATA_SIZE as u64;
    let no_slot = || FormatError::no_such_slot(end);
    let trailer_at = end.checked_sub(TRAILER_LEN).ok_or_else(no_slot)?;
    let trailer = source.read(trailer_at, METADATA_SIZE)?.first_chunk().ok_or_else(no_slot)?;
    let trailer = SealedTrailer::decode_at(trailer, end)?;
    let start = start_of(layout, &trailer, end)?;
    let key_len = trailer.fields.key_len;
    let key_at = trailer_at.checked_sub(u64::from(key_len)).ok_or_else(no_slot)?;
    let sealed = source.read(key_at, usize::from(key_len).wrapping_add(METADATA_SIZE))?;
    Ok(LogSlot::check_sealed(sealed, trailer, layout, start, end)?)
}

#[inline]
fn start_of(layout: &Layout, trailer: &SealedTrailer, end: u64) -> Result<u64, FormatError> {
    layout.slot_start(end, &trailer.fields).ok_or_else(|| {
        FormatError::damaged(end.saturating_sub(METADATA_SIZE as u64), Damage::Trailer)
    })
}

/// Walks a log from its newest slot to its oldest, checking seal and link of each.
///
/// Iterative and total: no input makes it panic, recurse, or visit an offset twice. Costs one read
/// of key and trailer per slot; payloads are not read.
#[derive(Debug)]
pub struct LogCursor<S> {
    source: S,
    layout: Layout,
    end: u64,
    expected_self: Option<u32>,
}

impl<S: LogSource> LogCursor<S> {
    /// Creates a cursor that starts with the slot that ends at `end`. `newest_self` is the `self`
    /// half of that slot's seal, if the caller knows it from elsewhere.
    pub fn new(source: S, layout: Layout, end: u64, newest_self: Option<u32>) -> Self {
        Self { source, layout, end, expected_self: newest_self }
    }

    /// Where the next slot ends. Everything after it has been visited.
    pub fn position(&self) -> u64 {
        self.end
    }

    /// The source, for reading more of a slot than the cursor does.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// The next older slot; `None` once the header is reached.
    ///
    /// # Errors
    /// [`FormatError::Damaged`] inside the `io::Error` if the links are broken. The cursor does not
    /// move past an error: calling again repeats it.
    #[inline]
    pub fn previous(&mut self) -> io::Result<Option<LogSlot<'_>>> {
        let end = self.end;
        if end == self.layout.header_len() {
            let root = self.layout.root();
            return match self.expected_self {
                Some(got) if got != root => Err(broken_link(end, root, got)),
                _ => Ok(None),
            };
        }
        let slot = read_slot(&mut self.source, &self.layout, end)?;
        if let Some(expected) = self.expected_self
            && expected != slot.seal.self_half()
        {
            return Err(broken_link(end, expected, slot.seal.self_half()));
        }
        self.end = slot.start;
        self.expected_self = Some(slot.predecessor);
        Ok(Some(slot))
    }
}

#[cold]
fn broken_link(offset: u64, expected: u32, got: u32) -> io::Error {
    FormatError::mismatch(offset, Damage::Link, u64::from(expected), u64::from(got)).into()
}
