//! Code that these tests share.

pub(crate) mod child;
pub(crate) mod hooks;
pub(crate) mod older;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use simd_r_drive::DataStore;

/// A directory that goes away with the test, and the path of a store in it.
pub(crate) fn new_path() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.srd");
    (directory, path)
}

/// An open store in a directory of its own.
pub(crate) fn new_store() -> (tempfile::TempDir, DataStore) {
    let (directory, path) = new_path();
    let store = DataStore::open(&path).unwrap();
    (directory, store)
}

/// `count` different keys of 32 bytes that all have the same XXH3-64.
///
/// For 32 bytes, XXH3 computes a product for each half: its first eight bytes XOR a word of the
/// secret, times its last eight bytes XOR another word. If the first eight bytes equal the word,
/// the product is zero, whatever the last ones are.
pub(crate) fn keys_of_one_hash(count: u64) -> Vec<[u8; 32]> {
    // Bytes 0..8 and 16..24 of XXH3's default secret.
    const WORDS: [[u8; 8]; 2] = [
        [0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe],
        [0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb],
    ];
    (0..count)
        .map(|number| {
            let mut key = [0; 32];
            key[0..8].copy_from_slice(&WORDS[0]);
            key[8..16].copy_from_slice(&number.to_le_bytes());
            key[16..24].copy_from_slice(&WORDS[1]);
            key[24..32].copy_from_slice(&(number / 3).to_le_bytes());
            key
        })
        .collect()
}

/// Splitmix64: small, fast, and the same everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            (0..len.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(len);
        bytes
    }
}

/// Runs `action` on a thread of its own and fails the test if it takes longer than `limit`.
#[track_caller]
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    what: &str,
    action: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || {
        let _ = sender.send(action());
    });
    match receiver.recv_timeout(limit) {
        Ok(result) => {
            worker.join().unwrap();
            result
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} takes longer than {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{what} panicked"),
    }
}

/// A file's bytes and the time of its last change.
pub(crate) fn state_of(path: &Path) -> (Vec<u8>, SystemTime) {
    let bytes = std::fs::read(path).unwrap();
    (bytes, std::fs::metadata(path).unwrap().modified().unwrap())
}

/// The names of the files in a directory, sorted.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
