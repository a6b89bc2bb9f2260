use std::fs;
use std::path::Path;

use crate::run::{Bench, tree};

/// A small generator of pseudo-random numbers, so that every run is the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn generate(root: &Path, files: u64) {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for number in 0..files {
        let directory = root.join(format!("{}/{}", number % 17, number % 7));
        if number < 17 * 7 {
            fs::create_dir_all(&directory).unwrap();
        }
        // Some are empty, some tiny, and some about as long as it takes to add a block to a slot.
        let len = match number % 4 {
            0 => 0,
            1 => numbers.below(4),
            2 => 20 + numbers.below(90),
            _ => numbers.below(2_000),
        };
        let content: Vec<u8> = (0..len).map(|_| numbers.below(256) as u8).collect();
        fs::write(directory.join(format!("file {number}")), content).unwrap();
    }
}

#[test]
fn a_tree_of_many_files_comes_back_byte_for_byte() {
    const FILES: u64 = 10_500;
    let bench = Bench::new();
    generate(&bench.path("in"), FILES);
    // The first is too large for a batch with others, and the second is streamed.
    for (name, len) in [("in/large", 9 << 20), ("in/larger", (16 << 20) + 1)] {
        bench.file(name, (0..len).map(|n: u32| (n % 253) as u8).collect::<Vec<u8>>());
    }
    let imported = bench.run(["import", "in", "--json"]).succeeds().json();
    assert_eq!(imported["files"], FILES + 2);
    let verified = bench.run(["verify", "--json"]).succeeds().json();
    assert_eq!(verified["live_keys"], FILES + 2);
    assert_eq!(verified["bytes"], imported["bytes"]);
    assert_eq!(bench.run(["list"]).succeeds().lines().len() as u64, FILES + 2);
    bench.run(["export", "out"]).succeeds();
    assert!(tree(&bench.path("in")) == tree(&bench.path("out")));
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_are_kept() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let bench = Bench::new();
    let name = OsStr::from_bytes(b"in/\xff\xfe\n dir/\x80.bin");
    bench.file(name, b"\0\x01");
    bench.run(["import", "in"]).succeeds();
    let key = OsStr::from_bytes(b"\xff\xfe\n dir/\x80.bin");
    assert_eq!(bench.run([OsStr::new("read"), key]).succeeds().0.stdout, b"\0\x01");
    assert_eq!(bench.run(["list"]).succeeds().lines(), [r"\xff\xfe\n dir/\x80.bin"]);
    bench.run(["export", "out"]).succeeds();
    assert_eq!(tree(&bench.path("in")), tree(&bench.path("out")));
}

#[cfg(unix)]
#[test]
fn exported_files_have_ordinary_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.file("ordinary", "");
    bench.run(["write", "file", "value"]).succeeds();
    bench.run(["export", "out"]).succeeds();
    let mode = |path| fs::metadata(bench.path(path)).unwrap().permissions().mode();
    assert_eq!(mode("out/file"), mode("ordinary"));
}

#[cfg(unix)]
#[test]
fn a_file_that_is_replaced_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.run(["write", "file", "value"]).succeeds();
    for mode in [0o600, 0o755] {
        bench.file("out/file", "secret");
        bench.set_mode("out/file", mode);
        let mode_now =
            || fs::metadata(bench.path("out/file")).unwrap().permissions().mode() & 0o777;
        bench.run(["read", "file", "-o", "out/file"]).succeeds();
        assert_eq!(mode_now(), mode);
        bench.run(["export", "out", "--force"]).succeeds();
        assert_eq!(mode_now(), mode);
        assert_eq!(fs::read(bench.path("out/file")).unwrap(), b"value");
    }
}
