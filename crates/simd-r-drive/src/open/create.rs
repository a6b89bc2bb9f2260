//! The header of a new store.

use std::io;

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{Alignment, Checkpoint, Identity, IdentitySeeds};
use simd_r_drive_writer::{StoreFile, now_10ms, write_all_at};

/// A new identity with random ids and a random secret.
///
/// # Errors
/// If the operating system has no random numbers.
pub(crate) fn new_identity(alignment: Alignment) -> io::Result<Identity> {
    let mut random = [[0; 16]; 3];
    for bytes in &mut random {
        getrandom::fill(bytes)?;
    }
    let [store_id, file_id, seal_key] = random;
    Ok(Identity::new(IdentitySeeds { store_id, file_id, seal_key }, alignment, 0, now_10ms()))
}

/// The identity of the file that replaces another one in a compaction: the same store, a new file,
/// a new secret.
///
/// # Errors
/// If the operating system has no random numbers.
pub(crate) fn next_identity(identity: &Identity) -> io::Result<Identity> {
    let mut random = [[0; 16]; 2];
    for bytes in &mut random {
        getrandom::fill(bytes)?;
    }
    let [file_id, seal_key] = random;
    let seeds = IdentitySeeds { store_id: identity.store_id, file_id, seal_key };
    Ok(Identity::new(seeds, identity.alignment, identity.generation + 1, identity.created_at))
}

/// Writes the header of an empty store into an empty file, and flushes it.
///
/// The file is first extended to the length of the header. Page 0 is written last, after a flush.
/// If interrupted at any point, the file is either an unfinished creation or a whole store.
///
/// # Errors
/// Any I/O error of the file.
pub(crate) fn write_header(file: &dyn StoreFile, identity: &Identity) -> io::Result<()> {
    file.set_len(identity.alignment.header_len())?;
    for sequence in [0, 1] {
        let checkpoint = Checkpoint {
            sequence,
            durable_tail: identity.alignment.header_len(),
            durable_seal: identity.checksum(),
            barrier_end: 0,
            is_clean: true,
            is_copying: false,
        };
        let at = (checkpoint.page() * PAGE_SIZE) as u64;
        write_all_at(file, &checkpoint.encode(identity), at)?;
    }
    file.sync()?;
    write_all_at(file, &identity.encode(), 0)?;
    file.sync()
}
