//! What one process has measured.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::measure::Waits;
use crate::store::{Result, Unsupported};

/// One value of one row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    pub row: String,
    /// Where on the axis of a series, such as a number of entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<u64>,
    pub value: f64,
    /// Pairs of a quantile and nanoseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantiles: Vec<(f64, f64)>,
}

/// Why a row is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    pub row: String,
    pub why: String,
    /// The store cannot do it. Otherwise, something went wrong.
    pub is_unsupported: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    pub found: Vec<Finding>,
    pub missing: Vec<Missing>,
    /// The steps that would follow are of no use.
    #[serde(default)]
    pub is_over: bool,
    /// Rows that are asked for, by the start of their names. Empty: all.
    #[serde(skip)]
    pub selected: Vec<String>,
}

/// A store that answers wrongly has no place in a row.
#[derive(Debug)]
pub struct WrongAnswer(pub String);

impl fmt::Display for WrongAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WRONG ANSWER: {}", self.0)
    }
}

impl std::error::Error for WrongAnswer {}

/// An error unless the answer is right.
///
/// # Errors
/// [`WrongAnswer`].
#[inline]
pub fn must(is_right: bool, what: &str, number: u64) -> Result<()> {
    if is_right { Ok(()) } else { wrong(what, number) }
}

#[cold]
fn wrong(what: &str, number: u64) -> Result<()> {
    Err(Box::new(WrongAnswer(format!("{what} {number}"))))
}

impl Findings {
    pub fn wants(&self, row: &str) -> bool {
        self.selected.is_empty() || self.selected.iter().any(|start| row.starts_with(start))
    }

    /// Measures a row, if it is asked for.
    pub fn row(&mut self, row: &str, measure: impl FnOnce() -> Result<f64>) {
        if self.wants(row) {
            match measure() {
                Ok(value) => self.add(row, value),
                Err(error) => self.miss(row, &*error),
            }
        }
    }

    /// Measures a row that has quantiles. `value` says what of them is the row's value.
    pub fn waits(&mut self, row: &str, measure: impl FnOnce() -> Result<(f64, Waits)>) {
        if self.wants(row) {
            match measure() {
                Ok((value, waits)) => self.add_waits(row, value, &waits),
                Err(error) => self.miss(row, &*error),
            }
        }
    }

    pub fn add(&mut self, row: &str, value: f64) {
        self.push(row, None, value, Vec::new());
    }

    pub fn add_at(&mut self, row: &str, x: u64, value: f64) {
        self.push(row, Some(x), value, Vec::new());
    }

    pub fn add_waits(&mut self, row: &str, value: f64, waits: &Waits) {
        self.push(row, None, value, waits.quantiles());
    }

    fn push(&mut self, row: &str, x: Option<u64>, value: f64, quantiles: Vec<(f64, f64)>) {
        if self.wants(row) {
            self.found.push(Finding { row: row.into(), x, value, quantiles });
        }
    }

    pub fn miss(&mut self, row: &str, error: &(dyn std::error::Error + 'static)) {
        let is_unsupported = error.downcast_ref::<Unsupported>().is_some();
        self.missing.push(Missing { row: row.into(), why: error.to_string(), is_unsupported });
    }
}
