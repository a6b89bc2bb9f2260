//! Results as JSON, as tables, and as plots.

mod chart;
mod format;
mod markdown;
mod plots;
mod svg;

use std::fs;
use std::path::Path;

use crate::results::Results;

/// # Errors
/// If the file cannot be read, or is something else.
pub fn read_json(path: &Path) -> Result<Results, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes everything to a directory, and prints the tables.
///
/// # Errors
/// If it cannot be written.
pub fn write(results: &Results, out: &Path) -> Result<(), String> {
    let tables = markdown::render(results);
    let json = serde_json::to_string_pretty(results).map_err(|error| error.to_string())?;
    let mut files = plots::render(results);
    files.push(("results.json".into(), json + "\n"));
    files.push(("results.md".into(), tables.clone()));
    let failed = |error: std::io::Error| format!("{}: {error}", out.display());
    fs::create_dir_all(out).map_err(failed)?;
    for (name, text) in files {
        fs::write(out.join(name), text).map_err(failed)?;
    }
    println!("{tables}");
    eprintln!("results are in {}", out.display());
    Ok(())
}
