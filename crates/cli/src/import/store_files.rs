//! Recognises the store's own file, and temporary files of simd-r-drive, in the imported directory.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use simd_r_drive_entry_handle::{Identity, constants::PAGE_SIZE};
use walkdir::DirEntry;

use super::source::Source;

/// What identifies the store's file and its temporary files.
#[derive(Debug)]
pub(super) struct StoreFiles {
    directory: PathBuf,
    name: OsString,
    #[cfg(unix)]
    inode: (u64, u64),
    store_id: [u8; 16],
}

impl StoreFiles {
    /// The files of the store at `path`, which exists and has the id `store_id`.
    pub(super) fn new(path: &Path, store_id: [u8; 16]) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let directory = path.parent().map(Path::to_owned).unwrap_or_default();
        let name = path.file_name().map(ToOwned::to_owned).unwrap_or_default();
        #[cfg(unix)]
        let inode = inode(&fs::metadata(&path)?);
        Ok(Self {
            directory,
            name,
            #[cfg(unix)]
            inode,
            store_id,
        })
    }

    /// Whether a file is one of them. What a recovery has cut off and saved is not: that is the
    /// user's.
    pub(super) fn contain(&self, entry: &DirEntry) -> bool {
        self.is_store(entry) || self.is_temporary(entry)
    }

    /// Whether a file is the store's. Name and inode number rule out most files without a system
    /// call.
    fn is_store(&self, entry: &DirEntry) -> bool {
        #[cfg(unix)]
        if walkdir::DirEntryExt::ino(entry) == self.inode.1 {
            // A hard link to the store's file is the store's file, too.
            return entry.metadata().is_ok_and(|found| inode(&found) == self.inode);
        }
        entry.file_name() == self.name
            && entry.path().parent().and_then(|parent| fs::canonicalize(parent).ok()).as_deref()
                == Some(&*self.directory)
    }

    /// Whether a file was left behind by an interrupted command.
    ///
    /// A short name alone proves little: a person may choose `.simd-r-drive-readme`. A file with
    /// such a name is left out only if it is empty, or a copy of this store that an interrupted
    /// compaction has left. Nobody chooses the longer names, which end in `.tmp`. A file with one
    /// of those is imported only if it is another store, which may be complete.
    fn is_temporary(&self, entry: &DirEntry) -> bool {
        let Some(name) = TemporaryName::of(entry.file_name().as_encoded_bytes()) else {
            return false;
        };
        if !entry.file_type().is_file() {
            return false;
        }
        // A file that cannot be read is reported later, like any other.
        let Ok(head) = head_of(entry.path()) else { return false };
        match (Identity::decode(&head), name) {
            (Ok(Some(identity)), _) => identity.store_id == self.store_id,
            // This is a store of a newer format.
            (Err(_), _) => false,
            (Ok(None), TemporaryName::Unmistakable) => true,
            (Ok(None), TemporaryName::Short) => head.is_empty(),
        }
    }
}

/// The forms of names that simd-r-drive gives to temporary files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TemporaryName {
    /// `.simd-r-drive-`, 12 letters or digits, `.tmp`.
    Unmistakable,
    /// `.simd-r-drive-` and 6 letters or digits.
    Short,
}

impl TemporaryName {
    fn of(name: &[u8]) -> Option<Self> {
        let rest = name.strip_prefix(b".simd-r-drive-")?;
        let (random, kind, len) = match rest.strip_suffix(b".tmp") {
            Some(random) => (random, Self::Unmistakable, 12),
            None => (rest, Self::Short, 6),
        };
        (random.len() == len && random.iter().all(u8::is_ascii_alphanumeric)).then_some(kind)
    }
}

/// The first page of a file, or all of it if it is shorter.
fn head_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::from(Source::open(path)?).take(PAGE_SIZE as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_exactly_the_two_forms_are_temporary() {
        for (name, kind) in [
            (".simd-r-drive-aB3xY9", Some(TemporaryName::Short)),
            (".simd-r-drive-aB3xY9aB3xY9.tmp", Some(TemporaryName::Unmistakable)),
            (".simd-r-drive-notes", None),
            (".simd-r-drive-aB3xY9a", None),
            (".simd-r-drive-aB3x_9", None),
            (".simd-r-drive-aB3xY9.tmp", None),
            (".simd-r-drive-aB3xY9aB3xY9", None),
            (".simd-r-drive-aB3xY9aB3xY9.tmp~", None),
            ("simd-r-drive-aB3xY9", None),
            (".simd-r-drive-", None),
        ] {
            assert_eq!(TemporaryName::of(name.as_bytes()), kind, "{name}");
        }
    }
}
