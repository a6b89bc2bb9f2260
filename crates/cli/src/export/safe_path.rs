//! Which keys are paths that stay below the directory that they are relative to.

use std::path::PathBuf;

/// The path that a key stands for: names separated by `/`, none of which is empty, `.` or `..`.
///
/// # Errors
/// The reason why the key is not such a path.
pub(crate) fn relative_path(key: &[u8]) -> Result<PathBuf, String> {
    if key.is_empty() {
        return Err("its key is empty".to_owned());
    }
    if key.starts_with(b"/") {
        return Err("its key is an absolute path".to_owned());
    }
    let mut path = PathBuf::new();
    for name in key.split(|byte| *byte == b'/') {
        path.push(file_name(name)?);
    }
    Ok(path)
}

fn file_name(name: &[u8]) -> Result<&std::ffi::OsStr, String> {
    match name {
        b"" => Err("its key contains an empty name".to_owned()),
        b"." | b".." => Err("its key contains the name . or ..".to_owned()),
        name if name.contains(&0) => Err("its key contains a NUL byte".to_owned()),
        name => system_name(name),
    }
}

#[cfg(unix)]
fn system_name(name: &[u8]) -> Result<&std::ffi::OsStr, String> {
    Ok(std::os::unix::ffi::OsStrExt::from_bytes(name))
}

#[cfg(not(unix))]
fn system_name(name: &[u8]) -> Result<&std::ffi::OsStr, String> {
    let name = std::str::from_utf8(name).map_err(|_| "its key is not UTF-8".to_owned())?;
    match refused_elsewhere(name) {
        Some(reason) => Err(reason.to_owned()),
        None => Ok(name.as_ref()),
    }
}

/// Why a name cannot name a file on Windows, or would name something else there: a drive, a stream,
/// a device.
#[cfg(any(not(unix), test))]
fn refused_elsewhere(name: &str) -> Option<&'static str> {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    if name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) || name.contains(char::is_control) {
        return Some("its key contains a character that file names cannot have");
    }
    if name.ends_with(['.', ' ']) {
        return Some("its key contains a name that ends with a dot or a space");
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let is_port = |port: &str| {
        let mut digits = port.chars();
        matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    };
    let is_device = DEVICES.contains(&&*stem)
        || stem.strip_prefix("COM").is_some_and(is_port)
        || stem.strip_prefix("LPT").is_some_and(is_port);
    is_device.then_some("its key contains the name of a device")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_relative_paths_are_taken() {
        for key in ["a", "a/b c/d.txt", ".git/config", "..a/b..", "a./...", "-", "~"] {
            assert_eq!(relative_path(key.as_bytes()), Ok(PathBuf::from(key)), "{key}");
        }
    }

    #[test]
    fn whatever_could_lead_elsewhere_is_refused() {
        for key in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../x",
            "a/..",
            ".",
            "./a",
            "a/./b",
            "a//b",
            "a/",
            "a\0b",
        ] {
            assert!(relative_path(key.as_bytes()).is_err(), "{key}");
        }
    }

    #[test]
    fn names_that_mean_something_else_on_windows_are_known() {
        for name in
            ["C:", "a\\b", "file:stream", "x.", "x ", "nul", "Con.txt", "COM1", "lpt9.log", "com²"]
        {
            assert!(refused_elsewhere(name).is_some(), "{name}");
        }
        for name in ["console", "com", "COM10", "nul2", "a.b", "grüße"] {
            assert!(refused_elsewhere(name).is_none(), "{name}");
        }
    }
}
