//! This crate writes the store that `docs/format.md` shows byte for byte, and that the repository
//! contains as a file. Neither may ever change.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use simd_r_drive_entry_handle::constants::PAGE_SIZE;
use simd_r_drive_entry_handle::{
    Alignment, Barrier, Checkpoint, Identity, IdentitySeeds, Kind, PublishedTail, Seal,
    compute_hash,
};
use simd_r_drive_writer::{Appender, NewEntry, StoreFile, write_all_at};

use crate::support::{MemoryFile, value};

/// 2023-11-14 22:13:20 UTC, in units of 10 ms.
const TIME: u64 = 170_000_000_000;

/// `first`, `first + 1`, …: bytes that are easy to recognise in a dump.
fn counting_from(first: u8) -> [u8; 16] {
    std::array::from_fn(|at| first + at as u8)
}

/// What `file` holds after these operations and a clean close:
///
/// ```text
/// write(apple, "red"); batch_write(pear: "", plum: 40 bytes); write(apple, "green"); delete(pear)
/// write_with_key_hash(7, "seven"); write_with_key_hash(hash of plum, "by hash")
/// write(plum, "by key")
/// ```
fn golden_store() -> Vec<u8> {
    let seeds = IdentitySeeds {
        store_id: counting_from(0xa0),
        file_id: counting_from(0xb0),
        seal_key: counting_from(0xc0),
    };
    let identity = Identity::new(seeds, Alignment::DEFAULT, 0, TIME);
    let layout = identity.layout();
    let file = Arc::new(MemoryFile::default());
    file.bytes().resize(layout.header_len() as usize, 0);
    let checkpoint = |sequence, tail, seal: Seal| Checkpoint {
        sequence,
        durable_tail: tail,
        durable_seal: seal.0,
        barrier_end: 0,
        is_clean: true,
        is_copying: false,
    };
    let write_checkpoint = |checkpoint: Checkpoint| {
        let at = (checkpoint.page() * PAGE_SIZE) as u64;
        write_all_at(&*file, &checkpoint.encode(&identity), at).unwrap();
    };
    let root = Seal(identity.checksum());
    write_checkpoint(checkpoint(0, layout.header_len(), root));
    write_checkpoint(checkpoint(1, layout.header_len(), root));
    write_all_at(&*file, &identity.encode(), 0).unwrap();

    let shared: Arc<dyn StoreFile> = Arc::clone(&file) as _;
    let log = Appender::new(shared, layout, layout.header_len(), root).unwrap();
    let mut log = log.with_clock(|| TIME);
    let tombstone = |key, previous_end, is_bare| NewEntry {
        kind: Kind::Tombstone,
        previous_end,
        is_bare,
        replaces_live: true,
        ..value(key, b"")
    };
    let (seven, plum_hash) = (7_u64.to_le_bytes(), compute_hash(b"plum").to_le_bytes());
    let plum: Vec<u8> = (0..40).collect();

    let new = |entry| NewEntry { is_new_hash: true, ..entry };
    let red = log.append(&[new(value(b"apple", b"red"))]).unwrap();
    assert_eq!(red, 16_448);
    let pear = red + 64;
    let first_plum = log.append(&[new(value(b"pear", b"")), new(value(b"plum", &plum))]).unwrap();
    let green = NewEntry { previous_end: red, replaces_live: true, ..value(b"apple", b"green") };
    log.append(&[green]).unwrap();
    log.append(&[tombstone(b"pear", pear, false)]).unwrap();
    log.append(&[new(NewEntry { is_bare: true, ..value(&seven, b"seven") })]).unwrap();
    // The bare entry answers for every key of its hash, so the keyed one goes.
    let by_hash = NewEntry { is_bare: true, ..value(&plum_hash, b"by hash") };
    let bare = log.append(&[tombstone(b"plum", first_plum, false), by_hash]).unwrap();
    // And the other way round.
    let by_key = NewEntry { previous_end: bare - 64, ..value(b"plum", b"by key") };
    log.append(&[tombstone(&plum_hash, bare, true), by_key]).unwrap();
    let (durable_tail, durable_seal) = (log.tail(), log.tail_seal().0);
    log.append_barrier(&Barrier {
        durable_tail,
        durable_seal,
        live_keys: 3,
        dead_bytes: 512,
        tables: None,
    })
    .unwrap();
    log.trim().unwrap();
    write_checkpoint(checkpoint(2, log.tail(), log.tail_seal()));
    let published = PublishedTail { tail: log.tail(), is_moved: false };
    write_all_at(&*file, &published.encode(), 3 * PAGE_SIZE as u64).unwrap();
    file.bytes().clone()
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Rows of 16 bytes, those of zeros left out, and the length.
fn dump(bytes: &[u8]) -> String {
    let mut dump = String::new();
    for (number, row) in bytes.chunks(16).enumerate() {
        if row.iter().any(|byte| *byte != 0) {
            write!(dump, "{:08x}", number * 16).unwrap();
            row.iter().for_each(|byte| write!(dump, " {byte:02x}").unwrap());
            dump.push('\n');
        }
    }
    writeln!(dump, "{:08x}", bytes.len()).unwrap();
    dump
}

/// The rows of the blocks marked `hexdump`, without what is said about them after a `;` or `|`.
fn documented_dump(markdown: &str) -> String {
    let mut dump = String::new();
    let mut is_inside = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            is_inside = line == "```hexdump";
            continue;
        }
        let row = line.split([';', '|']).next().unwrap_or_default().trim_end();
        if is_inside && !row.is_empty() {
            dump.push_str(row);
            dump.push('\n');
        }
    }
    dump
}

#[test]
fn the_documented_dump_is_what_is_written() {
    let markdown = fs::read_to_string(repository().join("docs/format.md")).unwrap();
    let written = dump(&golden_store());
    assert!(documented_dump(&markdown) == written, "docs/format.md should show\n{written}");
}

#[test]
fn the_kept_file_is_what_is_written() {
    let path = repository().join("crates/simd-r-drive/tests/fixtures/v1.srd");
    let kept = fs::read(&path).unwrap_or_default();
    assert!(kept == golden_store(), "{} differs from what is written now", path.display());
}
