//! Writes a table sequentially.

use std::collections::VecDeque;
use std::io;

use super::MAX_DISPLACEMENT;
use super::build_error::BuildError;
use super::header::{FIRST_BUCKET, Header};
use super::line::{LINE_LEN, Line, MAX_OVERFLOW, WORDS};
use super::position::Geometry;

/// Bytes written at a time.
const WRITE_LEN: usize = 256 << 10;

/// Receives a table: an offset in it, and bytes.
pub(super) type Write<'a> = dyn FnMut(u64, &[u8]) -> io::Result<()> + 'a;

/// Why an entry could not be placed.
pub(super) enum PlaceError {
    Overfull,
    /// The entries of the older table are in an order that no valid table has.
    Disorder,
    Write(io::Error),
}

impl PlaceError {
    pub(super) fn into_build<E>(self) -> BuildError<E> {
        match self {
            Self::Overfull => BuildError::Overfull,
            Self::Disorder => BuildError::Damaged,
            Self::Write(error) => BuildError::Write(error),
        }
    }
}

/// An entry that waits for a place.
#[derive(Clone, Copy)]
struct Waiting {
    bucket: u64,
    word: u64,
    is_group: bool,
}

/// Places entries, which come in the order of their buckets, into lines.
pub(super) struct Placer<'a> {
    pub(super) geometry: Geometry,
    header: Header,
    check_seed: u64,
    /// The next bucket line, and the entries waiting for a place, in order.
    line: u64,
    waiting: VecDeque<Waiting>,
    hashes: u64,
    buckets: Lines,
    records: Lines,
    write: &'a mut Write<'a>,
}

impl<'a> Placer<'a> {
    pub(super) fn new(
        geometry: Geometry,
        header: Header,
        check_seed: u64,
        write: &'a mut Write<'a>,
    ) -> Self {
        Self {
            geometry,
            check_seed,
            line: 0,
            waiting: VecDeque::new(),
            hashes: 0,
            buckets: Lines { next: FIRST_BUCKET, buffer: Vec::with_capacity(WRITE_LEN) },
            records: Lines { next: header.first_record(), buffer: Vec::new() },
            header,
            write,
        }
    }

    #[inline]
    pub(super) fn slot(&mut self, bucket: u64, mixed: u64, block: u64) -> Result<(), PlaceError> {
        self.entry(bucket, self.geometry.word(mixed, block), false)
    }

    pub(super) fn record(
        &mut self,
        bucket: u64,
        mixed: u64,
        lines: Vec<Line>,
    ) -> Result<(), PlaceError> {
        let number = self.records.next;
        if self.header.lines() - number < lines.len() as u64 {
            return Err(PlaceError::Overfull);
        }
        for line in lines {
            self.records.push(line, self.check_seed, self.write).map_err(PlaceError::Write)?;
        }
        self.entry(bucket, self.geometry.word(mixed, number), true)
    }

    #[inline]
    fn entry(&mut self, bucket: u64, word: u64, is_group: bool) -> Result<(), PlaceError> {
        if bucket < self.line {
            return Err(PlaceError::Disorder);
        }
        while self.line < bucket {
            self.fill_line()?;
        }
        self.hashes += 1;
        self.waiting.push_back(Waiting { bucket, word, is_group });
        Ok(())
    }

    fn fill_line(&mut self) -> Result<(), PlaceError> {
        if self.line == self.header.bucket_lines() {
            return Err(PlaceError::Overfull);
        }
        let first = self.waiting.front();
        if first.is_some_and(|entry| self.line - entry.bucket > MAX_DISPLACEMENT) {
            return Err(PlaceError::Overfull);
        }
        let mut words = [0; WORDS];
        let (mut groups, mut count, mut displaced) = (0, 0, 0);
        while count < WORDS
            && let Some(Waiting { bucket, word, is_group }) = self.waiting.pop_front()
        {
            words[count] = word;
            groups |= u8::from(is_group) << count;
            count += 1;
            displaced += usize::from(bucket < self.line);
        }
        // Counts only this bucket: entries of later ones have not come yet.
        let overflow =
            self.waiting.iter().rev().take_while(|entry| entry.bucket == self.line).count();
        if overflow > MAX_OVERFLOW {
            return Err(PlaceError::Overfull);
        }
        let line = Line::bucket(&words, groups, count, displaced, overflow);
        self.buckets.push(line, self.check_seed, self.write).map_err(PlaceError::Write)?;
        self.line += 1;
        Ok(())
    }

    /// Writes the rest. Returns the number of hashes.
    pub(super) fn finish(mut self) -> Result<u64, PlaceError> {
        while self.line < self.header.bucket_lines() {
            self.fill_line()?;
        }
        if !self.waiting.is_empty() {
            return Err(PlaceError::Overfull);
        }
        // Fills the lines that were reserved for records but not needed.
        while self.records.next < self.header.lines() {
            let line = Line::record(&[]);
            self.records.push(line, self.check_seed, self.write).map_err(PlaceError::Write)?;
        }
        self.buckets.flush(self.write).map_err(PlaceError::Write)?;
        self.records.flush(self.write).map_err(PlaceError::Write)?;
        Ok(self.hashes)
    }
}

/// Consecutive lines on their way to the file.
struct Lines {
    /// Number of the next line.
    next: u64,
    buffer: Vec<u8>,
}

impl Lines {
    fn push(&mut self, line: Line, seed: u64, write: &mut Write<'_>) -> io::Result<()> {
        self.buffer.extend_from_slice(&line.seal(self.next, seed));
        self.next += 1;
        if self.buffer.len() >= WRITE_LEN { self.flush(write) } else { Ok(()) }
    }

    fn flush(&mut self, write: &mut Write<'_>) -> io::Result<()> {
        let start = self.next * LINE_LEN - self.buffer.len() as u64;
        write(start, &self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
