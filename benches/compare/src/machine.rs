//! On which machine, and of which versions, the figures are.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Pairs of a name and what is there.
pub fn describe(directory: &Path) -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = field("/proc/cpuinfo", "model name");
    [
        ("processor", format!("{}, {cores} cores", processor.unwrap_or_default())),
        ("memory", field("/proc/meminfo", "MemTotal").unwrap_or_default()),
        ("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default()),
        ("file system", file_system(directory)),
        ("compiler", output("rustc", &["--version"])),
        (
            "commit",
            output("git", &["-C", env!("CARGO_MANIFEST_DIR"), "rev-parse", "--short", "HEAD"]),
        ),
    ]
    .map(|(name, value)| (name.to_string(), value.trim().to_string()))
    .to_vec()
}

fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into())
}

fn file_system(directory: &Path) -> String {
    match rustix::fs::statfs(directory).map(|status| status.f_type as u64) {
        Ok(0xef53) => "ext4".into(),
        Ok(0x5846_5342) => "xfs".into(),
        Ok(0x9123_683e) => "btrfs".into(),
        Ok(0x0102_1994) => "tmpfs, which has no medium: durable rows mean nothing".into(),
        Ok(0x794c_7630) => "overlayfs".into(),
        Ok(other) => format!("type {other:#x}"),
        Err(error) => error.to_string(),
    }
}

/// The version of a package in the lock file. `name@0.17` asks for one of several.
pub fn version(package: &str) -> String {
    let (name, start) = package.split_once('@').unwrap_or((package, ""));
    let name_line = format!("name = \"{name}\"");
    let mut versions: Vec<&str> = include_str!("../Cargo.lock")
        .split("[[package]]")
        .filter(|block| block.lines().any(|line| line == name_line))
        .filter_map(|block| block.lines().find_map(|line| line.strip_prefix("version = ")))
        .map(|version| version.trim_matches('"'))
        .filter(|version| version.starts_with(start))
        .collect();
    versions.sort_by_key(|version| {
        version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u64>>()
    });
    versions.pop().unwrap_or("?").into()
}

#[cfg(test)]
mod tests {
    use super::version;
    use crate::stores::profiles;

    #[test]
    fn every_store_has_a_version() {
        for profile in profiles() {
            assert_ne!(version(profile.package), "?", "{}", profile.name);
        }
        assert!(version("simd-r-drive@0.17").starts_with("0.17"));
        assert!(!version("simd-r-drive").starts_with("0.17"));
        assert_eq!(version("no-such-package"), "?");
    }
}
