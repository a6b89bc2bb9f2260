//! What a file may look like after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::journal::Change;
use crate::rng::Rng;

/// Length of a sector, which a medium writes as a whole, in bytes.
pub const SECTOR_LEN: usize = 512;

/// A file as processes see it, and everything that the medium may hold of it.
///
/// If the process dies, the file stays as processes see it. If power is lost, it is as it was last
/// flushed, except that each sector of 512 bytes may independently be in any state that it has had
/// since, and the file may have any length that it has had since, with or without the data. Most
/// file systems are less permissive.
///
/// After a failed flush, the changes so far are *lost from view*: processes see them, but later
/// flushes do not write them. Only if they are written again does the next flush make them durable.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    seen: Vec<u8>,
    flushed: Vec<u8>,
    /// Lengths that the file has had since the last flush, oldest first.
    lens: Vec<u64>,
    sectors: BTreeMap<u64, Sector>,
    /// Number of changes so far.
    changes: usize,
}

/// The states of a sector since it was last flushed.
#[derive(Debug, Clone, Default)]
struct Sector {
    states: Vec<State>,
    /// Whether the next flush writes the sector.
    is_dirty: bool,
}

#[derive(Debug, Clone)]
struct State {
    /// Number of the change that led to it.
    change: usize,
    bytes: Arc<[u8; SECTOR_LEN]>,
}

/// What a loss of power leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// No change since the last flush survives. The length is any that the file has had.
    Everything,
    /// Each sector is in any of its states.
    AnySectors,
    /// Some changes survive in full, others not at all, regardless of their order.
    SomeChanges,
    /// Everything survives except one sector.
    OneSector,
    /// Only one change survives.
    AllButOneChange,
    /// The changes before some change survive, and about half of the sectors of that one.
    TornTail,
    /// Later changes survive, earlier ones do not.
    EarlierHalf,
    /// The length is the newest, but no data since the last flush survives.
    DataBehindLength,
}

impl Loss {
    /// All kinds of loss.
    pub const ALL: [Self; 8] = [
        Self::Everything,
        Self::AnySectors,
        Self::SomeChanges,
        Self::OneSector,
        Self::AllButOneChange,
        Self::TornTail,
        Self::EarlierHalf,
        Self::DataBehindLength,
    ];
}

