//! `rename`: gives a value another key.

use std::path::Path;

use anyhow::{Context as _, Result};
use simd_r_drive::traits::{DataStoreReader as _, DataStoreWriter as _};

use crate::console::Console;
use crate::key::{Shown, key_json};
use crate::open;
use crate::outcome::Outcome;

pub(crate) fn run(
    console: &Console,
    store_path: &Path,
    old_key: &[u8],
    new_key: &[u8],
) -> Result<Outcome> {
    let store = open::for_changing(store_path)?;
    let what = || format!("cannot rename {}", Shown(old_key));
    if !store.exists(old_key).with_context(what)? {
        return Ok(console.tell_absent(old_key)?);
    }
    store.rename(old_key, new_key).with_context(what)?;
    open::close(&store)?;
    if console.is_json {
        let (old, new) = (key_json(old_key), key_json(new_key));
        console.print_json(&serde_json::json!({ "old": old, "new": new }))?;
    }
    Ok(Outcome::Complete)
}
