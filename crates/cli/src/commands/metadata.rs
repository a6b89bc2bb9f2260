//! `metadata`: shows size, place, checksum and time of a value.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};
use simd_r_drive::EntryHandle;
use simd_r_drive::traits::DataStoreReader as _;

use crate::console::Console;
use crate::key::{Shown, entry_json, entry_name};
use crate::open;
use crate::outcome::Outcome;
use crate::timestamp::rfc3339;

pub(crate) fn run(console: &Console, store_path: &Path, key: &[u8]) -> Result<Outcome> {
    let store = open::for_metadata(store_path)?;
    let entry = store.read(key).with_context(|| format!("cannot read {}", Shown(key)))?;
    let Some(entry) = entry else { return Ok(console.tell_absent(key)?) };
    if console.is_json {
        console.print_json(&json_of(&entry))?;
        return Ok(Outcome::Complete);
    }
    let mut output = console.output();
    writeln!(output, "key               {}", entry_name(&entry))?;
    writeln!(output, "key hash          {:#018x}", entry.key_hash())?;
    writeln!(output, "size              {} bytes", entry.size())?;
    writeln!(output, "size in the file  {} bytes", entry.file_size())?;
    writeln!(output, "offset            {}", entry.start_offset())?;
    writeln!(output, "CRC-32            {:#010x}", entry.checksum())?;
    writeln!(output, "written at        {}", entry.written_at().map(rfc3339).unwrap_or_default())?;
    output.flush()?;
    Ok(Outcome::Complete)
}

fn json_of(entry: &EntryHandle) -> serde_json::Value {
    let mut object = entry_json(entry);
    object.insert("size".to_owned(), entry.size().into());
    object.insert("file_size".to_owned(), entry.file_size().into());
    object.insert("offset".to_owned(), entry.start_offset().into());
    object.insert("crc32".to_owned(), format!("{:#010x}", entry.checksum()).into());
    object.insert("written_at".to_owned(), entry.written_at().map(rfc3339).into());
    object.into()
}