impl Disk {
    /// A file that is completely on the medium.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { flushed: bytes.clone(), seen: bytes, ..Self::default() }
    }

    /// Applies `change` to the file.
    pub fn apply(&mut self, change: &Change) {
        self.changes += 1;
        match change {
            Change::Created(bytes) => *self = Self::new(bytes.to_vec()),
            Change::Write { offset, bytes } => self.write(*offset as usize, bytes),
            Change::SetLen(len) => self.set_len(*len as usize),
            Change::Allocate { end } => self.set_len(self.seen.len().max(*end as usize)),
            Change::Flush => self.flush(),
            Change::FailedFlush => {
                for sector in self.sectors.values_mut() {
                    sector.is_dirty = false;
                }
            }
            Change::Replaced(_) | Change::NameFlushed => {}
        }
    }

    /// The file as processes see it, and as it is after the process has died.
    pub fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// Like [`Disk::seen`], after the first `len` bytes of a write that was in progress.
    pub fn seen_with_part(&self, offset: u64, bytes: &[u8], len: usize) -> Vec<u8> {
        let start = offset as usize;
        let mut image = self.seen.clone();
        if len > 0 {
            image.resize(image.len().max(start + len), 0);
            image[start..start + len].copy_from_slice(&bytes[..len]);
        }
        image
    }

    /// Whether a failed flush has left changes that a later one does not write.
    pub fn has_lost_from_view(&self) -> bool {
        self.sectors.values().any(|sector| !sector.is_dirty)
    }

    /// Whether everything that processes see is on the medium.
    pub fn is_flushed(&self) -> bool {
        self.sectors.is_empty() && self.lens.is_empty()
    }

    /// A file that a loss of power may leave, chosen by `rng`.
    pub fn after_power_loss(&self, loss: Loss, rng: &mut Rng) -> Vec<u8> {
        let newest_len = self.seen.len();
        let any_len = match rng.below(self.lens.len() + 2) {
            0 => self.flushed.len(),
            number => self.lens.get(number - 1).map_or(newest_len, |len| *len as usize),
        };
        let len = match loss {
            Loss::DataBehindLength | Loss::OneSector | Loss::AllButOneChange => newest_len,
            _ => any_len,
        };
        let mut image = self.flushed.clone();
        image.resize(len, 0);
        let choose = self.chooser(loss, rng);
        for (number, sector) in &self.sectors {
            if let Some(bytes) = choose(*number, sector, rng) {
                put_sector(&mut image, *number, bytes);
            }
        }
        image
    }

    /// The number of files that [`Disk::all_after_power_loss`] returns, or `usize::MAX` if there
    /// are more.
    pub fn losses(&self) -> usize {
        let choices = self.choices().map(|(_, choices)| choices.len());
        choices.fold(self.any_lens().len(), usize::saturating_mul)
    }

    /// All files that a loss of power may leave: every combination of a state for each sector and a
    /// length.
    pub fn all_after_power_loss(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        let (lens, choices) = (self.any_lens(), self.choices().collect::<Vec<_>>());
        (0..self.losses()).map(move |number| {
            let mut rest = number / lens.len();
            let mut image = self.flushed.clone();
            image.resize(lens[number % lens.len()] as usize, 0);
            for (number, choices) in &choices {
                put_sector(&mut image, *number, &choices[rest % choices.len()]);
                rest /= choices.len();
            }
            image
        })
    }

    /// The sectors that may differ, each with the distinct contents that it may have.
    fn choices(&self) -> impl Iterator<Item = (u64, Vec<[u8; SECTOR_LEN]>)> {
        self.sectors.iter().map(|(number, sector)| {
            let mut choices = vec![sector_of(&self.flushed, *number as usize)];
            choices.extend(sector.states.iter().map(|state| *state.bytes));
            choices.sort_unstable();
            choices.dedup();
            (*number, choices)
        })
    }

    /// The lengths that the file may have.
    fn any_lens(&self) -> Vec<u64> {
        let mut lens = vec![self.flushed.len() as u64, self.seen.len() as u64];
        lens.extend(&self.lens);
        lens.sort_unstable();
        lens.dedup();
        lens
    }

    /// A function that chooses the state of a sector, or `None` for the flushed one.
    #[expect(clippy::type_complexity, reason = "a chooser is made and used in one place")]
    fn chooser(
        &self,
        loss: Loss,
        rng: &mut Rng,
    ) -> Box<dyn for<'s> Fn(u64, &'s Sector, &mut Rng) -> Option<&'s [u8; SECTOR_LEN]>> {
        let mut changes: Vec<usize> =
            self.sectors.values().flat_map(|s| &s.states).map(|state| state.change).collect();
        changes.sort_unstable();
        changes.dedup();
        let middle = if changes.is_empty() { 0 } else { *rng.pick(&changes) };
        match loss {
            Loss::Everything | Loss::DataBehindLength => Box::new(|_, _, _| None),
            Loss::AnySectors => Box::new(|_, sector, rng| {
                let number = rng.below(sector.states.len() + 1);
                number.checked_sub(1).map(|number| &*sector.states[number].bytes)
            }),
            Loss::SomeChanges => {
                let kept: Vec<usize> = changes.iter().copied().filter(|_| rng.one_in(2)).collect();
                Box::new(move |_, sector, rng| {
                    let states: Vec<_> =
                        sector.states.iter().filter(|state| kept.contains(&state.change)).collect();
                    (!states.is_empty()).then(|| &*rng.pick(&states).bytes)
                })
            }
            Loss::OneSector => {
                let numbers: Vec<u64> = self.sectors.keys().copied().collect();
                let lost = if numbers.is_empty() { 0 } else { *rng.pick(&numbers) };
                Box::new(move |number, sector, rng| match sector.states.len() {
                    len if number == lost => {
                        rng.below(len).checked_sub(1).map(|state| &*sector.states[state].bytes)
                    }
                    len => Some(&*sector.states[len - 1].bytes),
                })
            }
            Loss::AllButOneChange => Box::new(move |_, sector, _| {
                sector.states.iter().find(|state| state.change == middle).map(|s| &*s.bytes)
            }),
            Loss::TornTail => Box::new(move |_, sector, rng| {
                let last = middle - usize::from(rng.one_in(2)).min(middle);
                let until = sector.states.iter().take_while(|state| state.change <= last);
                until.last().map(|state| &*state.bytes)
            }),
            Loss::EarlierHalf => Box::new(move |_, sector, _| {
                let newest = sector.states.last()?;
                (newest.change >= middle).then_some(&*newest.bytes)
            }),
        }
    }

    fn write(&mut self, start: usize, bytes: &[u8]) {
        let end = start + bytes.len();
        if bytes.is_empty() {
            return;
        }
        if end > self.seen.len() {
            self.set_len(end);
        }
        self.seen[start..end].copy_from_slice(bytes);
        self.note(start, end);
    }

    fn set_len(&mut self, len: usize) {
        let old = self.seen.len();
        if len == old {
            return;
        }
        self.lens.push(len as u64);
        if len < old {
            // If the file grows again, what is cut off now will be zeros.
            let was_zero = self.seen[len..].iter().all(|byte| *byte == 0);
            self.seen[len..].fill(0);
            if !was_zero {
                self.note(len, old);
            }
        }
        self.seen.resize(len, 0);
    }

    /// Records the state of the sectors that `[start, end)` touches.
    fn note(&mut self, start: usize, end: usize) {
        for number in start / SECTOR_LEN..end.div_ceil(SECTOR_LEN) {
            let bytes = sector_of(&self.seen, number);
            let sector = self.sectors.entry(number as u64).or_default();
            sector.states.push(State { change: self.changes, bytes: Arc::new(bytes) });
            sector.is_dirty = true;
        }
    }

    fn flush(&mut self) {
        self.flushed.resize(self.seen.len(), 0);
        self.lens.clear();
        let flushed = &mut self.flushed;
        self.sectors.retain(|number, sector| {
            if let Some(newest) = sector.states.last()
                && sector.is_dirty
            {
                put_sector(flushed, *number, &newest.bytes);
            }
            !sector.is_dirty
        });
    }
}

