//! Keys and paths: bytes on the command line, in messages and in JSON.

use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};
use simd_r_drive::EntryHandle;

/// The bytes of a command line argument or a path: as they are on Unix, UTF-8 elsewhere.
#[cfg(unix)]
pub(crate) fn bytes_of(text: &OsStr) -> Result<&[u8]> {
    Ok(std::os::unix::ffi::OsStrExt::as_bytes(text))
}

/// The bytes of a command line argument or a path: as they are on Unix, UTF-8 elsewhere.
#[cfg(not(unix))]
pub(crate) fn bytes_of(text: &OsStr) -> Result<&[u8]> {
    match text.to_str() {
        Some(text) => Ok(text.as_bytes()),
        None => anyhow::bail!("{} is not valid Unicode", text.display()),
    }
}

/// Shows any key on one line: control characters, backslashes and bytes that are not UTF-8 are
/// escaped.
#[derive(Debug)]
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for char in chunk.valid().chars() {
                match char {
                    '\\' => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    char if char.is_control() => write!(f, "{}", char.escape_unicode())?,
                    char => f.write_char(char)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Shows a path on one line.
pub(crate) fn shown_path(path: &Path) -> String {
    Shown(path.as_os_str().as_encoded_bytes()).to_string()
}

/// A JSON object with a key: as `key` if it is UTF-8, else as `key_hex`.
pub(crate) fn key_json(key: &[u8]) -> Map<String, Value> {
    let mut object = Map::new();
    match std::str::from_utf8(key) {
        Ok(text) => object.insert("key".to_owned(), text.into()),
        Err(_) => object.insert("key_hex".to_owned(), hex(key).into()),
    };
    object
}

/// A JSON object with the entry's `key_hash` and, if it has one, its key as in [`key_json`].
pub(crate) fn entry_json(entry: &EntryHandle) -> Map<String, Value> {
    entry_json_of(entry.key(), entry.key_hash())
}

/// Like [`entry_json`], for an entry with this key and hash.
pub(crate) fn entry_json_of(key: Option<&[u8]>, key_hash: u64) -> Map<String, Value> {
    let mut object = key.map(key_json).unwrap_or_default();
    object.insert("key_hash".to_owned(), format!("{key_hash:#018x}").into());
    object
}

/// An entry's key, or `<hash 0x…>` if it has none.
pub(crate) fn entry_name(entry: &EntryHandle) -> String {
    entry_name_of(entry.key(), entry.key_hash())
}

/// Like [`entry_name`], for an entry with this key and hash.
pub(crate) fn entry_name_of(key: Option<&[u8]>, key_hash: u64) -> String {
    match key {
        Some(key) => Shown(key).to_string(),
        None => format!("<hash {key_hash:#018x}>"),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_on_one_line_and_can_be_told_from_every_other() {
        for (key, shown) in [
            (&b"docs/a b.txt"[..], "docs/a b.txt"),
            ("grüße".as_bytes(), "grüße"),
            (b"a\nb\\n\t\r", r"a\nb\\n\t\r"),
            (b"\x1b[31m\xff\xfe", r"\u{1b}[31m\xff\xfe"),
        ] {
            assert_eq!(Shown(key).to_string(), shown);
        }
    }

    #[test]
    fn json_loses_no_byte_of_a_key() {
        assert_eq!(key_json(b"a\0b")["key"], "a\0b");
        assert_eq!(key_json(b"\xff\x00")["key_hex"], "ff00");
    }
}
