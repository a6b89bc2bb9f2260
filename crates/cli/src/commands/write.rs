//! `write`: stores a value.

use std::io::{self, Read, StdinLock};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use simd_r_drive::traits::DataStoreWriter as _;

use crate::console::Console;
use crate::key::{Shown, key_json};
use crate::open;
use crate::outcome::Outcome;
use crate::standard_streams;

pub(crate) fn run(
    console: &Console,
    store_path: &Path,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Outcome> {
    if value.is_none() && standard_streams::is_input_closed() {
        bail!(
            "cannot write {}: no value is given, and standard input is closed; for an empty value, give \"\"",
            Shown(key)
        );
    }
    let store = open::or_create(store_path)?;
    let tail = match value {
        Some(value) => store.write(key, value),
        None => store.write_stream(key, &mut Input(io::stdin().lock())),
    }
    .inspect_err(|_| open::discard_new(&store))
    .with_context(|| format!("cannot write {}", Shown(key)))?;
    open::close(&store)?;
    if console.is_json {
        let mut object = key_json(key);
        object.insert("tail".to_owned(), tail.into());
        console.print_json(&object.into())?;
    }
    Ok(Outcome::Complete)
}

/// Standard input, with errors that name it.
struct Input(StdinLock<'static>);

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot read standard input: {error}"))
        })
    }
}
