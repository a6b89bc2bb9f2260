//! A map that wished for more address space than was left once took all of it but a few pages, and
//! the next allocation aborted the process. The limit applies to a process, so a process of its own
//! sets it.

use std::env;
use std::fs::{self, File};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use simd_r_drive_entry_handle::{Alignment, Map};

const MIB: u64 = 1 << 20;

/// Address space that this process uses, in bytes.
fn used() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

fn leave(bytes: u64) {
    let Rlimit { maximum, .. } = getrlimit(Resource::As);
    setrlimit(Resource::As, Rlimit { current: Some(used() + bytes), maximum }).unwrap();
}

#[test]
#[ignore = "a process that the test below starts"]
fn process_with_300_mib_left() {
    let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
    for alignment in [Alignment::DEFAULT, Alignment::new(1 << 16).unwrap()] {
        leave(300 * MIB);
        let map = Map::reserve(&file, alignment, MIB, 4096 * MIB).unwrap();
        assert_eq!(map.reserved(), 128 * MIB, "half of what fits");
        drop(map);

        // A map takes what it needs in any case, and all that it wishes for if that fits.
        let map = Map::reserve(&file, alignment, 200 * MIB, 4096 * MIB).unwrap();
        assert_eq!(map.reserved(), 256 * MIB);
        drop(map);
        let map = Map::reserve(&file, alignment, MIB, 250 * MIB).unwrap();
        assert_eq!(map.reserved(), 250 * MIB);
        drop(map);
        assert!(Map::reserve(&file, alignment, 301 * MIB, 4096 * MIB).is_err());
    }
}

#[test]
fn a_map_takes_half_of_the_space_at_most_or_its_need() {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["address_space::process_with_300_mib_left", "--exact", "--ignored"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
}
