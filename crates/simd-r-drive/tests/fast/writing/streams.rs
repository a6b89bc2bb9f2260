//! A stream of any length is written in a few MiB of memory.
//!
//! A process of its own writes 256 MiB, or as many MiB as the environment variable
//! `SIMD_R_DRIVE_STREAM_MIB` says. The test then asks the system for the peak memory of that
//! process. It needs twice as much space in the directory for temporary files.

#![cfg(target_os = "linux")]

use std::io::{self, Read};
use std::time::Instant;

use simd_r_drive::DataStore;
use simd_r_drive::traits::{DataStoreReader, DataStoreWriter};

use crate::support::{child, new_path};

/// For all of the process: code, stacks, buffers, index.
const MOST_KIB: u64 = 64 << 10;

const DEFAULT_MIB: u64 = 256;

/// A stream that is made as it is read: every eight bytes are mixed from their offset.
struct Made {
    at: u64,
    len: u64,
}

fn word(at: u64) -> [u8; 8] {
    (at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).to_le_bytes()
}

impl Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = (self.len - self.at).min(buffer.len() as u64 & !7) as usize;
        for (number, bytes) in buffer[..len].chunks_exact_mut(8).enumerate() {
            bytes.copy_from_slice(&word(self.at + 8 * number as u64));
        }
        self.at += len as u64;
        Ok(len)
    }
}

/// A line of `/proc/self/status`, in KiB.
fn status_kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

#[test]
#[ignore = "a process that another test starts"]
fn streaming_process() {
    let Some((path, mib)) = child::orders() else { return };
    let len = mib.parse::<u64>().unwrap() << 20;
    let store = DataStore::open(&path).unwrap();
    let started = Instant::now();
    store.write_stream(b"stream", &mut Made { at: 0, len }).unwrap();
    let time = started.elapsed();
    // The high-water mark is kept by the system, and nothing has been read through the map yet.
    let (peak, anonymous) = (status_kib("VmHWM:"), status_kib("RssAnon:"));
    let entry = store.read(b"stream").unwrap().unwrap();
    assert_eq!(entry.len() as u64, len);
    for (number, bytes) in entry.chunks_exact(8).enumerate() {
        assert!(bytes == word(8 * number as u64), "wrong at byte {}", 8 * number);
    }
    eprintln!(
        "a stream of {mib} MiB: {time:?}, at most {peak} KiB resident, {anonymous} KiB anonymous at its end"
    );
    assert!(peak < MOST_KIB, "{peak} KiB of memory for a stream");
}

#[test]
fn a_long_stream_is_written_in_less_than_64_mib() {
    let mib = std::env::var("SIMD_R_DRIVE_STREAM_MIB").ok().and_then(|text| text.parse().ok());
    let (_directory, path) = new_path();
    let mib: u64 = mib.unwrap_or(DEFAULT_MIB);
    // More than may be in memory at once, or the test shows nothing.
    assert!(mib << 10 > 2 * MOST_KIB);
    println!("{}", child::run(streaming_process, &path, &mib.to_string()));
}