/// A sector of a file. Beyond the end of the file it is zero.
fn sector_of(file: &[u8], number: usize) -> [u8; SECTOR_LEN] {
    let mut sector = [0; SECTOR_LEN];
    let bytes = file.get(number * SECTOR_LEN..).unwrap_or_default();
    let len = bytes.len().min(SECTOR_LEN);
    sector[..len].copy_from_slice(&bytes[..len]);
    sector
}

/// Copies a sector to a file, as far as the file reaches.
fn put_sector(image: &mut [u8], number: u64, bytes: &[u8; SECTOR_LEN]) {
    let at = number as usize * SECTOR_LEN;
    let end = image.len().min(at + SECTOR_LEN);
    if at < end {
        image[at..end].copy_from_slice(&bytes[..end - at]);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn write(offset: u64, byte: u8, len: usize) -> Change {
        Change::Write { offset, bytes: vec![byte; len].into() }
    }

    fn states(disk: &Disk, loss: Loss) -> BTreeSet<Vec<u8>> {
        let mut rng = Rng::new(1);
        (0..2000).map(|_| disk.after_power_loss(loss, &mut rng)).collect()
    }

    #[test]
    fn what_was_flushed_stays_and_the_rest_may_go() {
        let mut disk = Disk::default();
        disk.apply(&write(0, 1, 100));
        disk.apply(&Change::Flush);
        assert!(disk.is_flushed());
        disk.apply(&write(100, 2, 10));
        assert_eq!(disk.seen().len(), 110);
        let expected = [
            vec![1; 100],
            {
                let mut grown = vec![1; 100];
                grown.extend([2; 10]);
                grown
            },
            {
                let mut zeros = vec![1; 100];
                zeros.extend([0; 10]);
                zeros
            },
        ];
        assert_eq!(states(&disk, Loss::AnySectors), expected.clone().into());
        assert!(disk.all_after_power_loss().all(|image| expected.contains(&image)));
    }

    #[test]
    fn sectors_come_and_go_on_their_own() {
        let mut disk = Disk::new(vec![0; 3 * SECTOR_LEN]);
        disk.apply(&write(0, 1, 3 * SECTOR_LEN));
        disk.apply(&write(0, 2, SECTOR_LEN));
        // The first sector has three states, the others have two each.
        assert_eq!(states(&disk, Loss::AnySectors).len(), 12);
        assert_eq!(disk.losses(), 12);
        let all: BTreeSet<_> = disk.all_after_power_loss().collect();
        assert_eq!(all, states(&disk, Loss::AnySectors));
        assert_eq!(states(&disk, Loss::Everything).len(), 1);
        assert!(states(&disk, Loss::OneSector).len() >= 4);
    }

    #[test]
    fn what_a_failed_flush_lost_lasts_only_once_it_is_written_again() {
        let mut disk = Disk::new(vec![0; SECTOR_LEN]);
        disk.apply(&write(0, 7, SECTOR_LEN));
        disk.apply(&Change::FailedFlush);
        disk.apply(&Change::Flush);
        assert!(disk.has_lost_from_view());
        assert_eq!(states(&disk, Loss::AnySectors).len(), 2);
        disk.apply(&write(0, 7, SECTOR_LEN));
        disk.apply(&Change::Flush);
        assert!(disk.is_flushed());
        assert_eq!(states(&disk, Loss::AnySectors), [vec![7; SECTOR_LEN]].into());
    }

    #[test]
    fn a_file_that_was_cut_and_grew_again_has_zeros_where_it_was_cut() {
        let mut disk = Disk::new(vec![9; 700]);
        disk.apply(&Change::SetLen(10));
        disk.apply(&Change::SetLen(700));
        assert_eq!(&disk.seen()[..11], [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0]);
        disk.apply(&Change::Flush);
        assert_eq!(states(&disk, Loss::AnySectors).len(), 1);
    }
}
