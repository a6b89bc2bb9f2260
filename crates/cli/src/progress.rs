//! Progress bars, and what a command has skipped.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};

use crate::console::Console;

/// The progress of a long command, and what it has skipped. The bar is shown only if standard error
/// is a terminal.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    console: &'a Console,
    bar: ProgressBar,
    skipped: Vec<Value>,
    skipped_count: u64,
}

impl<'a> Progress<'a> {
    /// Starts a bar that counts to `total`, or, if that is unknown, a spinner.
    pub(crate) fn new(console: &'a Console, total: Option<u64>, verb: &'static str) -> Self {
        let bar = if console.is_quiet || console.is_json {
            ProgressBar::hidden()
        } else {
            match total {
                Some(total) => ProgressBar::new(total).with_style(style(
                    "{msg} {wide_bar} {human_pos}/{human_len} {elapsed_precise}",
                )),
                None => ProgressBar::new_spinner()
                    .with_style(style("{spinner} {msg} {human_pos} {elapsed_precise}")),
            }
        };
        bar.set_message(Cow::Borrowed(verb));
        Self { console, bar, skipped: Vec::new(), skipped_count: 0 }
    }

    pub(crate) fn advance(&self, count: u64) {
        self.bar.inc(count);
    }

    pub(crate) fn set(&self, position: u64) {
        self.bar.set_position(position);
    }

    pub(crate) fn set_total(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// Reports that something was skipped. `object` names it in JSON.
    pub(crate) fn skip(&mut self, name: &str, mut object: Map<String, Value>, reason: &str) {
        // The empty key is a key like any other, but must be visible.
        let name = if name.is_empty() { "\"\"" } else { name };
        self.bar.suspend(|| self.console.tell(&format!("skipped {name}: {reason}")));
        self.skipped_count += 1;
        if self.console.is_json {
            object.insert("reason".to_owned(), reason.into());
            self.skipped.push(object.into());
        }
    }

    /// Removes the bar. Returns how many things were skipped and, for JSON, which.
    pub(crate) fn finish(self) -> (u64, Value) {
        self.bar.finish_and_clear();
        (self.skipped_count, self.skipped.into())
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
