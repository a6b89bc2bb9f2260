//! A process that dies leaves its file as it is. Here the file is copied while the store is open.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};
use simd_r_drive::{DataStore, OpenOptions};

/// What a crash at this moment would leave of the store at `path`.
fn crash(path: &Path) -> io::Result<PathBuf> {
    let copy = path.with_extension("crashed");
    fs::copy(path, &copy)?;
    Ok(copy)
}

/// Recovery once took the last nonzero byte for the end of what it may read. One seal in 256 ends
/// with a zero, and a store whose last slot had such a seal did not open.
#[test]
fn the_last_slot_counts_if_its_seal_ends_with_zeros() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("store.srd");
    let store = DataStore::open(&path)?;
    for number in 0_u64.. {
        let tail = store.write(b"key", &number.to_le_bytes())?;
        if fs::read(&path)?[tail as usize - 1] != 0 {
            continue;
        }
        let crashed = crash(&path)?;
        for read_only in [true, false] {
            let copy = OpenOptions::new().read_only(read_only).open(&crashed)?;
            assert_eq!(copy.read(b"key")?.unwrap(), number.to_le_bytes().as_slice());
            assert_eq!(copy.recovery_report().uncommitted_bytes, 0);
            assert_eq!(copy.recovery_report().saved_to, None);
        }
        break;
    }
    Ok(())
}
