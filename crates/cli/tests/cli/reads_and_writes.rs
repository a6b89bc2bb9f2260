use std::fs;

use crate::run::Bench;

const BINARY: &[u8] = b"\0\xff\r\n\x1a\n\0no newline at the end";

#[test]
fn a_value_comes_back_byte_for_byte() {
    let bench = Bench::new();
    bench.run(["write", "text", "hello"]).succeeds();
    bench.run_with_input(["write", "binary"], BINARY).succeeds();
    bench.run_with_input(["write", "empty"], b"").succeeds();
    bench.run(["write", "also empty", ""]).succeeds();
    assert_eq!(bench.run(["read", "text"]).succeeds().0.stdout, b"hello");
    assert_eq!(bench.run(["read", "binary"]).succeeds().0.stdout, BINARY);
    assert_eq!(bench.run(["read", "empty"]).succeeds().0.stdout, b"");
    assert_eq!(bench.run(["read", "also empty"]).succeeds().0.stdout, b"");

    bench.run(["write", "text", "newer"]).succeeds();
    assert_eq!(bench.run(["read", "text"]).succeeds().0.stdout, b"newer");
}

#[test]
fn a_large_value_passes_through_pipes_in_pieces_of_any_size() {
    let bench = Bench::new();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    bench.run_with_input(["write", "large"], &large).succeeds();
    for size in ["1000", "64K", "1M", "1G"] {
        let read = bench.run(["read", "large", "-b", size]).succeeds();
        assert!(read.0.stdout == large, "{size}");
    }
    bench.run(["read", "large", "--buffer-size", "0"]).exits(2).says("must not be 0");
    bench.run(["read", "large", "--buffer-size", "1X"]).exits(2).says("unknown unit");
}

#[test]
fn a_value_is_written_to_a_file_whole() {
    let bench = Bench::new();
    bench.run_with_input(["write", "key"], BINARY).succeeds();
    bench.run(["read", "key", "-o", "out"]).succeeds();
    assert_eq!(fs::read(bench.path("out")).unwrap(), BINARY);
    bench.file("out", "something longer than the value that is about to replace it");
    let read = bench.run(["read", "key", "-o", "out", "--json"]).succeeds();
    assert_eq!(read.json()["size"], BINARY.len());
    assert_eq!(fs::read(bench.path("out")).unwrap(), BINARY);

    bench.run(["read", "absent", "-o", "out"]).exits(1);
    assert_eq!(fs::read(bench.path("out")).unwrap(), BINARY);
    bench.run(["read", "key", "-o", "no/such/directory"]).exits(2);
    bench.run(["read", "key", "-o", "store.srd"]).exits(2).says("the store itself");
    bench.run(["read", "key", "--json"]).exits(2).says("-o FILE");
    bench.run(["verify"]).succeeds();
}

#[cfg(unix)]
#[test]
fn a_value_is_written_through_a_link_and_to_a_device() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.file("file", "old");
    std::os::unix::fs::symlink("file", bench.path("link")).unwrap();
    bench.run(["read", "key", "-o", "link"]).succeeds();
    assert!(bench.path("link").is_symlink());
    assert_eq!(fs::read(bench.path("file")).unwrap(), b"value");
    bench.run(["read", "key", "-o", "/dev/null"]).succeeds();
    assert_eq!(bench.run(["read", "key", "-o", "/dev/stdout"]).succeeds().0.stdout, b"value");
}

#[test]
fn keys_are_deleted_and_absent_ones_told() {
    let bench = Bench::new();
    for key in ["a", "b", "c"] {
        bench.run(["write", key, "value"]).succeeds();
    }
    bench.run(["delete", "a", "a"]).succeeds();
    let deleted = bench.run(["delete", "b", "a", "x", "--json"]).exits(1);
    assert_eq!(deleted.stderr(), "simd-r-drive: no such key: a\nsimd-r-drive: no such key: x\n");
    assert_eq!(deleted.json()["deleted"][0]["key"], "b");
    assert_eq!(deleted.json()["absent"][1]["key"], "x");
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["c"]);
    bench.run(["delete"]).exits(2);
}

#[test]
fn a_key_is_renamed() {
    let bench = Bench::new();
    bench.run(["write", "a", "value"]).succeeds();
    bench.run(["write", "b", "replaced"]).succeeds();
    let renamed = bench.run(["rename", "a", "b", "--json"]).succeeds();
    assert_eq!(renamed.json()["new"]["key"], "b");
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["b"]);
    assert_eq!(bench.run(["read", "b"]).succeeds().stdout(), "value");
    bench.run(["rename", "a", "c"]).exits(1).says("no such key: a");
    bench.run(["rename", "b", "b"]).exits(2).says("the same");
}

