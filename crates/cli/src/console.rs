//! Output for the user.

use std::fmt;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde_json::Value;

use crate::key::{Shown, key_json};
use crate::outcome::Outcome;

/// Prints results on standard output, and notes on standard error.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) is_json: bool,
    pub(crate) is_quiet: bool,
}

impl Console {
    pub(crate) fn new(is_json: bool, is_quiet: bool) -> Self {
        Self { is_json, is_quiet }
    }

    /// Standard output, buffered. It must be flushed at the end.
    pub(crate) fn output(&self) -> BufWriter<Output> {
        BufWriter::new(Output(io::stdout().lock()))
    }

    /// Prints a JSON object on a line of its own.
    pub(crate) fn print_json(&self, value: &Value) -> io::Result<()> {
        let mut output = self.output();
        writeln!(output, "{value}")?;
        output.flush()
    }

    /// Prints a result: `value` with `--json`, else `summary`, but nothing with `--quiet`.
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

    /// Prints a sentence on standard error. If that fails, the command goes on.
    pub(crate) fn tell(&self, sentence: &str) {
        let _ = writeln!(io::stderr(), "simd-r-drive: {sentence}");
    }

    /// Reports that a key does not exist.
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

/// Standard output. Its errors name it, except that a reader that has closed it can be told apart.
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

/// A count with its noun: `1 file`, `2 files`.
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

/// The error for output that cannot be printed.
pub(crate) fn cannot_print(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}

/// Whether the error says that the reader has closed standard output.
pub(crate) fn is_output_closed(error: &anyhow::Error) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    matches!(inner.and_then(|inner| inner.downcast_ref()), Some(OutputClosed))
}
