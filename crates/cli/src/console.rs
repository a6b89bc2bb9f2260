//! What the user sees.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde_json::Value;

use crate::key::{Shown, key_json};
use crate::outcome::Outcome;

/// How results and notes are given.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) is_json: bool,
    pub(crate) is_quiet: bool,
}

impl Console {
    pub(crate) fn new(is_json: bool, is_quiet: bool) -> Self {
        Self { is_json, is_quiet }
    }

    /// Standard output, buffered: flush it at the end.
    pub(crate) fn output(&self) -> BufWriter<Output> {
        BufWriter::new(Output(io::stdout().lock()))
    }

    /// One JSON object on a line of its own.
    pub(crate) fn print_json(&self, value: &Value) -> io::Result<()> {
        let mut output = self.output();
        writeln!(output, "{value}")?;
        output.flush()
    }

    /// A result: `value` with `--json`, else `summary` unless quiet.
    pub(crate) fn summarize(&self, value: &Value, summary: &str) -> io::Result<()> {
        if self.is_json {
            return self.print_json(value);
        }
        if self.is_quiet {
            return Ok(());
        }
        let mut output = self.output();
        writeln!(output, "{summary}")?;
        output.flush()
    }

    /// A sentence on standard error. That it cannot be written must not stop the work.
    pub(crate) fn tell(&self, sentence: &str) {
        let _ = writeln!(io::stderr(), "simd-r-drive: {sentence}");
    }

    /// Tells that a key does not exist.
    pub(crate) fn tell_absent(&self, key: &[u8]) -> io::Result<Outcome> {
        self.tell(&format!("no such key: {}", Shown(key)));
        if self.is_json {
            let mut object = key_json(key);
            object.insert("exists".to_owned(), Value::Bool(false));
            self.print_json(&Value::Object(object))?;
        }
        Ok(Outcome::Partial)
    }
}

/// Standard output whose closing by the reader can be told from other errors, which name it.
#[derive(Debug)]
pub(crate) struct Output(StdoutLock<'static>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(mark_closed)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(mark_closed)
    }
}

/// A number of things: `1 file`, `2 files`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[derive(Debug)]
struct OutputClosed;

impl fmt::Display for OutputClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for OutputClosed {}

#[expect(clippy::needless_pass_by_value, reason = "it is used as a function of an error")]
fn mark_closed(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::new(io::ErrorKind::BrokenPipe, OutputClosed),
        _ => cannot_print(&error),
    }
}

/// Why nothing can be printed.
pub(crate) fn cannot_print(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}

/// Whether standard output was closed by its reader.
pub(crate) fn is_output_closed(error: &anyhow::Error) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    matches!(inner.and_then(|inner| inner.downcast_ref()), Some(OutputClosed))
}
