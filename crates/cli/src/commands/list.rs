//! `list`: prints the keys.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;
use simd_r_drive::EntryHandle;

use crate::console::Console;
use crate::key::{entry_json, entry_name};
use crate::open;
use crate::outcome::Outcome;
use crate::timestamp::rfc3339;

/// How an entry is printed where it is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Key,
    Long,
    /// The key's bytes and a NUL.
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
    let mut entries = Vec::new();
    let mut iterator = store.iter_entries();
    while let Some(entry) = iterator.next_entry().context("cannot list all keys")? {
        if entry.key().unwrap_or_default().starts_with(prefix) {
            entries.push(entry);
        }
    }
    // Those without a key come first, by hash.
    entries.sort_unstable_by(|a, b| (a.key(), a.key_hash()).cmp(&(b.key(), b.key_hash())));
    let mut output = console.output();
    for entry in &entries {
        if console.is_json {
            writeln!(output, "{}", json_of(entry))?;
            continue;
        }
        match format {
            Format::Key => writeln!(output, "{}", entry_name(entry))?,
            Format::Long => {
                let (size, time) = (entry.size(), entry.written_at().map(rfc3339));
                let time = time.unwrap_or_default();
                writeln!(output, "{size:>12}  {time:20}  {}", entry_name(entry))?;
            }
            Format::Null => {
                if let Some(key) = entry.key() {
                    output.write_all(key)?;
                    output.write_all(b"\0")?;
                }
            }
        }
    }
    output.flush()?;
    Ok(outcome)
}

fn json_of(entry: &EntryHandle) -> Value {
    let mut object = entry_json(entry);
    object.insert("size".to_owned(), entry.size().into());
    object.insert("written_at".to_owned(), entry.written_at().map(rfc3339).into());
    object.into()
}
