//! `delete`: deletes keys.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use simd_r_drive::traits::{DataStoreReader as _, DataStoreWriter as _};

use crate::console::Console;
use crate::failure::failure;
use crate::key::{Shown, key_json};
use crate::open;
use crate::outcome::Outcome;

pub(crate) fn run(console: &Console, store_path: &Path, keys: &[&[u8]]) -> Result<Outcome> {
    let store = open::for_changing(store_path)?;
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    for key in keys {
        let exists = store.exists(key).with_context(|| format!("cannot look up {}", Shown(key)))?;
        if exists { present.push(*key) } else { absent.push(*key) }
    }
    present.sort_unstable();
    present.dedup();
    let deleted = store.batch_delete(&present);
    deleted.map_err(|error| failure("cannot delete from the store", store_path, error))?;
    open::close(&store)?;
    for key in &absent {
        console.tell(&format!("no such key: {}", Shown(key)));
    }
    if console.is_json {
        console.print_json(&json!({ "deleted": objects(&present), "absent": objects(&absent) }))?;
    }
    Ok(Outcome::complete_if(absent.is_empty()))
}

fn objects(keys: &[&[u8]]) -> Vec<Value> {
    keys.iter().map(|key| key_json(key).into()).collect()
}
