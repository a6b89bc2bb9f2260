//! `info`: shows the store's size and its state when it was opened.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use serde_json::json;
use simd_r_drive::utils::format_bytes;

use crate::console::{Console, counted};
use crate::key::{hex, shown_path};
use crate::open;
use crate::outcome::Outcome;

pub(crate) fn run(console: &Console, store_path: &Path) -> Result<Outcome> {
    let store = open::for_metadata(store_path)?;
    let (stats, report) = (store.stats(), store.recovery_report());
    if console.is_json {
        console.print_json(&json!({
            "store": shown_path(store_path),
            "store_id": hex(&stats.store_id),
            "live_keys": stats.live_keys,
            "dead_slots": stats.dead_slots,
            "dead_bytes": stats.dead_bytes,
            "tail": stats.tail,
            "superseded_index_bytes": stats.superseded_index_bytes,
            "file_bytes": stats.allocated_bytes,
            "disk_bytes": stats.disk_bytes,
            "alignment": stats.alignment,
            "index": {
                "is_used": stats.is_index_used,
                "frozen_keys": stats.frozen_hashes,
                "frozen_bytes": stats.frozen_bytes,
                "tables": stats.frozen_tables,
                "keys_in_memory": stats.index_hashes,
                "bytes_in_memory": stats.index_heap_bytes,
            },
            "slots_replayed": stats.slots_replayed,
            "recovered_bytes": stats.recovered_bytes,
            "was_clean": report.was_clean,
            "uncommitted_bytes": report.uncommitted_bytes,
            "is_identity_damaged": report.is_identity_damaged,
            "damaged_ranges": report.damaged.iter().map(|range| [range.start, range.end]).collect::<Vec<_>>(),
            "open_seconds": report.duration.as_secs_f64(),
        }))?;
        return Ok(Outcome::Complete);
    }
    let mut output = console.output();
    writeln!(output, "store       {}", shown_path(store_path))?;
    writeln!(output, "store id    {}", hex(&stats.store_id))?;
    writeln!(output, "keys        {}", stats.live_keys)?;
    writeln!(output, "size        {} ({})", stats.tail, format_bytes(stats.tail))?;
    let file_bytes = stats.allocated_bytes;
    writeln!(output, "file        {file_bytes} ({})", format_bytes(file_bytes))?;
    writeln!(output, "on disk     {} ({})", stats.disk_bytes, format_bytes(stats.disk_bytes))?;
    let dead_bytes = stats.dead_bytes + stats.superseded_index_bytes;
    writeln!(
        output,
        "dead        {dead_bytes} ({}) in {}{}",
        format_bytes(dead_bytes),
        counted(stats.dead_slots, "older version"),
        if stats.superseded_index_bytes > 0 { ", and old indexes" } else { "" }
    )?;
    writeln!(output, "alignment   {} bytes", stats.alignment)?;
    let frozen = if stats.frozen_tables == 0 {
        "none".to_owned()
    } else {
        let bytes = format_bytes(stats.frozen_bytes);
        let tables = counted(stats.frozen_tables, "table");
        format!("{} in {tables} of {bytes}", counted(stats.frozen_hashes, "key"))
    };
    let in_memory = counted(stats.index_hashes, "key");
    writeln!(output, "index       in the file: {frozen}; in memory: {in_memory}")?;
    let state = match (report.was_clean, report.uncommitted_bytes) {
        (true, _) => "closed".to_owned(),
        (false, 0) => "open elsewhere, or not closed by its last writer".to_owned(),
        (false, bytes) => format!(
            "open elsewhere, or not closed by its last writer: {bytes} bytes after the last commit"
        ),
    };
    writeln!(output, "state       {state}")?;
    if report.is_identity_damaged {
        writeln!(output, "damage      the first page is damaged; one of its copies was used")?;
    }
    for range in &report.damaged {
        let len = range.end - range.start;
        writeln!(output, "damage      {len} bytes at byte {} cannot be read", range.start)?;
    }
    if stats.recovered_bytes > 0 {
        let bytes = stats.recovered_bytes;
        writeln!(
            output,
            "recovered   {bytes} bytes ({}) since the last barrier",
            format_bytes(bytes)
        )?;
    }
    let slots = counted(stats.slots_replayed, "slot");
    writeln!(output, "opened in   {:.3} s, {slots} read", report.duration.as_secs_f64())?;
    output.flush()?;
    Ok(Outcome::Complete)
}
