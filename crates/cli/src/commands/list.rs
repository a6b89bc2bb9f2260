//! `list`: prints the keys.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;
use simd_r_drive::KeyInfo;

use crate::console::Console;
use crate::key::{entry_json_of, entry_name_of};
use crate::open;
use crate::outcome::Outcome;
use crate::timestamp::rfc3339;

/// How an entry is printed without `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Key,
    Long,
    /// The bytes of the key, then a NUL.
    Null,
}

impl Format {
    pub(crate) fn new(is_long: bool, is_null: bool) -> Self {
        match (is_long, is_null) {
            (_, true) => Self::Null,
            (true, false) => Self::Long,
            (false, false) => Self::Key,
        }
    }
}

pub(crate) fn run(
    console: &Console,
    store_path: &Path,
    prefix: &[u8],
    is_salvage: bool,
    format: Format,
) -> Result<Outcome> {
    let (store, outcome) = open::for_salvage(console, store_path, is_salvage, false)?;
    let entries: io::Result<Vec<KeyInfo>> = store.keys_with_prefix(prefix).collect();
    let mut entries = entries.context("cannot list the keys")?;
    // Entries without a key come first, sorted by hash.
    entries.sort_unstable_by(|a, b| (&a.key, a.key_hash).cmp(&(&b.key, b.key_hash)));
    let mut output = console.output();
    for entry in &entries {
        if console.is_json {
            writeln!(output, "{}", json_of(entry))?;
            continue;
        }
        match format {
            Format::Key => writeln!(output, "{}", name(entry))?,
            Format::Long => {
                let (len, time) = (entry.value_len, rfc3339(entry.written_at));
                writeln!(output, "{len:>12}  {time:20}  {}", name(entry))?;
            }
            Format::Null => {
                if let Some(key) = &entry.key {
                    output.write_all(key)?;
                    output.write_all(b"\0")?;
                }
            }
        }
    }
    output.flush()?;
    Ok(outcome)
}

fn name(entry: &KeyInfo) -> String {
    entry_name_of(entry.key.as_deref(), entry.key_hash)
}

fn json_of(entry: &KeyInfo) -> Value {
    let mut object = entry_json_of(entry.key.as_deref(), entry.key_hash);
    object.insert("size".to_owned(), entry.value_len.into());
    object.insert("written_at".to_owned(), rfc3339(entry.written_at).into());
    object.into()
}
