//! What a crash may leave in the directory of a store.

use std::collections::BTreeMap;

use crate::disk::{Disk, Loss};
use crate::journal::{Change, FileId};
use crate::rng::Rng;

/// The files of a journal, and which of them has the store's name.
///
/// If the process dies, the name stays with the file that has it. If power is lost, the name may be
/// that of any file that has had it since the directory was last flushed, and that file holds
/// whatever is on the medium.
#[derive(Debug, Clone)]
pub struct Directory {
    files: BTreeMap<FileId, Disk>,
    /// The files that have had the store's name since it was flushed, oldest first.
    store: Vec<FileId>,
}

impl Directory {
    /// A directory whose only file is the store. Both are on the medium.
    pub fn new(store: Disk) -> Self {
        Self { files: BTreeMap::from([(0, store)]), store: vec![0] }
    }

    /// Applies `change` to `file`. Returns whether a crash may now leave a different store.
    pub fn apply(&mut self, file: FileId, change: &Change) -> bool {
        match change {
            Change::Replaced(old) if *old == self.current() => self.store.push(file),
            Change::NameFlushed if file == self.current() => {
                self.store.drain(..self.store.len() - 1);
            }
            _ => self.files.entry(file).or_default().apply(change),
        }
        self.store.contains(&file)
    }

    /// The file that has the store's name now.
    pub fn current(&self) -> FileId {
        self.store[self.store.len() - 1]
    }

    /// The contents of that file.
    ///
    /// # Panics
    /// If no change has ever been applied to it.
    pub fn store(&self) -> &Disk {
        &self.files[&self.current()]
    }

    /// Whether a loss of power leaves the store as processes see it now.
    pub fn is_flushed(&self) -> bool {
        self.store.len() == 1 && self.store().is_flushed()
    }

    /// A file that a loss of power may leave under the store's name, chosen by `rng`.
    pub fn after_power_loss(&self, loss: Loss, rng: &mut Rng) -> Vec<u8> {
        self.files[rng.pick(&self.store)].after_power_loss(loss, rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(directory: &Directory) -> std::collections::BTreeSet<Vec<u8>> {
        let mut rng = Rng::new(1);
        (0..200).map(|_| directory.after_power_loss(Loss::Everything, &mut rng)).collect()
    }

    #[test]
    fn a_new_name_may_go_until_the_directory_is_flushed() {
        let mut directory = Directory::new(Disk::new(b"old".to_vec()));
        let write = Change::Write { offset: 0, bytes: b"new".as_slice().into() };
        assert!(!directory.apply(1, &write), "the other file does not show");
        assert!(!directory.apply(1, &Change::Flush));
        assert!(directory.apply(1, &Change::Replaced(0)));
        assert_eq!(directory.store().seen(), b"new");
        assert!(!directory.is_flushed());
        assert_eq!(images(&directory), [b"old".to_vec(), b"new".to_vec()].into());
        assert!(directory.apply(1, &Change::NameFlushed));
        assert!(directory.is_flushed());
        assert_eq!(images(&directory), [b"new".to_vec()].into());
    }

    #[test]
    fn a_file_that_was_not_flushed_takes_the_name_without_its_bytes() {
        let mut directory = Directory::new(Disk::new(b"old".to_vec()));
        let write = Change::Write { offset: 0, bytes: b"new".as_slice().into() };
        directory.apply(1, &write);
        directory.apply(1, &Change::Replaced(0));
        directory.apply(1, &Change::NameFlushed);
        assert!(images(&directory).contains(b"".as_slice()));
    }
}
