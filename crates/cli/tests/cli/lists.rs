use std::io::Read as _;
use std::process::Stdio;

use simd_r_drive::DataStore;
use simd_r_drive::traits::DataStoreWriter as _;

use crate::run::Bench;

fn bench_with(keys: &[&[u8]]) -> Bench {
    let bench = Bench::new();
    let store = DataStore::open(bench.path("store.srd")).unwrap();
    for key in keys {
        store.write(key, b"value").unwrap();
    }
    store.close().unwrap();
    bench
}

#[test]
fn keys_are_sorted_and_selected_by_prefix() {
    let bench = bench_with(&[b"b", b"dir/2", b"a", b"dir/1", b"dir"]);
    bench.run(["delete", "b"]).succeeds();
    assert_eq!(bench.run(["list"]).succeeds().lines(), ["a", "dir", "dir/1", "dir/2"]);
    assert_eq!(bench.run(["list", "--prefix", "dir/"]).succeeds().lines(), ["dir/1", "dir/2"]);
    assert_eq!(bench.run(["list", "--prefix", "none"]).succeeds().stdout(), "");
}

#[test]
fn long_lines_show_size_and_time() {
    let bench = bench_with(&[b"key with spaces"]);
    let lines = bench.run(["list", "-l"]).succeeds().lines();
    let fields: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(fields[0], "5");
    assert!(fields[1].starts_with("20") && fields[1].ends_with('Z'), "{}", fields[1]);
    assert!(lines[0].ends_with("  key with spaces"));
}

#[test]
fn strange_keys_stay_on_their_lines_and_lose_nothing() {
    let keys: [&[u8]; 4] = [b"a\nb", b"\\n", b"\x1b[31m", b"\xff\xfe"];
    let bench = bench_with(&keys);
    let store = DataStore::open(bench.path("store.srd")).unwrap();
    store.write_with_key_hash(7, b"bare").unwrap();
    store.close().unwrap();

    let lines = bench.run(["list"]).succeeds().lines();
    let expected = ["<hash 0x0000000000000007>", r"\u{1b}[31m", r"\\n", r"a\nb", r"\xff\xfe"];
    assert_eq!(lines, expected);

    let raw = bench.run(["list", "-0"]).succeeds().0.stdout;
    assert_eq!(raw, b"\x1b[31m\0\\n\0a\nb\0\xff\xfe\0");

    let json: Vec<serde_json::Value> = bench
        .run(["list", "--json"])
        .succeeds()
        .lines()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(json.len(), 5);
    assert_eq!(json[0]["key_hash"], "0x0000000000000007");
    assert!(json[0].get("key").is_none());
    assert_eq!(json[3]["key"], "a\nb");
    assert_eq!(json[3]["size"], 5);
    assert_eq!(json[4]["key_hex"], "fffe");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let bench = Bench::new();
    let store = DataStore::open(bench.path("store.srd")).unwrap();
    let keys: Vec<String> = (0..20_000).map(|n| format!("some rather long key {n}")).collect();
    let entries: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (key.as_bytes(), &b""[..])).collect();
    store.batch_write(&entries).unwrap();
    store.write(b"large", &vec![1; 1 << 20]).unwrap();
    store.close().unwrap();

    for arguments in [&["list"][..], &["list", "--json"], &["read", "large"]] {
        let mut child = bench
            .command()
            .arg("store.srd")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 10]).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}
