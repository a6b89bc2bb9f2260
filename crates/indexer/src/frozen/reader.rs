//! Reads a table sequentially.

use std::collections::VecDeque;

use super::line::Line;
use super::{FrozenIndex, LineDamaged};

/// A word of the older table.
#[derive(Clone, Copy)]
pub(super) struct Older {
    pub(super) word: u64,
    pub(super) is_group: bool,
}

/// Reads a table bucket by bucket, wherever the entries are stored. In the order of the lines,
/// entries come in the order of their buckets.
pub(super) struct TableReader<'a> {
    table: &'a FrozenIndex,
    line: Option<Line>,
    /// The next word of the line.
    at: usize,
    next_line: u64,
    /// Buckets with entries in later lines, in order, and how many such entries each has.
    pending: VecDeque<(u64, usize)>,
    /// The entries of the bucket that was read last.
    pub(super) entries: Vec<Older>,
}

impl<'a> TableReader<'a> {
    pub(super) fn new(table: &'a FrozenIndex) -> Self {
        Self {
            table,
            line: None,
            at: 0,
            next_line: 0,
            pending: VecDeque::new(),
            entries: Vec::new(),
        }
    }

    pub(super) fn table(&self) -> &'a FrozenIndex {
        self.table
    }

    /// Reads the next bucket that has any entries; `None` at the end.
    pub(super) fn next_bucket(&mut self) -> Result<Option<u64>, LineDamaged> {
        self.entries.clear();
        if let Some(bucket) = self.next_simple_bucket()? {
            return Ok(Some(bucket));
        }
        let mut current = None;
        while let Some((bucket, entry)) = self.peek()? {
            if current.is_some_and(|current| current != bucket) {
                break;
            }
            current = Some(bucket);
            self.entries.push(entry);
            self.step();
        }
        Ok(current)
    }

    /// Fast path: reads the next line if nothing is left of the one before and no entries are
    /// displaced, as for most lines. `None` in other cases, or if the bucket is empty.
    fn next_simple_bucket(&mut self) -> Result<Option<u64>, LineDamaged> {
        let is_read = self
            .line
            .as_ref()
            .is_none_or(|line| self.at == line.counts().words() && line.counts().overflow() == 0);
        if !is_read
            || !self.pending.is_empty()
            || self.next_line == self.table.header.bucket_lines()
        {
            return Ok(None);
        }
        let bucket = self.next_line;
        let line = self.line.insert(self.table.bucket_line(bucket)?);
        (self.next_line, self.at) = (bucket + 1, 0);
        if line.counts().words() == 0
            || line.counts().displaced() > 0
            || line.counts().overflow() > 0
        {
            return Ok(None);
        }
        self.at = line.counts().words();
        let entry = |at| Older { word: line.word(at), is_group: line.counts().is_group(at) };
        self.entries.extend((0..line.counts().words()).map(entry));
        Ok(Some(bucket))
    }

    /// The next entry and its bucket.
    fn peek(&mut self) -> Result<Option<(u64, Older)>, LineDamaged> {
        loop {
            if let Some(line) = &self.line
                && self.at < line.counts().words()
            {
                let bucket = if self.at < line.counts().displaced() {
                    self.pending.front().ok_or(LineDamaged)?.0
                } else {
                    self.next_line - 1
                };
                let entry =
                    Older { word: line.word(self.at), is_group: line.counts().is_group(self.at) };
                return Ok(Some((bucket, entry)));
            }
            if let Some(line) = &self.line
                && line.counts().overflow() > 0
            {
                self.pending.push_back((self.next_line - 1, line.counts().overflow()));
            }
            if self.next_line == self.table.header.bucket_lines() {
                return if self.pending.is_empty() { Ok(None) } else { Err(LineDamaged) };
            }
            self.line = Some(self.table.bucket_line(self.next_line)?);
            self.at = 0;
            self.next_line += 1;
        }
    }

    /// Moves past the peeked entry.
    fn step(&mut self) {
        if self.line.as_ref().is_some_and(|line| self.at < line.counts().displaced())
            && let Some((_, missing)) = self.pending.front_mut()
        {
            *missing -= 1;
            if *missing == 0 {
                self.pending.pop_front();
            }
        }
        self.at += 1;
    }
}
