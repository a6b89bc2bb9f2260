//! Progress on a terminal, and what was skipped on the way.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value};

use crate::console::Console;

/// How far a long command has come, and what it left out. The bar shows only if standard error is a terminal.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    console: &'a Console,
    bar: ProgressBar,
    skipped: Vec<Value>,
    skipped_count: u64,
}

impl<'a> Progress<'a> {
    /// Progress towards `total`, or with no end known.
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

    /// Tells that something was left out. `object` names it in JSON.
    pub(crate) fn skip(&mut self, name: &str, mut object: Map<String, Value>, reason: &str) {
        // The empty key is as good as any other.
        let name = if name.is_empty() { "\"\"" } else { name };
        self.bar.suspend(|| self.console.tell(&format!("skipped {name}: {reason}")));
        self.skipped_count += 1;
        if self.console.is_json {
            object.insert("reason".to_owned(), reason.into());
            self.skipped.push(object.into());
        }
    }

    /// Removes the bar. Returns how much was left out, and what, for JSON.
    pub(crate) fn finish(self) -> (u64, Value) {
        self.bar.finish_and_clear();
        (self.skipped_count, self.skipped.into())
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
