//! An empty file is turned into a store in place. A crash during the very first write, that of a
//! copy of the identity, once left a file that was neither empty nor a store, and every later open
//! refused it.

use std::io;

use simd_r_drive_testkit::{Change, Disk, Model, Recorded, check_image};

#[test]
fn a_crash_in_a_creation_leaves_an_empty_store() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    for alignment in [64, 65_536] {
        let path = directory.path().join(format!("{alignment}.srd"));
        std::fs::write(&path, b"")?;
        let recorded = Recorded::run(&path, alignment, Model::default(), &[], None)?;
        let mut disk = Disk::default();
        let empty = [&Model::default()];
        for (_, change) in &recorded.changes {
            if let Change::Write { offset, bytes } = change {
                let len = bytes.len();
                for part in (0..200)
                    .step_by(if alignment == 64 { 1 } else { 13 })
                    .chain((200..len).step_by(987))
                {
                    let image = disk.seen_with_part(*offset, bytes, part);
                    check_image(directory.path(), &image, alignment, &empty)?;
                }
            }
            disk.apply(change);
            check_image(directory.path(), disk.seen(), alignment, &empty)?;
        }
    }
    Ok(())
}
