//! Checking all lines of a table.

use std::ops::Range;

use super::FrozenIndex;
use super::header::{FIRST_BUCKET, HEADER_LEN, Header};
use super::line::{LINE_LEN, Line};

impl FrozenIndex {
    /// Returns the damaged byte ranges of a table, as offsets in the file. `bytes` are its contents
    /// from line `first` on.
    ///
    /// For programs that read a whole table by other means than the map.
    pub fn damaged_lines(&self, first: u64, bytes: &[u8]) -> Vec<Range<u64>> {
        let mut damaged: Vec<Range<u64>> = Vec::new();
        let is_header_sound = first > 0
            || bytes.first_chunk::<HEADER_LEN>().is_some_and(|lines| {
                Header::decode(lines, self.check_seed).as_ref() == Some(&self.header)
            });
        for (number, line) in (first..).zip(bytes.chunks(LINE_LEN as usize)) {
            let is_sound = if number < FIRST_BUCKET {
                is_header_sound
            } else {
                line.first_chunk().is_some_and(|line| {
                    Line::decode(Line::numbers(line), number, self.check_seed).is_some()
                })
            };
            if is_sound {
                continue;
            }
            let start = self.start.saturating_add(number.saturating_mul(LINE_LEN));
            match damaged.last_mut() {
                Some(last) if last.end == start => last.end += LINE_LEN,
                _ => damaged.push(start..start.saturating_add(LINE_LEN)),
            }
        }
        damaged
    }
}