#[test]
fn what_is_known_of_a_value_is_shown() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    assert!(
        bench.run(["metadata", "key"]).succeeds().stdout().contains("size              5 bytes")
    );
    let json = bench.run(["metadata", "key", "--json"]).succeeds().json();
    assert_eq!(json["key"], "key");
    assert_eq!(json["size"], 5);
    assert_eq!(json["crc32"], format!("{:#010x}", 0x1d77_5834));
    assert_eq!(json["offset"].as_u64().unwrap() % 64, 0);
    let absent = bench.run(["--json", "metadata", "absent"]).exits(1);
    assert_eq!(absent.json()["exists"], false);
}

#[test]
fn a_store_tells_of_itself() {
    let bench = Bench::new();
    bench.run(["write", "key", "old"]).succeeds();
    bench.run(["write", "key", "new"]).succeeds();
    assert!(bench.run(["info"]).succeeds().stdout().contains("keys        1\n"));
    let json = bench.run(["info", "--json"]).succeeds().json();
    assert_eq!(json["live_keys"], 1);
    assert_eq!(json["dead_slots"], 1);
    assert_eq!(json["was_clean"], true);
    assert_eq!(json["recovered_bytes"], 0);
    assert!(json["slots_replayed"].as_u64().unwrap() >= 2, "{json}");
    assert_eq!(json["tail"], fs::metadata(bench.path("store.srd")).unwrap().len());
}

#[cfg(unix)]
#[test]
fn a_store_tells_how_long_its_file_is_and_what_it_takes_on_the_disk() {
    use std::os::unix::fs::MetadataExt as _;
    let bench = Bench::new();
    bench.run_with_input(["write", "key"], &[7; 300_000]).succeeds();
    // The two differ if space is allocated ahead, or after a hole was punched.
    let file = fs::OpenOptions::new().write(true).open(bench.path("store.srd")).unwrap();
    file.set_len(file.metadata().unwrap().len() + (8 << 20)).unwrap();
    file.sync_all().unwrap();
    let found = file.metadata().unwrap();
    let (len, taken) = (found.len(), found.blocks() * 512);
    assert!(taken < len);
    let json = bench.run(["info", "--json"]).succeeds().json();
    assert_eq!((&json["file_bytes"], &json["disk_bytes"]), (&len.into(), &taken.into()));
    let text = bench.run(["info"]).succeeds().stdout();
    assert!(text.contains(&format!("file        {len} (")), "{text}");
    assert!(text.contains(&format!("on disk     {taken} (")), "{text}");
}

#[test]
fn compaction_drops_what_is_dead_and_keeps_the_rest() {
    let bench = Bench::new();
    bench.run_with_input(["write", "key"], &[1; 100_000]).succeeds();
    bench.run_with_input(["write", "key"], BINARY).succeeds();
    bench.run(["write", "gone", "value"]).succeeds();
    bench.run(["delete", "gone"]).succeeds();
    let json = bench.run(["compact", "--json"]).succeeds().json();
    assert!(json["bytes_before"].as_u64().unwrap() > 100_000);
    let len = fs::metadata(bench.path("store.srd")).unwrap().len();
    assert!(len < 30_000, "{len}");
    assert_eq!(bench.run(["read", "key"]).succeeds().0.stdout, BINARY);
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["key"]);
    assert_eq!(bench.run(["info", "--json"]).succeeds().json()["dead_slots"], 0);
    assert_eq!(fs::read_dir(bench.path("")).unwrap().count(), 1);
}

#[cfg(unix)]
#[test]
fn a_file_that_standard_output_goes_to_is_written_on_and_not_replaced() {
    let bench = Bench::new();
    bench.run(["write", "key", "value"]).succeeds();
    bench.file("log", "kept ");
    for path in ["/dev/stdout", "/dev/fd/1"] {
        bench.shell(&format!("$S store.srd read key -o {path} >>log")).succeeds();
    }
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"kept valuevalue");
    bench.run(["read", "key", "-o", "/dev/stdout", "--json"]).exits(2).says("add -o FILE");
    let refused = bench.shell("$S store.srd read key -o /dev/fd/3 3>>log").exits(2);
    refused.says("cannot write /dev/fd/3: it leads to a file that is already open");
    assert_eq!(fs::read(bench.path("log")).unwrap(), b"kept valuevalue");
}

#[cfg(unix)]
#[test]
fn an_input_that_cannot_be_read_is_named_and_creates_no_store() {
    let bench = Bench::new();
    let failed = bench.shell("$S store.srd write key </").exits(2);
    failed.says("simd-r-drive: cannot write key: cannot read standard input: Is a directory");
    assert!(!bench.path("store.srd").exists());
    bench.run(["write", "other", "value"]).succeeds();
    bench.shell("$S store.srd write key </").exits(2);
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["other"]);
}
