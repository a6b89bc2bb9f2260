//! A flush that is asked for covers the commits of a process that died, too.

use std::fs;
use std::io;

use simd_r_drive::DataStore;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};

#[test]
fn syncing_a_store_that_was_not_closed_flushes_it() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let store = DataStore::open(&path("store.srd"))?;
    store.write(b"key", b"value")?;
    // What a process that is killed now leaves behind.
    fs::copy(path("store.srd"), path("copy.srd"))?;

    let recovered = DataStore::open(&path("copy.srd"))?;
    assert!(!recovered.recovery_report().was_clean);
    recovered.sync()?;
    // There was nothing to flush before: nothing was committed since the store was opened.
    assert_eq!(recovered.stats().flushes, 1);
    recovered.close()?;
    drop(recovered);

    let clean = DataStore::open(&path("copy.srd"))?;
    clean.sync()?;
    assert_eq!(clean.stats().flushes, 0, "a clean store has nothing to flush");
    assert_eq!(clean.read(b"key")?.unwrap(), b"value".as_slice());
    Ok(())
}
