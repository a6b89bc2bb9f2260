//! Reading a log through a buffer, by positional reads.
//!
//! Opening reads files in this way rather than through a map, so that a bad sector comes back as an
//! error instead of a signal.

use std::io;

use simd_r_drive_entry_handle::LogSource;
use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_writer::{StoreFile, read_full_at};

/// Initial and final buffer size in bytes: looking at one slot should not read a MiB, and reading
/// on should not take many calls. Larger reads get a buffer of their own size.
const WINDOW_LEN_MIN: usize = 16 << 10;
const WINDOW_LEN_MAX: usize = 1 << 20;

/// A backward reader that skips at least this many bytes is looking at the keys of large slots. The
/// bytes in between are then not read.
pub(crate) const SPARSE_GAP: u64 = 32 << 10;

/// The direction in which a log is read, so that one read serves many slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Backward,
    Forward,
}

/// A piece of a file, and what to read next.
#[derive(Debug)]
pub(crate) struct Window {
    direction: Direction,
    /// End of what may be read.
    end: u64,
    start: u64,
    buffer: Vec<u8>,
    window_len: usize,
}

impl Window {
    /// A window onto a file that is read up to `end`.
    pub(crate) fn new(end: u64, direction: Direction) -> Self {
        Self { direction, end, start: 0, buffer: Vec::new(), window_len: WINDOW_LEN_MIN }
    }

    /// The `len` bytes of `file` at `offset`.
    #[inline]
    fn read(&mut self, file: &dyn StoreFile, offset: u64, len: usize) -> io::Result<&[u8]> {
        if self.bytes(offset, len).is_none() {
            self.refill(file, offset, len)?;
        }
        self.bytes(offset, len).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The requested bytes, if they are in the window.
    #[inline]
    fn bytes(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let at = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.buffer.get(at..at.checked_add(len)?)
    }

    #[cold]
    fn refill(&mut self, file: &dyn StoreFile, offset: u64, len: usize) -> io::Result<()> {
        if offset.checked_add(len as u64).is_none_or(|end| end > self.end) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let window = self.window_len.max(len) as u64;
        let end = offset + len as u64;
        // A forward walk also goes back: from a trailer to its payload, and through the possible
        // ends of a slot, furthest first. The bytes on both sides are then read next.
        let is_going_back = !self.buffer.is_empty() && offset < self.start;
        let is_sparse = is_going_back && self.start.saturating_sub(end) >= SPARSE_GAP;
        self.window_len = (self.window_len * 4).min(WINDOW_LEN_MAX);
        let (start, end) = match self.direction {
            Direction::Backward if is_sparse => {
                self.window_len = WINDOW_LEN_MIN;
                (offset / PAGE_SIZE as u64 * PAGE_SIZE as u64, end)
            }
            Direction::Backward => (end.saturating_sub(window), end),
            Direction::Forward if is_going_back => {
                let start = end.saturating_sub(window / 2).min(offset);
                (start, (start + window).max(end).min(self.end))
            }
            Direction::Forward => (offset, offset.saturating_add(window).min(self.end)),
        };
        self.buffer.resize((end - start) as usize, 0);
        self.start = start;
        let read = read_full_at(file, &mut self.buffer, start);
        self.buffer.truncate(*read.as_ref().unwrap_or(&0));
        read.map(drop)
    }
}

/// A window onto a file.
#[derive(Debug)]
pub(crate) struct WindowReader<'a> {
    file: &'a dyn StoreFile,
    window: Window,
}

impl<'a> WindowReader<'a> {
    /// A reader of `file` up to `end`.
    pub(crate) fn new(file: &'a dyn StoreFile, end: u64, direction: Direction) -> Self {
        Self { file, window: Window::new(end, direction) }
    }
}

impl LogSource for WindowReader<'_> {
    #[inline]
    fn read(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        self.window.read(self.file, offset, len)
    }
}

/// A file, read through a window that is kept elsewhere.
#[derive(Debug)]
pub(crate) struct Through<'a> {
    pub(crate) file: &'a dyn StoreFile,
    pub(crate) window: &'a mut Window,
}

impl LogSource for Through<'_> {
    #[inline]
    fn read(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        self.window.read(self.file, offset, len)
    }
}
